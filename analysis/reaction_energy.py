"""Energy of a reaction from the energies of its species, refused where the sum would mean nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from structures.errors import InputError
from structures.reaction import ARROW, Reaction
from structures.species import ELECTRON

RESOLVED_EV = 0.1
_RAISED = {"+": "⁺", "-": "⁻"}
_HOW = {
    "code": "compute both with one code",
    "functional": "compute both with one functional",
    "dispersion": "compute both with the same dispersion, or with none",
    "basis": "compute both with one basis",
    "mode": "compute both in one mode",
    "resolution": "put both in one cell with one grid",
    "cell_A": "put both in one cell",
    "setups": "use one version of the PAW data",
}


@dataclass(frozen=True)
class SpeciesEnergy:
    """What was computed for one species.

    Attributes:
        energy_eV: total energy, on the scale of its code; only differences mean something.
        method: all that two energies must agree in; `setups` maps element to PAW data.
        dispersion_eV: part of the energy; None without dispersion.
    """

    energy_eV: float
    method: Mapping[str, Any]
    dispersion_eV: float | None = None


@dataclass(frozen=True)
class NumericalError:
    """How the answer moves when one numerical parameter is made worse.

    Attributes:
        name: what is varied: grid, box, basis.
        change: in words.
        energy_eV: the reaction's energy there.
        shift_eV: that minus the answer.
    """

    name: str
    change: str
    energy_eV: float
    shift_eV: float


@dataclass(frozen=True)
class Electron:
    """Where an electron of a reaction is.

    Attributes:
        reference: what sets its energy, in words.
        energy_eV: on the scale of the vacuum level.
        is_computed: whether the energy was computed in the run, so that it has a numerical error of its own.
    """

    reference: str
    energy_eV: float
    is_computed: bool = False

    @property
    def words(self) -> str:
        """Its energy and what sets it."""
        energy = f"{self.energy_eV:.2f}".replace("-", "−")
        return f"E(e⁻) = {energy} eV ({self.reference})"


@dataclass(frozen=True)
class ReactionEnergy:
    """Energy of a reaction with its numerical error; the functional's own error is not in it.

    Attributes:
        reaction: as written.
        statement: the sum and its sign in words.
        energy_eV: ΔE at fixed nuclei, without zero-point and thermal parts.
        dispersion_eV: its part from dispersion; None without.
        errors: one entry for each numerical parameter that was varied.
        unchecked: parameters whose error was not estimated.
        deformation_eV: part of ΔE that it costs to bend the reactants into the shape that they have in the product;
            None if they were computed in their own shape.
        counterpoise_eV: part of ΔE that takes out what the parts of a product gain from each other's orbitals; None
            where there is nothing to correct.
        electron: where the electrons of the reaction are; None if none takes part.
    """

    reaction: str
    statement: str
    energy_eV: float
    dispersion_eV: float | None = None
    errors: tuple[NumericalError, ...] = ()
    unchecked: tuple[str, ...] = ()
    deformation_eV: float | None = None
    counterpoise_eV: float | None = None
    electron: Electron | None = None

    @property
    def uncertainty_eV(self) -> float | None:
        """Sum of the sizes of all shifts: an estimate, no bound; None if nothing was varied."""
        return sum(abs(error.shift_eV) for error in self.errors) if self.errors else None

    @property
    def verdict(self) -> str:
        """Whether the number is converged, in words."""
        uncertainty = self.uncertainty_eV
        if uncertainty is None:
            return "numerical error not estimated"
        state = "converged in what was varied" if uncertainty <= RESOLVED_EV else "not converged"
        left_out = f"; {' and '.join(self.unchecked)} not varied" if self.unchecked else ""
        return f"{state}: numerical error {uncertainty:.2f} eV, aim {RESOLVED_EV} eV{left_out}"

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        uncertainty = self.uncertainty_eV
        shown = f"{self.energy_eV:.2f}".replace("-", "−") + (f" ± {uncertainty:.2f}" if uncertainty is not None else "")
        at = "" if self.electron is None else f" with {self.electron.words}"
        return f"{show_reaction(self.reaction)}: ΔE = {shown} eV{at}"

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "reaction": self.reaction,
            "statement": self.statement,
            "energy_eV": self.energy_eV,
            "uncertainty_eV": self.uncertainty_eV,
            "dispersion_eV": self.dispersion_eV,
            "deformation_eV": self.deformation_eV,
            "counterpoise_eV": self.counterpoise_eV,
            "electron": None if self.electron is None else asdict(self.electron) | {"words": self.electron.words},
            "errors": [
                {"name": e.name, "change": e.change, "energy_eV": e.energy_eV, "shift_eV": e.shift_eV}
                for e in self.errors
            ],
            "unchecked": list(self.unchecked),
            "verdict": self.verdict,
            "how_estimated": "sum of the sizes of the shifts when each numerical parameter is made worse in turn",
        }


def show_reaction(text: str) -> str:
    """A reaction with raised charges and a true arrow: Li⁺ + TFSI⁻ → LiTFSI."""
    words = [word[:-1] + _RAISED[word[-1]] if word[-1] in _RAISED and len(word) > 1 else word for word in text.split()]
    return " ".join("→" if word == ARROW else word for word in words)


def compute_reaction_energy(
    reaction: Reaction,
    *,
    energies: Mapping[str, SpeciesEnergy],
    electron_eV: float | None = None,
) -> float:
    """ΔE = Σ E(products) − Σ E(reactants), in eV.

    Args:
        reaction: the sum.
        energies: of every species but the electron.
        electron_eV: energy of an electron; needed if one takes part.

    Raises:
        InputError: if a term is missing, or two terms are from different methods, cells or grids.
    """
    names = [name for name in reaction.coefficients if name != ELECTRON]
    missing = [name for name in names if name not in energies]
    if missing:
        raise InputError(f"reaction {reaction.text!r} has no energy of {missing[0]!r}; compute it.")
    if ELECTRON in reaction.coefficients and electron_eV is None:
        raise InputError(
            f"reaction {reaction.text!r} has an electron, whose energy is a choice: set electron.reference "
            "(vacuum, work-function with its value, fermi-level of the slab, or lithium)."
        )
    check_one_method({name: energies[name].method for name in names}, reaction=reaction.text)
    total_eV = sum(
        number * energies[name].energy_eV for name, number in reaction.coefficients.items() if name != ELECTRON
    )
    return total_eV + reaction.coefficients.get(ELECTRON, 0) * (electron_eV or 0.0)


def compute_dispersion_share(reaction: Reaction, *, energies: Mapping[str, SpeciesEnergy]) -> float | None:
    """Part of ΔE that is dispersion, in eV; None if a term has none."""
    parts = [(n, energies[name].dispersion_eV) for name, n in reaction.coefficients.items() if name != ELECTRON]
    known = [number * part for number, part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def check_one_method(methods: Mapping[str, Mapping[str, Any]], *, reaction: str) -> None:
    """Check that all terms agree in all that makes their energies comparable.

    Raises:
        InputError: names the two terms, what differs and how to mend it.
    """
    (first, reference), *others = methods.items()
    setups: dict[str, tuple[str, str]] = {}
    for name, method in methods.items():
        for element, fingerprint in (method.get("setups") or {}).items():
            earlier, known = setups.setdefault(element, (name, fingerprint))
            if known != fingerprint:
                raise InputError(
                    f"reaction {reaction!r}: {earlier} and {name} use different PAW data of {element}. "
                    f"{_HOW['setups'].capitalize()}."
                )
    for name, method in others:
        for key in sorted({*reference, *method} - {"setups"}):
            ours, theirs = reference.get(key), method.get(key)
            if ours != theirs:
                fix = _HOW.get(key, "compute both with the same settings")
                raise InputError(
                    f"reaction {reaction!r}: the {key} of {first} is {ours} and that of {name} is {theirs}; their "
                    f"difference means nothing. {fix.capitalize()}."
                )


def build_reaction_energy(
    reaction: Reaction,
    *,
    energies: Mapping[str, SpeciesEnergy],
    variants: Sequence[tuple[str, str, Mapping[str, SpeciesEnergy]]] = (),
    unchecked: Sequence[str] = (),
    electron_eV: float | None = None,
) -> ReactionEnergy:
    """The energy of a reaction, or of a step of one, with its numerical error.

    Args:
        reaction: the sum, of the terms that energies are given for.
        energies: of the species.
        variants: name of a numerical parameter, what was changed in words, and the energies with that.
        unchecked: parameters that were not varied.
        electron_eV: energy of an electron, if one takes part.

    Raises:
        InputError: as `compute_reaction_energy`.
    """
    energy_eV = compute_reaction_energy(reaction, energies=energies, electron_eV=electron_eV)
    errors = []
    for name, change, worse in variants:
        there_eV = compute_reaction_energy(reaction, energies=worse, electron_eV=electron_eV)
        errors.append(NumericalError(name, change, there_eV, there_eV - energy_eV))
    return ReactionEnergy(
        reaction=reaction.text,
        statement=reaction.statement,
        energy_eV=energy_eV,
        dispersion_eV=compute_dispersion_share(reaction, energies=energies),
        errors=tuple(errors),
        unchecked=tuple(unchecked),
    )


def join_steps(
    reaction: Reaction,
    *,
    steps: Mapping[str, ReactionEnergy],
    electron: Electron | None = None,
) -> ReactionEnergy:
    """The energy of a reaction whose steps are each by one method, and together the whole.

    Args:
        reaction: as written.
        steps: kind of each step, such as joining or deformation → its energy.
        electron: where electrons are; needed if one takes part.

    Raises:
        InputError: if the energy of an electron is missing.
    """
    electrons = reaction.coefficients.get(ELECTRON, 0)
    if electrons and electron is None:
        raise InputError(
            f"reaction {reaction.text!r} has an electron, whose energy is a choice: set electron.reference "
            "(vacuum, work-function with its value, fermi-level of the slab, or lithium)."
        )
    electrons_eV = electrons * (0.0 if electron is None else electron.energy_eV)
    energy_eV = sum(step.energy_eV for step in steps.values()) + electrons_eV
    of_electron = ("work function",) if electron is not None and electron.is_computed else ()
    dispersions = [step.dispersion_eV for step in steps.values()]
    known = [part for part in dispersions if part is not None]
    bending, correction = steps.get("deformation"), steps.get("counterpoise")
    return ReactionEnergy(
        reaction=reaction.text,
        statement=reaction.statement,
        energy_eV=energy_eV,
        dispersion_eV=sum(known) if len(known) == len(dispersions) else None,
        errors=join_errors([error for step in steps.values() for error in step.errors], energy_eV=energy_eV),
        unchecked=tuple(dict.fromkeys([*(name for step in steps.values() for name in step.unchecked), *of_electron])),
        deformation_eV=None if bending is None else bending.energy_eV,
        counterpoise_eV=None if correction is None else correction.energy_eV,
        electron=electron if electrons else None,
    )


def join_errors(errors: Sequence[NumericalError], *, energy_eV: float) -> tuple[NumericalError, ...]:
    """The errors of a whole from those of its steps: where steps change one parameter in one way, their shifts add.

    Args:
        errors: of all steps.
        energy_eV: of the whole.
    """
    shifts: dict[tuple[str, str], float] = {}
    for error in errors:
        shifts[error.name, error.change] = shifts.get((error.name, error.change), 0.0) + error.shift_eV
    return tuple(
        NumericalError(name, change, energy_eV + shift_eV, shift_eV) for (name, change), shift_eV in shifts.items()
    )

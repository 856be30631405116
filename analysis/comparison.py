"""Reactions of several runs side by side: do they agree within their numerical errors?"""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.results import Results, read_results, write_text_atomically
from structures.errors import InputError
from structures.reaction import parse_reaction
from structures.species import ELECTRON

FLOW = "tfsi-adsorption"
METHOD_KEYS = ("code", "version", "functional", "dispersion", "mode", "basis")
_SAME_SPECIES = ("formula", "charge", "multiplicity")
_ROUNDING_EV = 1e-9


@dataclass(frozen=True)
class ComparedEnergy:
    """The energy of a reaction in one run.

    Attributes:
        run: directory of the run, as given.
        energy_eV: ΔE.
        uncertainty_eV: its numerical error; None if it was not estimated.
        method: code, version, functional, dispersion, and mode and basis where the code has them.
        difference_eV: ΔE less that of the first run.
        allowed_eV: sum of both errors; None if one of them was not estimated.
    """

    run: str
    energy_eV: float
    uncertainty_eV: float | None
    method: Mapping[str, str]
    difference_eV: float
    allowed_eV: float | None

    @property
    def agrees(self) -> bool | None:
        """Whether it is the first run's energy within the sum of the errors; None if that cannot be told."""
        return None if self.allowed_eV is None else abs(self.difference_eV) <= self.allowed_eV + _ROUNDING_EV


@dataclass(frozen=True)
class ComparedReaction:
    """One reaction in all runs, in the order in which they were given."""

    reaction: str
    energies: tuple[ComparedEnergy, ...]


@dataclass(frozen=True)
class Comparison:
    """What several runs say of the reactions that all of them have.

    Attributes:
        reactions: common to all runs.
        left_out: reactions that some run lacks.
    """

    reactions: tuple[ComparedReaction, ...]
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        reactions = {
            one.reaction: [{**asdict(energy), "agrees": energy.agrees} for energy in one.energies]
            for one in self.reactions
        }
        return {"reactions": reactions, "left_out": list(self.left_out)}


def compare_results(paths: Sequence[Path]) -> Comparison:
    """Set the reactions of several runs side by side.

    Reactions are the same if the same species stand on the same sides, in any order.

    Args:
        paths: run directories or their `results.json`, two or more; differences are taken from the first.

    Raises:
        InputError: if there are less than two, one of them has no results of reactions, they have no reaction in
            common, or a species of one name is another in two runs.
    """
    if len(paths) < 2:  # noqa: PLR2004 (a comparison has two sides)
        raise InputError(f"there are {len(paths)} runs to compare, needs 2 or more. Name another directory.")
    twice = [str(path) for path, number in Counter(path.resolve() for path in paths).items() if number > 1]
    if twice:
        raise InputError(f"{twice[0]} is named twice, needs different runs. Name each once.")
    runs = {str(path): _read_reactions(path) for path in paths}
    found = {name: _list_reactions(results) for name, results in runs.items()}
    first = next(iter(found.values()))
    common = [key for key in first if all(key in reactions for reactions in found.values())]
    if not common:
        raise InputError(
            f"{' and '.join(runs)} have no reaction in common: "
            + "; ".join(f"{name} has {', '.join(map(str, reactions.values()))}" for name, reactions in found.items())
            + ". Compare runs of one reaction."
        )
    _check_species(runs, reactions=[first[key] for key in common])
    left_out = [text for reactions in found.values() for key, text in reactions.items() if key not in common]
    return Comparison(
        reactions=tuple(
            _compare(first[key], {name: (runs[name], found[name][key]) for name in runs}) for key in common
        ),
        left_out=tuple(dict.fromkeys(left_out)),
    )


def write_comparison(comparison: Comparison, *, path: Path) -> Path:
    """Write a CSV table with one row for each reaction and run."""
    numbers = ("energy_eV", "uncertainty_eV", "difference_eV", "allowed_eV", "agrees")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("reaction", "run", *METHOD_KEYS, *numbers))
    for one in comparison.reactions:
        for energy in one.energies:
            method = [energy.method.get(key, "") for key in METHOD_KEYS]
            writer.writerow((one.reaction, energy.run, *method, *(getattr(energy, name) for name in numbers)))
    return write_text_atomically(path, text=stream.getvalue())


def _read_reactions(path: Path) -> Results:
    """Results that have reactions."""
    results = read_results(path)
    if results.flow != FLOW or not results.observables.get("reactions"):
        raise InputError(f"{path} is a run of {results.flow} without reactions, needs one of {FLOW}. Leave it out.")
    return results


def _list_reactions(results: Results) -> dict[frozenset[tuple[str, int]], str]:
    """What each reaction changes, whatever the order of its terms, to its text in these results."""
    return {frozenset(parse_reaction(text).coefficients.items()): text for text in results.observables["reactions"]}


def _check_species(runs: Mapping[str, Results], *, reactions: Sequence[str]) -> None:
    """A name must mean one composition, charge and spin in all runs."""
    names = {name for text in reactions for name in parse_reaction(text).coefficients} - {ELECTRON}
    known: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for run, results in runs.items():
        for label, one in (results.observables.get("species") or {}).items():
            name = label.split(" in ", maxsplit=1)[0]
            if name not in names:
                continue
            facts = (dict(sorted(_count_atoms(one["formula"]).items())), *(one[key] for key in _SAME_SPECIES[1:]))
            earlier, before = known.setdefault(name, (run, facts))
            if before != facts:
                raise InputError(
                    f"{name} is not the same in {earlier} and {run}: formula, charge and multiplicity are "
                    f"{before} and {facts}. Compare runs of the same species."
                )


def _count_atoms(formula: str) -> Counter[str]:
    from ase.formula import Formula

    return Counter(Formula(formula).count())


def _compare(reaction: str, found: Mapping[str, tuple[Results, str]]) -> ComparedReaction:
    energies: list[ComparedEnergy] = []
    for run, (results, text) in found.items():
        energy = results.observables["reactions"][text]["energy"]
        value, uncertainty = float(energy["value"]), energy.get("uncertainty")
        reference = energies[0] if energies else None
        errors = (uncertainty, 0.0 if reference is None else reference.uncertainty_eV)
        energies.append(
            ComparedEnergy(
                run=run,
                energy_eV=value,
                uncertainty_eV=uncertainty,
                method=_describe_method(results, has_electron=ELECTRON in parse_reaction(text).coefficients),
                difference_eV=0.0 if reference is None else value - reference.energy_eV,
                allowed_eV=None if None in errors else sum(float(error) for error in errors if error is not None),
            )
        )
    return ComparedReaction(reaction, tuple(energies))


def _describe_method(results: Results, *, has_electron: bool) -> dict[str, str]:
    """What gave the energies; the reference of the electron too, where one takes part."""
    method = results.system.get("method") or {}
    flat = {**(method.get("resolution") or {}), **method}
    described = {key: str(flat[key]) for key in METHOD_KEYS if flat.get(key) is not None}
    electron = results.config.get("electron") or {}
    return described | ({"electron": str(electron.get("reference"))} if has_electron else {})

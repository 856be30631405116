"""What a run of `tfsi-adsorption` will do: species built, reactions checked, its size told, nothing started."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structures.species import Species
from workflows.adsorption_species import (
    build_all_species,
    find_box,
    find_relaxation_settings,
    list_relaxation_settings,
    list_terms,
    list_variants,
    parse_reactions,
    place,
)
from workflows.calculators.electronic import (
    build_electronic_spec,
    check_elements_and_basis,
    check_method_installed,
)
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.calculation import Calculation
from workflows.jobs.local import build_executor, count_usable_cores
from workflows.plan import show_duration
from workflows.preflight import check_resources

# Rough, from single runs on one core: s for each grid point and pair of occupied states; s for each electron cubed.
_S_PER_POINT_AND_PAIR = {"fd": 2.0e-7, "pw": 1.2e-7, "lcao": 0.3e-7}
_S_PER_CUBED_ELECTRON = {"def2-svpd": 1.8e-4, "def2-tzvpd": 6e-4, "def2-qzvpd": 4e-3}
_START_S = 5.0
_STEPS_OF_RELAXATION, _SHARE_OF_A_STEP = 25, 0.6
_S_PER_HOUR = 3600.0


@dataclass(frozen=True)
class AdsorptionPlan:
    """The size of a run.

    Attributes:
        reactions: as written, with what their energy means.
        species: one line each: formula, charge, multiplicity, electrons, source.
        calculator: code and the settings that matter.
        box: edges and grid, empty if there is none.
        n_calculations: energies to compute, checks included.
        core_hours: expected, of all that is not in the store yet.
        cores: that can be busy at a time.
        disk_GB: expected size of the stored files.
        n_segments: 0, as there is no dynamics.
        warnings: what to read before starting.
        details: further numbers for `--json`.
    """

    reactions: tuple[str, ...]
    species: tuple[str, ...]
    calculator: str
    box: str
    n_calculations: int
    core_hours: float
    cores: int
    disk_GB: float = 0.01
    n_segments: int = 0
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] | None = None

    @property
    def expected_s(self) -> float:
        """Expected wall time on the plan's cores."""
        return self.core_hours * _S_PER_HOUR / max(1, min(self.cores, self.n_calculations))

    def lines(self) -> list[str]:
        """What to print before anything starts."""
        cores = "1 core" if self.cores == 1 else f"{self.cores} cores"
        return [
            *(f"reaction    {line}" for line in self.reactions),
            *(f"species     {line}" for line in self.species),
            f"calculator  {self.calculator}",
            *([f"box         {self.box}"] if self.box else []),
            f"energies    {self.n_calculations}, those that check the numerical error included",
            f"expected    about {show_duration(self.expected_s)} on {cores} ({self.core_hours:.2g} core-hours)",
            *(f"note        {warning}" for warning in self.warnings),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "reactions": list(self.reactions),
            "species": list(self.species),
            "calculator": self.calculator,
            "box": self.box,
            "n_calculations": self.n_calculations,
            "core_hours": self.core_hours,
            "disk_GB": self.disk_GB,
            "cores": self.cores,
            "warnings": list(self.warnings),
            "expected_s": round(self.expected_s),
            **(self.details or {}),
        }


def plan(config: TfsiAdsorptionConfig, *, cores: int | None = None) -> AdsorptionPlan:
    """Build and check everything a run needs, and say how large it is; starts nothing.

    Raises:
        InputError: if something in the configuration cannot be done.
        SetupError: if the code is not installed.
    """
    section = config.calculator
    check_method_installed(section.name)
    spec = build_electronic_spec(section.name, protocol=section.protocol, overrides=section.overrides)
    settings = dict(spec.overrides)
    species = build_all_species(config)
    elements = sorted({symbol for one in species.values() for symbol in one.atoms.symbols})
    variants, unchecked = list_variants(config, settings=settings)
    for variant in variants:
        now = settings | variant.settings
        check_elements_and_basis(replace(spec, overrides=now), elements=elements)
    terms = list_terms(parse_reactions(config), species=species)
    _check_resources(config, species=species, settings=settings, cores=cores)
    n_energies, seconds, box = 0, 0.0, ""
    for variant in variants:
        now = settings | variant.settings
        lengths_A = find_box(config, species=species, settings=settings, less_vacuum_A=variant.less_vacuum_A)
        if lengths_A is not None and not variant.name:
            edges = " x ".join(f"{length:.1f}" for length in lengths_A)
            box = f"{edges} Å, open boundaries, the same for all species"
        for term in terms.values():
            n_energies += 1
            seconds += _estimate_s(term.species.n_electrons, lengths_A=lengths_A, settings=now)
    bending = settings | find_relaxation_settings(settings)
    lengths_A = find_box(config, species=species, settings=settings)
    for one in species.values():
        cost_s = _estimate_s(one.n_electrons, lengths_A=lengths_A, settings=bending)
        if len(one.atoms) > 1:
            seconds += cost_s * _STEPS_OF_RELAXATION * _SHARE_OF_A_STEP * config.geometry.relax
    bent = [term for term in terms.values() if term.frame is not None and len(term.species.atoms) > 1]
    for changes in list_relaxation_settings(config, settings=settings).values():
        for term in bent:
            n_energies += 2
            now = settings | changes
            seconds += 2 * _estimate_s(term.species.n_electrons, lengths_A=lengths_A, settings=now)
    return AdsorptionPlan(
        reactions=tuple(f"{reaction.text}   {reaction.statement}" for reaction in parse_reactions(config)),
        species=tuple(
            f"{name}: {one.atoms.symbols.formula}, charge {one.charge:+d}, multiplicity {one.multiplicity}, "
            f"{one.n_electrons} electrons, {one.source}"
            for name, one in species.items()
        ),
        calculator=f"{section.name} {section.protocol}: "
        + ", ".join(f"{key} {value}" for key, value in _find_telling(settings).items()),
        box=box,
        n_calculations=n_energies,
        core_hours=seconds / _S_PER_HOUR,
        cores=cores or config.resources.cores or count_usable_cores(),
        warnings=tuple(f"the error from the {name} is not estimated" for name in unchecked),
        details={"electrons": {name: one.n_electrons for name, one in species.items()}},
    )


def _check_resources(
    config: TfsiAdsorptionConfig, *, species: dict[str, Species], settings: dict[str, Any], cores: int | None
) -> None:
    """Check that the largest species finds the cores and the memory that it needs."""
    resources = config.resources
    largest = max(species.values(), key=lambda one: len(one.atoms))
    boxed = place(largest, lengths_A=find_box(config, species=species, settings=settings))
    check_resources(
        [Calculation("electronic_energy", structure=boxed.atoms, ranks=resources.ranks, threads=resources.threads)],
        executor=build_executor(cores=cores or resources.cores, memory_GB=resources.memory_GB),
    )


def _find_telling(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that matter in this mode."""
    of_mode = {"lcao": ("spacing_A", "basis"), "fd": ("spacing_A",), "pw": ("cutoff_eV",)}
    names = ("xc", "mode", *of_mode.get(str(settings.get("mode")), ("basis",)), "dispersion")
    return {name: settings[name] for name in names if name in settings}


def _estimate_s(n_electrons: int, *, lengths_A: NDArray[np.float64] | None, settings: dict[str, Any]) -> float:
    if lengths_A is None:
        return float(n_electrons**3 * _S_PER_CUBED_ELECTRON.get(settings["basis"], 6e-4))
    n_points = float(np.prod(lengths_A)) / settings["spacing_A"] ** 3
    n_pairs = max(1.0, (n_electrons / 3) ** 2)  # two thirds are core electrons, or paired
    return _START_S + float(n_points * n_pairs * _S_PER_POINT_AND_PAIR[settings["mode"]])

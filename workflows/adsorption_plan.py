"""What a run of `tfsi-adsorption` will do: species built, reactions checked, its size told, nothing started."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.units import Bohr

from structures.errors import InputError
from structures.species import ELECTRON, Species
from workflows.adsorption_cells import find_relaxation_settings, find_slab_settings
from workflows.adsorption_checks import check_elements_of_u, check_smaller_basis, list_notes
from workflows.adsorption_poses import SCREENING_SETTINGS, count_full
from workflows.adsorption_species import (
    build_all_poses,
    build_all_species,
    list_pairs,
    list_slabs,
    parse_reactions,
)
from workflows.adsorption_spins import check_moments_possible
from workflows.adsorption_steps import Step, Wanted, list_all_steps, list_energies
from workflows.adsorption_sums import find_host
from workflows.adsorption_surfaces import (
    CleanSurface,
    build_reservoirs,
    describe_surfaces,
    explain_left_out,
    list_surfaces,
)
from workflows.calculators.electronic import (
    build_electronic_spec,
    check_elements_and_basis,
    check_method_installed,
)
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.engines.electronic_process import check_ranks
from workflows.jobs.calculation import Calculation, compute_structure_fingerprint, normalise_structure
from workflows.jobs.local import count_usable_cores
from workflows.plan import Piece, show_duration
from workflows.preflight import check_resources

# Rough, from single runs on one core: s for each grid point and pair of occupied states; s for each electron cubed.
_S_PER_POINT_AND_PAIR = {"fd": 2.0e-7, "pw": 1.2e-7, "lcao": 0.3e-7}
_S_PER_CUBED_ELECTRON = {"def2-svpd": 1.8e-4, "def2-tzvpd": 6e-4, "def2-qzvpd": 4e-3}
# CP2K, an iteration: a million points of the density's grid, an atom's Gaussians on it, the matrix of 64 atoms.
_S_PER_MEGA_POINT, _S_PER_ATOM, _S_PER_MATRIX, _ATOMS_OF_MATRIX = 1.0, 0.05, 1.5, 64
_ITERATIONS_OF_MOLECULE, _ITERATIONS_OF_SLAB = 17, 30  # a slab's with those of the rough density
_START_S = 5.0
_S_OF_XTB = 0.5
_STEPS_OF_RELAXATION, _SHARE_OF_A_STEP = 25, 0.6
_S_PER_HOUR = 3600.0


@dataclass(frozen=True)
class AdsorptionPlan:
    """The size of a run.

    Attributes:
        reactions: as written, with what their energy means.
        species: one line each: formula, charge, multiplicity, electrons, source.
        calculator: code and the settings that matter.
        boxes: edges and boundaries of each cell.
        poses: how many of each adsorbed species are ranked and computed.
        n_calculations: energies to compute, checks included.
        core_hours: expected, of all that is not in the store yet.
        cores: that can be busy at a time.
        disk_GB: expected size of the stored files.
        n_segments: 0, as there is no dynamics.
        warnings: what to read before starting.
        details: further numbers for `--json`.
        pieces: the parts of the work that other runs may share.
    """

    reactions: tuple[str, ...]
    species: tuple[str, ...]
    calculator: str
    boxes: tuple[str, ...]
    poses: tuple[str, ...]
    n_calculations: int
    core_hours: float
    cores: int
    disk_GB: float = 0.01
    n_segments: int = 0
    warnings: tuple[str, ...] = ()
    details: dict[str, Any] | None = None
    pieces: tuple[Piece, ...] = ()

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
            *(f"cell        {line}" for line in self.boxes),
            *(f"poses       {line}" for line in self.poses),
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
            "boxes": list(self.boxes),
            "poses": list(self.poses),
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
    for name in config.codes:
        check_method_installed(name)
    spec = build_electronic_spec(section.name, protocol=section.protocol, overrides=section.overrides)
    settings = dict(spec.overrides)
    check_code(config)
    species = build_all_species(config)
    steps = list_all_steps(config, settings=settings, species=species)
    surfaces = _plan_surfaces(config, settings=settings, species=species)
    of_reactions = list_energies(steps)
    energies = of_reactions | list_energies(one.steps for one in surfaces)
    elements = sorted({symbol for one in species.values() for symbol in one.atoms.symbols})
    for changes in {str(one.changes): one.changes for one in energies.values()}.values():
        check_elements_and_basis(replace(spec, overrides=settings | dict(changes)), elements=elements)
    check_elements_of_u(config, elements=elements)
    check_smaller_basis((one.changes for one in energies.values()), settings=settings, elements=elements)
    check_electron(config, species=species)
    check_moments_possible(section.name, species=species)
    check_cheaper_methods(config, elements=elements, species=species)
    _check_resources(config, energies=energies, cores=cores)
    poses = {name: build_all_poses(name, config=config, species=species) for name in list_pairs(config)}
    pieces = [
        *_list_energy_pieces(energies.values(), spec=spec),
        *_list_search_pieces(energies, poses={name: len(of) for name, of in poses.items()}, config=config, spec=spec),
        *_list_relaxation_pieces(of_reactions, config=config, settings=settings),
    ]
    unchecked = dict.fromkeys(name for group in steps for step in group if step.counts for name in step.unchecked)
    return AdsorptionPlan(
        reactions=tuple(f"{reaction.text}   {reaction.statement}" for reaction in parse_reactions(config)),
        species=tuple(
            f"{name}: {one.atoms.symbols.formula}, charge {one.charge:+d}, multiplicity {one.multiplicity}, "
            f"{one.n_electrons} electrons, {one.source}"
            for name, one in species.items()
        ),
        calculator=f"{section.name} {section.protocol}: "
        + ", ".join(f"{key} {value}" for key, value in _find_telling(settings).items()),
        boxes=(*_describe_cells(steps), *describe_surfaces(surfaces)),
        poses=tuple(_describe_poses(name, n_poses=len(of), config=config) for name, of in poses.items()),
        n_calculations=len(energies),
        core_hours=sum(piece.core_hours for piece in pieces),
        cores=cores or config.resources.cores or count_usable_cores(),
        pieces=tuple(pieces),
        warnings=(
            *(f"the error from the {name} is not estimated" for name in unchecked),
            *list_electrons(config),
            *(f"{name}: no surface energy: {reason}" for name, reason in explain_left_out(config).items()),
            *list_notes(config, species=species),
        ),
        details={"electrons": {name: one.n_electrons for name, one in species.items()}},
    )


def list_electrons(config: TfsiAdsorptionConfig) -> list[str]:
    """Where the electrons of the reactions are taken to be, in words."""
    if all(ELECTRON not in reaction.coefficients for reaction in parse_reactions(config)):
        return []
    energy_eV, section = config.electron.energy_eV, config.electron
    where = "computed, the Fermi level of the clean slab" if energy_eV is None else f"{energy_eV:.2f} eV"
    return [f"E(e-) is {where} (electron.reference: {section.reference})"]


def _plan_surfaces(
    config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any], species: Mapping[str, Species]
) -> list[CleanSurface]:
    """What the surface energies need, with all geometries as they are built."""
    every = {**species, **build_reservoirs(config)}
    return list_surfaces(config, settings=settings, species=every, start=every)


def check_code(config: TfsiAdsorptionConfig) -> None:
    """Check that the code runs on the ranks asked for and gives what else is asked for.

    Raises:
        InputError: names what it does not do, and the code that does.
    """
    code = config.calculator.name
    check_ranks(code, ranks=config.resources.ranks)
    if code != "gpaw" and config.analyses:
        raise InputError(
            f"analyses is {', '.join(config.analyses)}, which calculator {code} does not give here. Leave it out, or "
            "set calculator.name: gpaw."
        )
    if code == "cp2k" and config.electron.energy_eV is None:
        raise InputError(
            "electron.reference is fermi-level, which calculator cp2k does not give here. Set work-function with "
            "electron.work_function_eV, or calculator.name: gpaw."
        )


def check_cheaper_methods(
    config: TfsiAdsorptionConfig, *, elements: Sequence[str], species: Mapping[str, Species]
) -> None:
    """Check that what relaxes or ranks in place of the calculator of the energies can do it.

    Raises:
        InputError: if its settings are wrong, or it knows no cells that repeat, or not a way that spins point.
    """
    slabs = list_slabs(species, species=species)
    by = config.geometry.calculator if config.geometry.relax else None
    if by is not None:
        spec = build_electronic_spec(by.name, protocol=by.protocol, overrides=by.overrides)
        check_elements_and_basis(spec, elements=elements)
        for name in slabs:
            find_slab_settings(
                config.model_copy(update={"calculator": by}), name=name, settings=spec.overrides, species=species
            )
        if by.name != "xtb":  # its geometries know of no spins
            check_moments_possible(by.name, species=species)
    adsorbed = [name for name in slabs if name in list_pairs(config)]
    if config.poses.screening == "xtb" and adsorbed:
        raise InputError(
            f"poses.screening is xtb, which knows no periodic cells, but {adsorbed[0]} lies on a slab. Set "
            "poses.screening: small-basis."
        )


def find_moving_settings(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the calculator that relaxes."""
    by = config.geometry.calculator
    own = (
        settings
        if by is None
        else build_electronic_spec(by.name, protocol=by.protocol, overrides=by.overrides).overrides
    )
    return {**own, **find_relaxation_settings(own)}


def check_electron(config: TfsiAdsorptionConfig, *, species: Mapping[str, Species]) -> None:
    """Check that the Fermi level of each electron can be told.

    Raises:
        InputError: if a reaction with an electron has no clean slab, and its Fermi level is asked for.
    """
    for reaction in parse_reactions(config):
        if ELECTRON in reaction.coefficients and config.electron.energy_eV is None:
            find_host(reaction, species=species)


def _list_relaxed(energies: Mapping[str, Wanted], *, config: TfsiAdsorptionConfig) -> list[Species]:
    """What is relaxed by itself: molecules and slabs, each once; adsorbed species are counted with their poses."""
    own = {one.species.name: one.species for one in energies.values() if len(one.species.atoms) > 1}
    return [one for name, one in own.items() if name not in list_pairs(config)]


def _describe_cells(steps: Sequence[Sequence[Step]]) -> list[str]:
    """Each cell once, in words."""
    lines = []
    for group in steps:
        for step in group:
            cell = step.cells[""]
            if cell.lattice_A is None or step.kind in ("deformation", "shapes"):
                continue
            edges = " x ".join(f"{length:.1f}" for length in np.linalg.norm(cell.lattice_A, axis=1))
            divisions = " x ".join(str(number) for number in step.settings.get("k_points", [])[:2])
            rest = f"slab, {divisions} k-points" if cell.is_slab else "open boundaries"
            lines.append(f"{edges} Å, {rest}, the same for all energies of {step.kind}")
    return list(dict.fromkeys(lines))


def _describe_poses(name: str, *, n_poses: int, config: TfsiAdsorptionConfig) -> str:
    n_full = count_full(config, n_poses=n_poses)
    if n_full == n_poses:
        return f"{name}: all {n_poses} by the full method"
    way = "relaxed and ranked by tight binding" if config.poses.screening == "xtb" else "ranked in a small basis"
    return f"{name}: {n_poses} {way}, the best {n_full} by the full method"


def _check_resources(config: TfsiAdsorptionConfig, *, energies: Mapping[str, Wanted], cores: int | None) -> None:
    """Check that the largest energy finds the cores and the memory that it needs."""
    resources = config.resources
    largest = max((one.species for one in energies.values()), key=lambda one: (len(one.atoms), one.atoms.cell.volume))
    check_resources(
        [Calculation("electronic_energy", structure=largest.atoms, ranks=resources.ranks, threads=resources.threads)],
        resources=resources,
        cores=cores,
    )


def _find_telling(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that matter in this mode."""
    of_mode = {"lcao": ("spacing_A", "basis"), "fd": ("spacing_A",), "pw": ("cutoff_eV",)}
    others = ("basis", "density_cutoff_Ry")
    names = ("hamiltonian", "xc", "mode", *of_mode.get(str(settings.get("mode")), others), "dispersion")
    return {name: settings[name] for name in names if name in settings}


def _list_energy_pieces(energies: Iterable[Wanted], *, spec: CalculatorSpec) -> Iterator[Piece]:
    """Every energy by itself, in the geometry that it starts from."""
    for one in energies:
        settings = {**spec.overrides, **one.changes}
        yield _build_piece(
            "energy", one.species, settings=settings, seconds=_estimate_s(one.species, settings=settings)
        )


def _list_search_pieces(
    energies: Mapping[str, Wanted], *, poses: Mapping[str, int], config: TfsiAdsorptionConfig, spec: CalculatorSpec
) -> Iterator[Piece]:
    """The search for the pose of each adsorbed species."""
    for name, n_poses in poses.items():
        settings = dict(spec.overrides)
        seconds = _estimate_search_s(energies[name], n_poses=n_poses, config=config, settings=settings)
        kind = f"poses {config.poses.model_dump_json()} {config.geometry.model_dump_json()}"
        yield _build_piece(
            kind, energies[name].species, settings=settings | dict(energies[name].changes), seconds=seconds
        )


def _list_relaxation_pieces(
    energies: Mapping[str, Wanted], *, config: TfsiAdsorptionConfig, settings: Mapping[str, Any]
) -> Iterator[Piece]:
    """The relaxation of each molecule and slab."""
    if config.geometry.relax:
        moving = find_moving_settings(config, settings=settings)
        kind = f"relaxation {config.geometry.model_dump_json()}"
        for one in _list_relaxed(energies, config=config):
            seconds = _STEPS_OF_RELAXATION * _SHARE_OF_A_STEP * _estimate_s(one, settings=moving)
            yield _build_piece(kind, one, settings=moving, seconds=seconds)


def _build_piece(kind: str, one: Species, *, settings: Mapping[str, Any], seconds: float) -> Piece:
    structure = compute_structure_fingerprint(normalise_structure(one.atoms))
    of = [kind, structure, dict(settings), one.charge, one.multiplicity]
    identity = hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
    return Piece(identity, core_hours=seconds / _S_PER_HOUR)


def _estimate_search_s(
    adsorbed: Wanted, *, n_poses: int, config: TfsiAdsorptionConfig, settings: Mapping[str, Any]
) -> float:
    """Rough time of the ranking and of the best poses."""
    now, n_full = {**settings, **adsorbed.changes}, count_full(config, n_poses=n_poses)
    moving = find_moving_settings(config, settings=now) if config.geometry.relax else now
    full_s = _estimate_s(adsorbed.species, settings=moving) * n_full
    full_s *= _STEPS_OF_RELAXATION * _SHARE_OF_A_STEP if config.geometry.relax else 1.0
    if n_full == n_poses or config.poses.screening == "xtb":
        return full_s
    cheap = {**now, **SCREENING_SETTINGS[config.calculator.name]}
    return full_s + n_poses * _estimate_s(adsorbed.species, settings=cheap)


def _estimate_s(one: Species, *, settings: Mapping[str, Any]) -> float:
    if "density_cutoff_Ry" in settings:
        return _estimate_cp2k_s(one, settings=settings)
    if "hamiltonian" in settings:
        return _S_OF_XTB
    if "mode" not in settings:
        return float(one.n_electrons**3 * _S_PER_CUBED_ELECTRON.get(str(settings["basis"]), 6e-4))
    n_points = float(one.atoms.cell.volume) / settings["spacing_A"] ** 3
    n_pairs = max(1.0, (one.n_electrons / 3) ** 2)  # two thirds are core electrons, or paired
    n_k = max(1.0, float(np.prod(settings["k_points"])) / 2)  # time reversal
    return _START_S + float(n_points * n_pairs * n_k * _S_PER_POINT_AND_PAIR[str(settings["mode"])])


def _estimate_cp2k_s(one: Species, *, settings: Mapping[str, Any]) -> float:
    """Rough time of CP2K: grids of the density, of which there are more with the cut-off, and Gaussians on them."""
    spacing_A = np.pi / np.sqrt(settings["density_cutoff_Ry"]) * Bohr
    mega_points = float(one.atoms.cell.volume) / spacing_A**3 / 1e6
    n_k = max(1.0, float(np.prod(settings["k_points"])) / 2)
    matrices_s = n_k * _S_PER_MATRIX * (len(one.atoms) / _ATOMS_OF_MATRIX) ** 3
    per_iteration_s = mega_points * _S_PER_MEGA_POINT + len(one.atoms) * _S_PER_ATOM + matrices_s
    n_iterations = _ITERATIONS_OF_SLAB if settings["smearing_eV"] else _ITERATIONS_OF_MOLECULE
    return _START_S + float(n_iterations * per_iteration_s)

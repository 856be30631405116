"""Poses of adsorbates: ranked by a cheap method, the best ones taken to the full one, the lowest kept, all reported."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms

from analysis.adsorbed_state import AdsorbedState, name_state
from analysis.ranking import FEWEST, RankingCheck, compare_rankings
from structures.errors import ConvergenceError
from structures.poses import Pose
from structures.species import Species
from workflows.adsorption_calculation import AdsorptionRun, build_calculation
from workflows.adsorption_cells import (
    Cell,
    build_slab_cell,
    find_box,
    find_relaxation_cell,
    find_relaxation_settings,
    find_slab_settings,
    frame_molecules,
)
from workflows.adsorption_species import build_adsorbed, build_all_poses, list_pairs
from workflows.adsorption_steps import SLAB_ANALYSES, find_analyses
from workflows.calculators.electronic import find_method
from workflows.configuration.tfsi_adsorption import (
    ElectronicCalculatorSection,
    GeometrySection,
    TfsiAdsorptionConfig,
)
from workflows.flow_run import read_structure_of
from workflows.jobs.store import Failed, Finished

SCREENING_SETTINGS: dict[str, dict[str, Any]] = {
    "gpaw": {"mode": "lcao", "basis": "szp(dzp)", "spacing_A": 0.25},
    "pyscf": {"basis": "def2-svp", "grid_level": 2},
    "xtb": {},
    "cp2k": {"basis": "SZV-MOLOPT-SR-GTH", "density_cutoff_Ry": 300.0, "scf_tolerance": 1e-5},
}


@dataclass(frozen=True, eq=False)
class TriedPose:
    """A pose and what became of it.

    Attributes:
        name: site and number of the orientation.
        start: before relaxation.
        cheap_eV: energy of the ranking; None if there was none, or it failed.
        energy_eV: by the full method; None if it was not among the best, or failed.
        atoms: in the end.
        key: of the full calculation, or of the cheap one.
        state: what became of the adsorbate; None without the full method.
        is_relaxed: whether its forces got below the tolerance; None if it was not relaxed.
        trouble: why there is no energy.
    """

    name: str
    start: Pose
    atoms: Atoms
    key: str = ""
    cheap_eV: float | None = None
    energy_eV: float | None = None
    state: AdsorbedState | None = None
    is_relaxed: bool | None = None
    trouble: str = ""


@dataclass(frozen=True)
class PoseSearch:
    """All poses of one adsorbate on its substrate.

    Attributes:
        name: of the adsorbed species.
        poses: those with the full method first, lowest first; then the others in the order of the ranking.
        framed: geometries that the box of the energies has room for, by name.
        ranking: whether the order of the cheap method held; None if it cannot be told.
    """

    name: str
    poses: tuple[TriedPose, ...]
    framed: Mapping[str, Species] = field(default_factory=dict)
    ranking: RankingCheck | None = None

    @property
    def best(self) -> TriedPose:
        """The lowest pose of those that are still adsorbed; if there is none, the lowest."""
        full = [pose for pose in self.poses if pose.energy_eV is not None]
        held = [pose for pose in full if pose.state is not None and pose.state.state == "adsorbed"]
        return (held or full)[0]


def search_poses(
    run: AdsorptionRun, *, species: Mapping[str, Species], start: Mapping[str, Species]
) -> dict[str, PoseSearch]:
    """Search the poses of every adsorbate of the run.

    Args:
        run: what all stages share.
        species: molecules and slabs, relaxed if so wished.
        start: before relaxation, which decides on the box of molecules.

    Raises:
        ConvergenceError: if no pose of an adsorbate came to an energy.
    """
    return {name: search_poses_of(run, name, species=species, start=start) for name in list_pairs(run.config)}


def search_poses_of(
    run: AdsorptionRun, name: str, *, species: Mapping[str, Species], start: Mapping[str, Species]
) -> PoseSearch:
    """Rank, take the best to the full method, and name what became of them."""
    poses = build_all_poses(name, config=run.config, species=species)
    tried = [TriedPose(pose.name, pose, pose.atoms) for pose in poses]
    ranked = rank(run, name, tried=tried, species=species)
    n_full = count_full(run.config, n_poses=len(tried))
    best, others = ranked[:n_full], ranked[n_full:]
    moved = relax_poses(run, name, tried=best, species=species) if run.config.geometry.relax else best
    framed = frame_poses(run, name, tried=moved, species=species, start=start)
    full = compute_fully(run, name, tried=moved, species=species, framed=framed)
    if all(pose.energy_eV is None for pose in full):
        raise ConvergenceError(
            f"{name}: none of {len(full)} poses came to an energy. The first: {full[0].trouble} Set poses.keep higher "
            "than that, or geometry.max_steps."
        )
    ordered = sorted(full, key=lambda pose: np.inf if pose.energy_eV is None else pose.energy_eV)
    both = [pose for pose in full if pose.energy_eV is not None and pose.cheap_eV is not None]
    ranking = None
    if len(both) >= FEWEST:
        cheap, reference = ([getattr(pose, kind) for pose in both] for kind in ("cheap_eV", "energy_eV"))
        ranking = compare_rankings(cheap, reference)
    return PoseSearch(name, (*ordered, *others), framed, ranking)


def count_full(config: TfsiAdsorptionConfig, *, n_poses: int) -> int:
    """How many poses get the full method."""
    return n_poses if config.poses.screening == "none" else min(config.poses.keep, n_poses)


def find_pose_method(
    run: AdsorptionRun, name: str, *, species: Mapping[str, Species], cheaper: Mapping[str, Any] | None = None
) -> tuple[Callable[[Species], Cell], dict[str, Any]]:
    """Settings of a ranking or a relaxation, and the cell of each pose: the slab's, or a box of the pose's own."""
    _, host = list_pairs(run.config)[name]
    atoms = species[host].atoms
    if atoms.pbc.any():
        cell = build_slab_cell(atoms)
        changes = find_slab_settings(run.config, name=name, settings=run.settings, species=species)
        return lambda _: cell, {**changes, **(cheaper or {})}
    settings = {**run.settings, **(cheaper or {})}
    changes = {**find_relaxation_settings(settings), **(cheaper or {})}
    return lambda one: find_relaxation_cell(run.config, settings=settings, start={one.name: one}), changes


def rank(run: AdsorptionRun, name: str, *, tried: list[TriedPose], species: Mapping[str, Species]) -> list[TriedPose]:
    """The poses in the order of their energies by the cheap method; as they come if all get the full one."""
    is_relaxing = run.config.poses.screening == "xtb"
    if not is_relaxing and count_full(run.config, n_poses=len(tried)) == len(tried):
        return tried
    by = run.take(ElectronicCalculatorSection(name="xtb")) if is_relaxing else run
    cheaper = SCREENING_SETTINGS[by.config.calculator.name]
    find_cell, changes = find_pose_method(by, name, species=species, cheaper=cheaper)
    settings = find_relaxation(run.config.geometry) if is_relaxing else {"forces": False}
    placed = [build_adsorbed(name, pose.atoms, config=run.config, species=species) for pose in tried]
    calculations = [
        build_calculation(by, find_cell(one).place(one), label=f"rank {name}, {pose.name}", changes=changes, **settings)
        for pose, one in zip(tried, placed, strict=True)
    ]
    ranked = [note_ranking(pose, outcome) for pose, outcome in zip(tried, run.try_each(calculations), strict=True)]
    return sorted(ranked, key=lambda pose: np.inf if pose.cheap_eV is None else pose.cheap_eV)


def note_ranking(pose: TriedPose, outcome: Finished | Failed) -> TriedPose:
    """The pose with its energy by the cheap method, as that left it."""
    if isinstance(outcome, Failed):
        return replace(pose, key=outcome.key, trouble=outcome.reason)
    atoms = pose.atoms
    if outcome.values["is_relaxed"] is not None:
        atoms = atoms.copy()
        atoms.positions = read_structure_of(outcome, file="structure").positions
    return replace(pose, key=outcome.key, cheap_eV=float(outcome.values["energy_eV"]), atoms=atoms)


def find_relaxation(geometry: GeometrySection) -> dict[str, Any]:
    """Settings of the recipe that relax a pose; one that runs out of steps is reported, not lost."""
    return {
        "force_tolerance_eV_per_A": geometry.force_tolerance_eV_per_A,
        "max_steps": geometry.max_steps,
        "accept_unconverged": True,
    }


def relax_poses(
    run: AdsorptionRun, name: str, *, tried: list[TriedPose], species: Mapping[str, Species]
) -> list[TriedPose]:
    """Relax poses, by the calculator of geometries."""
    by, relaxing = run.while_atoms_move(), find_relaxation(run.config.geometry)
    find_cell, changes = find_pose_method(by, name, species=species)
    return compute_poses(by, name, tried=tried, find_cell=find_cell, changes=changes, species=species, **relaxing)


def frame_poses(
    run: AdsorptionRun,
    name: str,
    *,
    tried: list[TriedPose],
    species: Mapping[str, Species],
    start: Mapping[str, Species],
) -> dict[str, Species]:
    """What the box of the energies must have room for: molecules as built and as relaxed, and the poses as they are."""
    molecules = frame_molecules(start, species=species, pairs=list_pairs(run.config))
    there = [pose for pose in tried if not pose.trouble]
    poses = {
        f"{name}, {pose.name}": build_adsorbed(name, pose.atoms, config=run.config, species=species) for pose in there
    }
    return {**molecules, **poses}


def compute_fully(
    run: AdsorptionRun,
    name: str,
    *,
    tried: list[TriedPose],
    species: Mapping[str, Species],
    framed: Mapping[str, Species],
) -> list[TriedPose]:
    """Energies that count, of poses as they are; those that a relaxation by the same method gave are kept."""
    geometry = run.config.geometry
    is_slab = species[list_pairs(run.config)[name][1]].atoms.pbc.any()
    has_cell = find_method(run.config.calculator.name).is_periodic
    if geometry.relax and geometry.calculator is None and (is_slab or not has_cell):
        return tried
    analyses = find_analyses(run.config)
    if is_slab:
        find_cell, changes = find_pose_method(run, name, species=species)
        analyses = (*SLAB_ANALYSES, *analyses)
    else:
        cell, changes = Cell(find_box(run.config, species=framed, settings=run.settings)), {}
        find_cell = lambda _: cell  # noqa: E731 (one box for all)
    there = [pose for pose in tried if not pose.trouble]
    found = compute_poses(
        run, name, tried=there, find_cell=find_cell, changes=changes, species=species, analyses=analyses
    )
    return [*found, *(pose for pose in tried if pose.trouble)]


def compute_poses(
    run: AdsorptionRun,
    name: str,
    *,
    tried: list[TriedPose],
    find_cell: Callable[[Species], Cell],
    changes: Mapping[str, Any],
    species: Mapping[str, Species],
    **settings: Any,  # noqa: ANN401 (settings of the recipe)
) -> list[TriedPose]:
    """Energies of poses by one method, relaxed if the settings say so, and what has become of each since its start."""
    is_relaxing = "force_tolerance_eV_per_A" in settings

    def place(atoms: Atoms) -> Species:
        one = build_adsorbed(name, atoms, config=run.config, species=species)
        return find_cell(one).place(one)

    calculations = [
        build_calculation(
            run,
            place(pose.atoms),
            label=f"{'relax' if is_relaxing else 'pose'} {name}, {pose.name}",
            changes=changes,
            **settings,
        )
        for pose in tried
    ]
    found = []
    for pose, calculation, outcome in zip(tried, calculations, run.try_each(calculations), strict=True):
        if isinstance(outcome, Failed):
            found.append(replace(pose, key=outcome.key, energy_eV=None, trouble=outcome.reason))
            continue
        run.keep_key(calculation.label, outcome)
        after = read_structure_of(outcome, file="structure")
        is_adsorbate = pose.start.atoms.arrays["is_adsorbate"]
        state = name_state(place(pose.start.atoms).atoms, after, is_adsorbate=is_adsorbate)
        after.pbc = pose.start.atoms.pbc  # a molecule may have been relaxed with images
        found.append(
            replace(
                pose,
                key=outcome.key,
                energy_eV=float(outcome.values["energy_eV"]),
                atoms=after,
                state=state,
                is_relaxed=outcome.values["is_relaxed"] if is_relaxing else pose.is_relaxed,
                trouble="",
            )
        )
    return found


def take_best_poses(
    run: AdsorptionRun, *, searches: Mapping[str, PoseSearch], species: Mapping[str, Species]
) -> dict[str, Species]:
    """All species of the run, the adsorbed ones in their lowest pose."""
    adsorbed = {
        name: build_adsorbed(name, search.best.atoms, config=run.config, species=species)
        for name, search in searches.items()
    }
    return {**species, **adsorbed}

"""A case of metal on alloy, analysed: all observables of its replicas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from MDAnalysis import Universe
from numpy.typing import ArrayLike, NDArray

from analysis.column_gains import ColumnRun, read_column_run
from analysis.common_cutoff import find_common_cutoff
from analysis.contact_geometry import ContactGeometry, compute_alloy_drift
from analysis.core import CoreTrack, build_core_finder, combine_tracks, track_cores
from analysis.counting import largest_radius_A
from analysis.density_map import DensityMap, combine_density_maps, compute_density_map
from analysis.diffusion import REACTING_FRONT, MeanSquaredDisplacement, combine_msds, compute_displacements, compute_msd
from analysis.interface_rise import InterfaceRise, combine_interface_rises, compute_interface_rise
from analysis.penetration import (
    DEFAULT_AREAL_DENSITY_PER_NM2,
    Penetration,
    combine_penetrations,
    compute_penetration,
)
from analysis.rdf import RadialDistribution, RegionOfFrame, combine_rdfs, compute_rdfs, count_within
from analysis.regions import Region
from analysis.thermodynamics import Thermodynamics, compute_energy_released, find_worst_thermodynamics
from analysis.trajectory import get_elements, spread_frames
from analysis.uncertainty import Quantity
from structures.dislocation import DipoleGeometry
from structures.errors import InputError

RADIUS_SHARE = 0.99
"""Distribution functions reach at most this share of half the cell, of which dynamics may take a little."""
_RDF_FRAMES = 100
_CORE_FRAMES = 20
# Lest an atom at the very end falls out of its region by rounding.
_MARGIN_A = 0.01
NORMALISATION = (
    "evenly spread neighbours of the region's mean density in the part of each shell that lies in the region. Alloy "
    "and potassium are not spread evenly but lie side by side, so g(r) does not tend to 1 within this range: it stays "
    "below for elements on opposite sides of the interface and above for those on one side. Frames are of the second "
    "half of each run"
)


@dataclass(frozen=True)
class ContactCase:
    """Observables of one case over its replicas."""

    label: str
    n_replicas: int
    penetration: Penetration
    rdf: tuple[RadialDistribution, ...]
    msd: MeanSquaredDisplacement
    density_map: DensityMap
    core: CoreTrack | None
    thermodynamics: Thermodynamics | None
    guard: dict[str, Any] | None
    energy_released: Quantity | None = None
    columns: tuple[ColumnRun, ...] = ()
    interface: InterfaceRise | None = None

    def to_json(self) -> dict[str, Any]:
        """The case as JSON values."""
        return {
            "label": self.label,
            "replicas": self.n_replicas,
            "penetration": self.penetration.to_json(),
            "interface": None if self.interface is None else self.interface.to_json(),
            "rdf": [distribution.to_json() for distribution in self.rdf],
            "normalisation": NORMALISATION,
            "msd": self.msd.to_json(),
            "density_map": self.density_map.to_json(),
            "core": None if self.core is None else self.core.to_json(),
            "thermodynamics": None if self.thermodynamics is None else self.thermodynamics.to_json(),
            "energy_released": None if self.energy_released is None else self.energy_released.to_json(),
            "guard": self.guard,
        }


@dataclass(frozen=True)
class _Run:
    """Observables of one replica."""

    penetration: Penetration
    rdf: list[RadialDistribution]
    msd: MeanSquaredDisplacement
    density_map: DensityMap
    core: CoreTrack | None
    columns: ColumnRun | None
    interface: InterfaceRise | None


def compute_contact_case(
    replicas: Sequence[Universe],
    *,
    label: str,
    geometry: ContactGeometry,
    dislocation: DipoleGeometry | None = None,
    species: str = "K",
    areal_density_per_nm2: float = DEFAULT_AREAL_DENSITY_PER_NM2,
    reference_A: ArrayLike | None = None,
    built_A: ArrayLike | None = None,
    thermodynamics: Sequence[Thermodynamics] = (),
    guard: dict[str, Any] | None = None,
    rdf_max_A: float = 10.0,
    rdf_bin_A: float = 0.05,
    map_bin_A: float = 1.0,
) -> ContactCase:
    """All observables of the replicas of one case.

    Distribution functions are taken from the second half of the run, all its frames or 100 spread over it. The core
    columns follow the cores if they glide.

    Args:
        replicas: one trajectory a replica, with unwrapped positions, elements and regions.
        label: name of the case for people.
        geometry: interface, and lines: also for a control, where they would be.
        dislocation: dislocations as built; None for a control.
        species: element that penetrates.
        areal_density_per_nm2: its atoms beyond the penetration depth on each nm² of the interface, in nm⁻².
        reference_A: positions of the starting structure, in whose coordinates the geometry is; None: first frame.
        built_A: positions before the relaxation, from which the rise of the alloy is measured; None: not measured.
        thermodynamics: tables of the replicas; the one whose conserved energy moved most in the second half is shown.
        guard: what the guard of the potential's domain found, passed on.
        rdf_max_A: range of the distribution functions, in Å; cut if the cell has shrunk below what it needs.
        rdf_bin_A: their bins, in Å.
        map_bin_A: bins of the density map, in Å.

    Returns:
        The case.

    Raises:
        InputError: if there are no replicas, or a trajectory does not fit the geometry.
    """
    if not replicas:
        raise InputError(f"case {label} has no replicas; give at least one trajectory")
    runs = [
        _analyse_run(
            universe,
            geometry=geometry,
            dislocation=dislocation,
            species=species,
            areal_density_per_nm2=areal_density_per_nm2,
            reference_A=reference_A,
            built_A=built_A,
            rdf_A=(rdf_max_A, rdf_bin_A),
            map_bin_A=map_bin_A,
        )
        for universe in replicas
    ]
    return _join_runs(runs, label=label, thermodynamics=thermodynamics, guard=guard)


def _join_runs(
    runs: Sequence[_Run], *, label: str, thermodynamics: Sequence[Thermodynamics], guard: dict[str, Any] | None
) -> ContactCase:
    tracks = [run.core for run in runs if run.core is not None]
    rises = [run.interface for run in runs if run.interface is not None]
    return ContactCase(
        label=label,
        n_replicas=len(runs),
        penetration=combine_penetrations([run.penetration for run in runs]),
        rdf=tuple(combine_rdfs(list(same)) for same in zip(*(run.rdf for run in runs), strict=True)),
        msd=combine_msds([run.msd for run in runs]),
        density_map=combine_density_maps([run.density_map for run in runs]),
        core=combine_tracks(tracks) if tracks else None,
        thermodynamics=find_worst_thermodynamics(thermodynamics) if thermodynamics else None,
        guard=guard,
        energy_released=compute_energy_released(thermodynamics) if thermodynamics else None,
        columns=tuple(run.columns for run in runs if run.columns is not None),
        interface=combine_interface_rises(rises) if rises else None,
    )


def share_cutoffs(cases: Mapping[str, ContactCase]) -> dict[str, ContactCase]:
    """The cases with coordination numbers within one cut-off a pair, the same in all cases and regions.

    Args:
        cases: name to case.

    Returns:
        The same cases; the cut-off comes from the distribution functions of the whole cells.
    """
    pairs = dict.fromkeys(part.pair for case in cases.values() for part in case.rdf)
    cutoffs = {
        pair: find_common_cutoff(
            {
                case.label: part
                for case in cases.values()
                for part in case.rdf
                if (part.pair, part.region) == (pair, "all")
            }
        )
        for pair in pairs
    }
    shared = {}
    for name, case in cases.items():
        counted = (
            count_within(part, cutoff_A=cutoffs[part.pair][0], source=cutoffs[part.pair][1]) for part in case.rdf
        )
        shared[name] = replace(case, rdf=tuple(counted))
    return shared


def _analyse_run(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    dislocation: DipoleGeometry | None,
    species: str,
    areal_density_per_nm2: float,
    reference_A: ArrayLike | None,
    built_A: ArrayLike | None,
    rdf_A: tuple[float, float],
    map_bin_A: float,
) -> _Run:
    """Observables of one replica."""
    core = None
    if dislocation is not None:
        frames = spread_frames(0, len(universe.trajectory), most=_CORE_FRAMES)
        core = track_cores(universe, find=build_core_finder(dislocation), frames=frames)
    lines = core.follow_lines if core is not None and core.verdict == "glides" else None
    drift = compute_alloy_drift(universe, geometry=geometry, reference_A=reference_A)
    _, positions = compute_displacements(universe, species=species, drift_A=drift)
    columns = None
    if geometry.lines_A:
        columns = read_column_run(universe, geometry=geometry, drift_A=drift, species=species, lines=lines)
    interface = None
    if built_A is not None:
        interface = compute_interface_rise(universe, geometry=geometry, built_A=built_A, drift_A=drift)
    times = np.array([timestep.time for timestep in universe.trajectory])
    return _Run(
        penetration=compute_penetration(
            universe,
            geometry=geometry,
            species=species,
            areal_density_per_nm2=areal_density_per_nm2,
            lines=lines,
            reference_A=reference_A,
        ),
        rdf=_compute_distributions(universe, geometry=geometry, species=species, drift=drift, lines=lines, rdf_A=rdf_A),
        msd=compute_msd(positions, time_ps=times, species=species, from_start=True, verdict=REACTING_FRONT),
        density_map=compute_density_map(
            universe, geometry=geometry, species=species, bin_A=map_bin_A, lines=lines, reference_A=reference_A
        ),
        core=core,
        columns=columns,
        interface=interface,
    )


def _compute_distributions(
    universe: Universe,
    *,
    geometry: ContactGeometry,
    species: str,
    drift: NDArray[np.float64],
    lines: Callable[[int], NDArray[np.float64]] | None,
    rdf_A: tuple[float, float],
) -> list[RadialDistribution]:
    """Distribution functions of the species with every element, by region, from the second half of the run.

    In the region "all" every atom is a centre; it reaches from the lowest atom to the highest, so a stray one in the
    vacuum lowers the mean density, by which g(r) is divided, and no coordination number.
    """

    def build(number: int) -> Callable[[int], Region]:
        def place(frame: int) -> Region:
            heights = universe.trajectory.ts.positions[:, 2] - drift[frame, 2]
            low, high = float(heights.min()) - _MARGIN_A, float(heights.max()) + _MARGIN_A
            region = geometry.build_regions(matter_z_A=(low, high))[number]
            at = np.array(geometry.lines_A).reshape(-1, 2) + drift[frame, :2] if lines is None else lines(frame)
            return region.shifted(z_A=float(drift[frame, 2]), lines_A=at.tolist())

        return place

    n_frames = len(universe.trajectory)
    universe.trajectory[0]
    radius = min(rdf_A[0], RADIUS_SHARE * largest_radius_A(universe.trajectory.ts.triclinic_dimensions))
    regions: list[RegionOfFrame] = [build(i) for i in range(len(geometry.build_regions(matter_z_A=(0.0, 1.0))))]
    pairs = [(species, str(element)) for element in np.unique(get_elements(universe))]
    frames = spread_frames(n_frames // 2, n_frames, most=_RDF_FRAMES)
    return compute_rdfs(universe, pairs=pairs, regions=regions, r_max_A=radius, bin_A=rdf_A[1], frames=frames)

"""Everything that is measured of an electrolyte at an electrode in one case, over its replicas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from MDAnalysis import Universe

from analysis.approach_range import (
    ApproachRange,
    Orientation,
    SurfaceCoordination,
    compute_approach_range,
    compute_orientation,
    compute_surface_coordination,
)
from analysis.density_profile import DensityProfile, combine_profiles
from analysis.equilibration import Equilibration, judge_equilibration
from analysis.ion_association import IonAssociation, compute_association
from analysis.ion_contacts import Contacts, compute_contacts
from analysis.layer_contacts import (
    LayerBinding,
    average_layer_contacts,
    compute_hydrogen_bonds,
    count_contacts,
    find_donors,
)
from analysis.rdf import RadialDistribution, combine_rdfs
from analysis.residence import Residence, compute_residence
from analysis.sites import Axis, Site, Surface, build_axis, build_sites, get_molecules
from analysis.surface_approach import SurfaceApproach, compute_surface_approach
from analysis.thermodynamics import Thermodynamics, find_worst_thermodynamics
from analysis.trajectory import get_elements
from analysis.uncertainty import Quantity, compute_replica_mean
from structures.errors import InputError

IRON_CONTACT_A = 2.6  # beyond any coordinative bond of Fe to O, short of the next neighbours


@dataclass(frozen=True)
class Ions:
    """What is measured of which species.

    Attributes:
        anion: name of the anion that is followed, e.g. "TFSI-".
        binding: element of it that binds, e.g. "O".
        cation: name of the cation.
    """

    anion: str
    binding: str
    cation: str

    @property
    def label(self) -> str:
        """Label of the site that answers."""
        return f"{self.anion} {self.binding}"


@dataclass(frozen=True, eq=False)
class InterfaceCase:
    """One case.

    Attributes:
        label: as people see it.
        approaches: what the molecules do at the surface, one for each replica.
        ranges: of first approach, one a site.
        coordination: of surface atoms by the anion; None without a cut-off.
        orientation: of the anion at the surface; None if it has no axis.
        contacts: of cations with the binding atoms of anions, one for each replica.
        association: of the ions; None without a first shell.
        residence: of anions about cations; None without contacts.
        binding: of the anion by the layer: hydrogen bonds from its amines, contacts with its iron; empty without one.
        settled: whether energy and approach have settled.
        normal_pressure_GPa: mean of the pressure along z, over the replicas; what holds rigid parts is not in it.
        thermodynamics: of the replica whose conserved energy moved most.
    """

    label: str
    approaches: tuple[SurfaceApproach, ...]
    ranges: tuple[ApproachRange, ...]
    coordination: SurfaceCoordination | None
    orientation: Orientation | None
    contacts: tuple[Contacts, ...]
    association: IonAssociation | None
    residence: Residence | None
    binding: tuple[LayerBinding, ...]
    settled: tuple[Equilibration, ...]
    normal_pressure_GPa: Quantity
    thermodynamics: Thermodynamics

    @property
    def rdfs(self) -> dict[tuple[str, str], RadialDistribution]:
        """Distributions over the replicas by site and what it is about: the surface, or of binding atoms cations."""
        first = self.approaches[0]
        about = f"surface {first.surface}"
        surface = {(label, about): combine_rdfs([one.rdfs[label] for one in self.approaches]) for label in first.rdfs}
        cation, binding = self.contacts[0].label.split(", ")
        return surface | {(binding, cation): combine_rdfs([one.rdf for one in self.contacts])}

    @property
    def profiles(self) -> tuple[DensityProfile, ...]:
        """Density profiles, over the replicas."""
        labels = self.approaches[0].profiles
        return tuple(combine_profiles([one.profiles[label] for one in self.approaches]) for label in labels)

    def to_json(self) -> dict[str, Any]:
        """The case as JSON values."""
        parts = {
            "coordination": self.coordination,
            "orientation": self.orientation,
            "association": self.association,
            "residence": self.residence,
        }
        return {
            "label": self.label,
            "replicas": len(self.approaches),
            "normalisation": self.approaches[0].normalisation,
            "rdf": [{"label": label, "about": about, **one.to_json()} for (label, about), one in self.rdfs.items()],
            "profiles": [one.to_json() for one in self.profiles],
            "approach": [one.to_json() for one in self.ranges],
            **{name: None if part is None else part.to_json() for name, part in parts.items()},
            "layer_binding": [one.to_json() for one in self.binding],
            "settled": [one.to_json() for one in self.settled],
            "normal_pressure_GPa": self.normal_pressure_GPa.to_json(),
            "thermodynamics": self.thermodynamics.to_json(),
        }


def compute_interface_case(
    universes: Sequence[Universe],
    *,
    label: str,
    surface: Surface,
    ions: Ions,
    species: Sequence[str],
    thermodynamics: Sequence[Thermodynamics],
    from_ps: float,
    cutoff_A: float,
    r_max_A: float,
    bin_A: float,
    height_bin_A: float,
    layer: str = "",
) -> InterfaceCase:
    """Measure one case over its replicas.

    Args:
        universes: one trajectory a replica, of equal atoms.
        label: as people see it.
        surface: atoms of the electrode's surface, and the slab above it.
        ions: what is followed.
        species: all that are mobile.
        thermodynamics: one table a replica.
        from_ps: since when frames count, in ps.
        cutoff_A: within which an anion coordinates a surface atom, in Å.
        r_max_A: range of the distributions, in Å.
        bin_A: their bin, in Å.
        height_bin_A: bin of the profiles, in Å.
        layer: species of the layer; empty without one.

    Raises:
        InputError: if no frame is left, or a species or element is not there.
    """
    sites = list_sites(universes[0], species=species)
    axes = find_axes(universes[0], ions=ions)
    frames_of = [find_frames(universe, from_ps=from_ps) for universe in universes]
    approaches, contacts = [], []
    for universe, frames in zip(universes, frames_of, strict=True):
        approaches.append(
            compute_surface_approach(
                universe,
                surface=surface,
                sites=sites,
                axes=axes,
                r_max_A=r_max_A,
                bin_A=bin_A,
                height_bin_A=height_bin_A,
                frames=frames,
            )
        )
        contacts.append(
            compute_contacts(
                universe,
                centres=build_sites(universe, species=ions.cation, centre=False)[0],
                binding=build_sites(universe, species=ions.anion, names=[ions.binding], centre=False)[0],
                surface=surface,
                r_max_A=min(8.0, r_max_A),
                longest_A=min(8.0, r_max_A),
                bin_A=bin_A,
                frames=frames,
            )
        )
    shell_A = combine_rdfs([one.rdf for one in contacts]).first_minimum_A
    return InterfaceCase(
        label=label,
        approaches=tuple(approaches),
        ranges=tuple(
            compute_approach_range([one.rdfs[name] for one in approaches], label=name) for name in approaches[0].rdfs
        ),
        coordination=compute_surface_coordination(approaches, label=ions.label, cutoff_A=cutoff_A),
        orientation=compute_orientation(approaches, axis=(axes[0].species, axes[0].name), within_A=cutoff_A)
        if axes
        else None,
        contacts=tuple(contacts),
        association=None if shell_A is None else compute_association(contacts, cutoff_A=shell_A),
        residence=None if shell_A is None else _find_residence(contacts, cutoff_A=shell_A),
        binding=measure_binding(universes, ions=ions, layer=layer, frames_of=frames_of, r_max_A=min(8.0, r_max_A)),
        settled=judge_settled(thermodynamics, approaches=approaches, anion=ions.anion, from_ps=from_ps),
        normal_pressure_GPa=compute_replica_mean(
            [float(one.columns["pressure_zz_GPa"][one.time_ps > from_ps].mean()) for one in thermodynamics], unit="GPa"
        ),
        thermodynamics=find_worst_thermodynamics(thermodynamics),
    )


def list_sites(universe: Universe, *, species: Sequence[str]) -> list[Site]:
    """Every element of every mobile species, but for hydrogen and carbon, and centres of mass."""
    sites = []
    for name in species:
        elements = dict.fromkeys(str(one.name) for one in build_sites(universe, species=name, centre=False))
        chosen = [element for element in elements if element not in ("C", "H")] or list(elements)
        sites += build_sites(universe, species=name, names=chosen)
    return sites


def find_axes(universe: Universe, *, ions: Ions) -> list[Axis]:
    """The axis between the two sulfurs of the anion, if it has them."""
    try:
        return [build_axis(universe, species=ions.anion, tails="S", heads="S")]
    except InputError:
        return []


def find_frames(universe: Universe, *, from_ps: float) -> slice:
    """The frames since a time.

    Raises:
        InputError: if there are none.
    """
    times = np.array([timestep.time for timestep in universe.trajectory])
    first = int(np.searchsorted(times, from_ps + 1e-6))
    if first >= times.size:
        raise InputError(
            f"The trajectory ends at {times[-1]:.3f} ps, needs frames after {from_ps:.3f} ps. Make "
            "production_ps longer."
        )
    return slice(first, None)


def measure_binding(
    universes: Sequence[Universe], *, ions: Ions, layer: str, frames_of: Sequence[slice], r_max_A: float
) -> tuple[LayerBinding, ...]:
    """What holds the anion at a layer: hydrogen bonds from N–H, and contacts with iron."""
    if not layer:
        return ()
    found = []
    atoms = np.concatenate(get_molecules(universes[0], species=layer))
    binding = build_sites(universes[0], species=ions.anion, names=[ions.binding], centre=False)[0]
    if len(donors := find_donors(universes[0], atoms=atoms)):
        bonds = [
            compute_hydrogen_bonds(one, donors=donors, acceptors=binding, frames=frames)
            for one, frames in zip(universes, frames_of, strict=True)
        ]
        found.append(average_layer_contacts(bonds))
    if "Fe" in get_elements(universes[0])[atoms]:
        iron = build_sites(universes[0], species=layer, names=["Fe"], centre=False)[0]
        contacts = [
            compute_contacts(one, centres=iron, binding=binding, r_max_A=r_max_A, frames=frames)
            for one, frames in zip(universes, frames_of, strict=True)
        ]
        found.append(average_layer_contacts([count_contacts(one, cutoff_A=IRON_CONTACT_A) for one in contacts]))
    return tuple(found)


def judge_settled(
    thermodynamics: Sequence[Thermodynamics], *, approaches: Sequence[SurfaceApproach], anion: str, from_ps: float
) -> tuple[Equilibration, ...]:
    """Whether the potential energy and the nearest distance of anions have settled."""
    kept = [one.time_ps > from_ps for one in thermodynamics]
    energies = [one.columns["potential_energy_eV"][mask] for one, mask in zip(thermodynamics, kept, strict=True)]
    times = [one.time_ps[mask] for one, mask in zip(thermodynamics, kept, strict=True)]
    nearest = [np.asarray(one.nearest_A[anion], dtype=float).min(axis=1) for one in approaches]
    found = [judge_equilibration(energies, time_ps=times, name="potential energy", unit="eV")]
    if all(np.isfinite(one).all() for one in nearest):
        name = f"distance of the nearest {anion}"
        of_frames = [one.time_ps for one in approaches]
        found.append(judge_equilibration(nearest, time_ps=of_frames, name=name, unit="Å"))
    return tuple(found)


def _find_residence(contacts: Sequence[Contacts], *, cutoff_A: float) -> Residence | None:
    try:
        return compute_residence(contacts, cutoff_A=cutoff_A)
    except InputError:  # no contacts, or too few frames: nothing to tell
        return None

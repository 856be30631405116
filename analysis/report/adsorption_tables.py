"""Tables of adsorption: species, poses, charges, work functions and d bands."""

from typing import Any

from analysis.report.formatting import format_number
from analysis.report.table import Table


def build_adsorption_tables(observables: dict[str, Any]) -> list[Table]:
    """Poses, charges, work functions, centres of d bands and species, those that are there."""
    return [*_pose_tables(observables), *_electron_tables(observables), *_species_tables(observables)]


def _species_tables(observables: dict[str, Any]) -> list[Table]:
    """What was computed for each species of a reaction."""
    species: dict[str, Any] = observables.get("species") or {}
    header = ("Species", "Formula", "Charge", "2S+1", "Energy / eV", "Gap / eV", "Largest force / eV/Å", "Geometry")
    rows = tuple(
        (
            name,
            str(one["formula"]),
            f"{one['charge']:+d}".replace("-", "−"),
            str(one["multiplicity"]),
            f"{one['energy_eV']:.4f}".replace("-", "−"),
            format_number(one["gap_eV"], digits=3),
            format_number(one["largest_force_eV_per_A"], digits=2),
            str(one["geometry"]),
        )
        for name, one in species.items()
    )
    return [Table("Species", header, rows)]


def _pose_tables(observables: dict[str, Any]) -> list[Table]:
    """Poses of each adsorbed species, the lowest first."""
    searches: dict[str, Any] = observables.get("poses") or {}
    header = ("Pose", "Above the lowest / eV", "By the ranking / eV", "What became of it", "Closest", "/ Å")
    return [
        Table(
            f"Poses of {name}: {search['n_poses']} built, {search['n_full']} by the full method",
            header,
            tuple(
                (
                    str(pose["name"]),
                    format_number(pose["above_lowest_eV"], digits=3),
                    format_number(pose["cheap_above_lowest_eV"], digits=3),
                    ": ".join(filter(None, (pose["state"], pose["reason"]))),
                    str(pose["closest_pair"]),
                    format_number(pose["closest_A"], digits=3),
                )
                for pose in search["poses"]
            ),
        )
        for name, search in searches.items()
    ]


def _electron_tables(observables: dict[str, Any]) -> list[Table]:
    """Charges of adsorbates, work functions, and centres of d bands."""
    functions: dict[str, Any] = observables.get("work_functions") or {}
    bands: dict[str, Any] = observables.get("band_centres") or {}
    rows = tuple(
        (name, *(format_number(one[key], digits=3) for key in ("upper_eV", "lower_eV", "flatness_eV")))
        for name, one in functions.items()
    )
    charges: dict[str, Any] = observables.get("adsorbate_charges") or {}
    of_adsorbates = tuple(
        (name, *(format_number(one.get(key), digits=2) for key in ("hirshfeld_e", "bader_e")))
        for name, one in charges.items()
    )
    centres = tuple((name, format_number(one["centre_eV"], digits=3)) for name, one in bands.items() if one)
    return [
        Table("Charges of adsorbates", ("Species", "Hirshfeld / e", "Bader / e"), of_adsorbates),
        Table("Work functions", ("Slab", "Upper face / eV", "Lower face / eV", "Vacuum flat to / eV"), rows),
        Table("Centres of d bands", ("Species", "From the Fermi level / eV"), centres),
    ]

"""The method section of a run of `tfsi-adsorption`."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.reaction_energy import ReactionEnergy
from workflows.adsorption_sums import FoundEnergies
from workflows.adsorption_surfaces import MOLECULES, describe_surfaces
from workflows.calculators.cp2k_installation import POTENTIAL
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig


def describe_methods(
    config: TfsiAdsorptionConfig,
    *,
    settings: Mapping[str, Any],
    reactions: Sequence[ReactionEnergy],
    found: FoundEnergies,
) -> tuple[str, ...]:
    """Paragraphs for a method section."""
    kinds = {step.kind for steps in found.steps for step in steps}
    geometry = describe_geometry(config, settings=settings, has_slabs="adsorption" in kinds)
    paragraphs = [describe_code(config, settings=settings), geometry]
    if "adsorption" in kinds:
        paragraphs.append(describe_slabs(config, settings=settings, found=found))
    if found.surfaces:
        paragraphs.append(describe_surface_energies(config, found=found))
    if found.searches:
        paragraphs.append(describe_poses(config, found=found))
    return (" ".join(paragraphs), describe_sums(reactions, kinds=kinds))


def describe_code(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any]) -> str:
    """What the energies were computed with."""
    if config.calculator.name == "gpaw":
        expansion = {
            "fd": f"on a real-space grid with a spacing of {settings['spacing_A']:g} Å",
            "lcao": f"in atomic orbitals ({settings['basis']}) with a grid spacing of {settings['spacing_A']:g} Å",
        }[str(settings["mode"])]
        how = (
            f"Energies were computed with the projector augmented-wave method as implemented in GPAW, {expansion}. All "
            f"molecules were put in the middle of one box with open boundaries, at least {config.geometry.vacuum_A:g} "
            "Å from its walls; the monopole, dipole and quadrupole of the density were taken out of the Poisson "
            "equation and added back in closed form."
        )
    elif config.calculator.name == "cp2k":
        solver = "WAVELET" if settings["poisson_solver"] == "auto" else settings["poisson_solver"]
        how = (
            f"Energies were computed with Gaussian basis sets ({settings['basis']}), {POTENTIAL} pseudopotentials and "
            f"plane waves for the density up to {settings['density_cutoff_Ry']:g} Ry as implemented in CP2K. All "
            f"molecules were put in the middle of one box, at least {config.geometry.vacuum_A:g} Å from its walls, "
            f"with open boundaries ({solver} Poisson solver)."
        )
    elif config.calculator.name == "xtb":
        return f"Energies were computed by tight binding ({settings['hamiltonian']}) as implemented in tblite."
    else:
        how = f"Energies were computed with Gaussian basis sets ({settings['basis']}) as implemented in PySCF."
    dispersion = {"none": "No dispersion correction was added", "d3zero": "D3 dispersion with zero damping was added"}
    d3 = dispersion.get(str(settings["dispersion"]), "D3 dispersion with Becke-Johnson damping was added")
    return f"{how} The functional was {settings['xc']}. {d3}."


def describe_geometry(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any], has_slabs: bool) -> str:
    """Where the geometries are from."""
    if not config.geometry.relax:
        return "Geometries were taken as given."
    in_plane_waves = (
        f"in plane waves up to {settings.get('cutoff_eV', 0):g} eV in a box of its own, with periodic images,"
    )
    where = in_plane_waves if settings.get("mode") == "fd" else "with the same method"
    by = config.geometry.calculator
    if by is not None:
        changed = ", ".join(f"{name} {value}" for name, value in by.overrides.items())
        where = f"by another method, {by.name} with protocol {by.protocol}{f' ({changed})' if changed else ''},"
    tolerance = f"{config.geometry.force_tolerance_eV_per_A:g} eV/Å"
    return f"Each molecule{' and slab' if has_slabs else ''} was relaxed {where} until forces were below {tolerance}."


def describe_slabs(config: TfsiAdsorptionConfig, *, settings: Mapping[str, Any], found: FoundEnergies) -> str:
    """How slabs were computed."""
    step = next(step for steps in found.steps for step in steps if step.kind == "adsorption")
    own = {**settings, **step.settings}
    expansion = f"plane waves up to {own['cutoff_eV']:g} eV" if own.get("mode") == "pw" else "atomic orbitals"
    divisions = " x ".join(str(number) for number in own["k_points"][:2])
    relaxed = ", relaxed with their lower planes fixed," if config.geometry.relax else ""
    slabs = [
        f"{one.name} ({one.source})" for one in found.species.values() if one.atoms.pbc.any() and "@" not in one.name
    ]
    return (
        f"Slabs{relaxed} were {'; '.join(slabs)}. Their energies, and those of molecules that lie on them, were "
        f"computed in {expansion} with {divisions} k-points ({step.terms[0].name}) that include Γ, a Fermi-Dirac width "
        f"of {own['smearing_eV']:g} eV and a dipole correction along the normal, all in one cell."
        + (" Energies have −TS of the smearing in them." if config.calculator.name == "cp2k" else "")
    )


def describe_surface_energies(config: TfsiAdsorptionConfig, *, found: FoundEnergies) -> str:
    """How surface energies were computed."""
    first = (
        f"Surface energies of {', '.join(one.name for one in found.surfaces)} are γ = (E_slab − n E_crystal) / 2A, "
        "crystals at the lattice constant of the slab, by the method of the slabs, with k-points that include Γ and "
        f"divisions times length of at least 20 Å ({'; '.join(describe_surfaces(found.surfaces))})."
    )
    said = [first]
    if config.geometry.relax and any(one.n_relaxed == 1 for one in found.surfaces):
        said.append(
            "Where the lower planes were held, γ is that of the slab as cut, to which (E_relaxed − E_cut) / A of the "
            "upper face was added."
        )
    exchanged = dict.fromkeys(one.reservoir for one in found.surfaces if one.reservoir is not None)
    if exchanged:
        references = dict.fromkeys(element for one in found.surfaces for element in one.references)
        molecules = [f"{element}2" for element in references if element in MOLECULES]
        metals = [element for element in references if element not in MOLECULES]
        boxes = f"molecules in a periodic box ({', '.join(molecules)})" if molecules else ""
        lattices = f"metals with ASE's lattice and lattice constant ({', '.join(metals)})" if metals else ""
        said.append(
            "Of slabs that are not composed as their crystal, the excess comes from a reservoir, γ(Δμ) = [E_slab − n "
            f"E_crystal − N_excess (μ + Δμ)] / 2A (Reuter and Scheffler, 10.1103/PhysRevB.65.035406), Δμ of "
            f"{' and '.join(str(one) for one in exchanged)} from where the crystal falls apart, by its computed energy "
            f"of formation, to 0. The elements were {' and '.join(filter(None, (boxes, lattices)))}, without "
            "zero-point and thermal parts."
        )
    if any(one.slab.checks for one in found.surfaces):
        said.append(
            "The error of γ is the sum of the sizes of its shifts by the checks of the slab, in which crystal and "
            "reservoir take part; the energy of relaxation is taken not to shift."
        )
    return " ".join(said)


def describe_poses(config: TfsiAdsorptionConfig, *, found: FoundEnergies) -> str:
    """How poses were found."""
    counts = "; ".join(f"{len(search.poses)} of {name}" for name, search in found.searches.items())
    best = f"the best {config.poses.keep} taken to the full method"
    ranking = (
        f"ranked by their energies in a small basis, and {best}"
        if config.poses.screening == "small-basis"
        else f"relaxed and ranked by tight binding (GFN2-xTB), and {best}"
        if config.poses.screening == "xtb"
        else "all of which were taken to the full method"
    )
    return (
        "Poses were built at the sites that the symmetry of the substrate tells apart, with up to "
        f"{config.poses.orientations} orientations spread evenly over all rotations ({counts}; those with overlaps and "
        f"doubles left out), {ranking}."
    )


def describe_sums(reactions: Sequence[ReactionEnergy], *, kinds: set[str]) -> str:
    """What was subtracted from what, and how the numerical error was found."""
    sums = [f"{reaction.statement}." for reaction in reactions]
    if "joining" in kinds:
        sums.append(
            "Where reactants join to one product, they were computed where they lie in it, so that the error of the "
            "grid cancels, and what it costs to bend them into that shape was computed by the method of relaxations."
        )
    if "charging" in kinds:
        sums.append(
            "An ion took part as a neutral species in the cell of the slab, and as an electron; what its charge costs "
            "was computed in open boundaries."
        )
    sums.append(
        "The numerical error is the sum of the sizes of the shifts of ΔE when each numerical parameter is made worse "
        "in turn (k-points: denser); the error of the functional, zero-point energies and entropies are not in it."
    )
    return " ".join(sums)

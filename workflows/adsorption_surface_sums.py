"""From the energies of clean slabs, their crystals and reservoirs to surface energies."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.reaction_energy import check_one_method
from analysis.results import ResultWarning
from analysis.surface_energy import (
    J_PER_M2,
    SurfaceEnergy,
    add_checks,
    add_relaxation,
    compute_surface_energy,
)
from structures.errors import InputError
from workflows.adsorption_cells import BASE, Variant
from workflows.adsorption_steps import Step, label
from workflows.adsorption_sums import build_quantity, read_energy
from workflows.adsorption_surfaces import MAGNETIC, MOLECULES, CleanSurface, explain_left_out
from workflows.configuration.tfsi_adsorption import TfsiAdsorptionConfig
from workflows.jobs.store import Finished

N_POINTS = 11  # of the line
NOISE_EV = 0.001
_OF_CELL = ("cell_A", "periodic", "k_points")  # what crystal, molecule and slab need not have in common


def sum_up_surfaces(
    config: TfsiAdsorptionConfig, *, surfaces: Iterable[CleanSurface], energies: Mapping[str, Finished]
) -> tuple[dict[str, Any], list[ResultWarning]]:
    """The surface energy of each clean slab as JSON values, and what a reader must know of them."""
    found, warnings = {}, []
    for name, reason in explain_left_out(config).items():
        warnings.append(ResultWarning("amber", f"{name}: no surface energy: {reason}."))
    for one in surfaces:
        try:
            surface = sum_up_surface(one, energies=energies)
        except InputError as error:
            warnings.append(ResultWarning("amber", f"{one.name}: no surface energy: {error}"))
            continue
        found[one.name] = describe_surface(one, surface=surface, energies=energies)
        warnings += judge_surface(one, surface=surface, energies=energies)
    return found, warnings


def judge_surface(
    one: CleanSurface, *, surface: SurfaceEnergy, energies: Mapping[str, Finished]
) -> list[ResultWarning]:
    """What speaks against a surface energy."""
    texts = []
    lowest = float(surface.gamma_J_per_m2.min())
    if lowest < 0:
        texts.append(
            f"its surface energy goes down to {lowest:.2f} J/m²; below 0 the crystal would fall into slabs. Likely the "
            "k-points of the slab are too few, or it is too thin. Set substrates.….k_points higher, or layers."
        )
    change_eV = find_relaxation(one, energies=energies)
    if change_eV > NOISE_EV:
        texts.append(
            f"relaxed it lies {change_eV:.3f} eV above the slab as cut, so that its surface energy is too high."
        )
    magnetic = [element for element in one.formula if element in MAGNETIC]
    if magnetic:
        texts.append(f"its surface energy is without magnetism, which {', '.join(magnetic)} may have.")
    return [ResultWarning("amber", f"{one.name}: {text}") for text in texts]


def sum_up_surface(one: CleanSurface, *, energies: Mapping[str, Finished]) -> SurfaceEnergy:
    """γ(Δμ) of a slab with its numerical error, from where the crystal falls apart to where the reservoir does.

    Raises:
        InputError: if the energies are not of one method, or the crystal lies above its elements.
    """
    check_methods(one, energies=energies)
    delta_mu_eV = np.zeros(1)
    if one.reservoir is not None:
        lowest_eV = find_formation_energy(one, energies=energies) / one.formula[one.reservoir]
        delta_mu_eV = np.linspace(lowest_eV, 0.0, N_POINTS)
    answer = sum_variant(one, variant=BASE, delta_mu_eV=delta_mu_eV, energies=energies)
    worse = [
        (check.name, check.change, sum_variant(one, variant=check, delta_mu_eV=delta_mu_eV, energies=energies))
        for check in one.slab.checks
    ]
    return add_checks(answer, worse=worse)


def sum_variant(
    one: CleanSurface, *, variant: Variant, delta_mu_eV: NDArray[np.float64], energies: Mapping[str, Finished]
) -> SurfaceEnergy:
    """γ(Δμ) with one numerical parameter made worse, or as asked for.

    What relaxation changes is a difference of two like geometries, and is taken as it is in the answer.
    """
    change_eV = find_relaxation(one, energies=energies)
    crystal = count_atoms(one.bulk) // sum(one.formula.values())
    reference_eV = None
    if one.reservoir is not None:
        reference_eV = find_atom_energy(one, element=one.reservoir, variant=variant, energies=energies)
    as_cut = compute_surface_energy(
        find_energy(one.slab, variant=variant, energies=energies) - change_eV,
        name=one.name,
        counts=one.slab.terms[0].species.atoms.symbols.formula.count(),
        formula=one.formula,
        area_A2=one.area_A2,
        is_symmetric=True,
        bulk_energy_per_formula_eV=find_energy(one.bulk, variant=variant, energies=energies) / crystal,
        reservoir=one.reservoir,
        reference_energy_eV=reference_eV,
        delta_mu_eV=delta_mu_eV,
        formation_energy_eV=None if one.reservoir is None else find_formation_energy(one, energies=energies),
    )
    return add_relaxation(as_cut, energy_change_eV=change_eV, n_relaxed=one.n_relaxed)


def find_energy(step: Step, *, variant: Variant, energies: Mapping[str, Finished]) -> float:
    """Energy of the only term of a step, in eV; that of the answer if the step takes no part in the check."""
    own = BASE if variant.name not in step.cells else variant
    return read_energy(energies[label(step.terms[0].name, variant=own)]).energy_eV


def find_relaxation(one: CleanSurface, *, energies: Mapping[str, Finished]) -> float:
    """E_relaxed − E_cut of the slab, in eV; 0 if nothing was relaxed."""
    if not one.cut.terms:
        return 0.0
    return find_energy(one.slab, variant=BASE, energies=energies) - find_energy(
        one.cut, variant=BASE, energies=energies
    )


def find_atom_energy(one: CleanSurface, *, element: str, variant: Variant, energies: Mapping[str, Finished]) -> float:
    """Energy of an atom of an element in its reference, in eV."""
    step = one.references[element]
    return find_energy(step, variant=variant, energies=energies) / count_atoms(step)


def find_formation_energy(one: CleanSurface, *, energies: Mapping[str, Finished]) -> float:
    """Energy of a formula unit of the crystal less that of its elements, in eV.

    Raises:
        InputError: if it is not negative.
    """
    n_formulas = count_atoms(one.bulk) // sum(one.formula.values())
    elements_eV = sum(
        number * find_atom_energy(one, element=element, variant=BASE, energies=energies)
        for element, number in one.formula.items()
    )
    formation_eV = find_energy(one.bulk, variant=BASE, energies=energies) / n_formulas - elements_eV
    if formation_eV >= 0:
        raise InputError(
            f"the formation energy of its crystal comes out at {formation_eV:.3f} eV, needs less than 0: there is no "
            "chemical potential at which it exists. Set a finer basis or grid."
        )
    return formation_eV


def count_atoms(step: Step) -> int:
    """Atoms in the cell of the only term of a step."""
    return len(step.terms[0].species.atoms)


def check_methods(one: CleanSurface, *, energies: Mapping[str, Finished]) -> None:
    """Check that all energies agree in what does not go with the cell.

    Raises:
        InputError: names two that do not.
    """
    methods = {}
    for step in one.steps:
        for term in step.terms:
            method = dict(energies[term.name].values["method"])
            resolution = {key: value for key, value in method["resolution"].items() if key != "grid_points"}
            kept = {key: value for key, value in method.items() if key not in _OF_CELL}
            methods[term.name] = kept | {"resolution": resolution}
    check_one_method(methods, reaction=f"surface energy of {one.name}")


def describe_surface(one: CleanSurface, *, surface: SurfaceEnergy, energies: Mapping[str, Finished]) -> dict[str, Any]:
    """A surface energy and what it is made of, as JSON values."""
    document: dict[str, Any] = {"label": one.name}
    error = surface.uncertainty_eV_per_A2
    unchecked = f"{' and '.join(one.slab.unchecked)} not varied" if one.slab.unchecked else ""
    verdict = "numerical error not estimated" if error is None else unchecked

    def quantify(index: int, *, where: str) -> dict[str, Any]:
        return build_quantity(
            float(surface.gamma_J_per_m2[index]),
            unit="J/m²",
            uncertainty=None if error is None else error * J_PER_M2,
            verdict=verdict,
            method=f"γ {where}{describe_relaxation(one)}",
        )

    if one.reservoir is None:
        document["gamma"] = quantify(0, where="of a slab composed as its crystal")
    else:
        reference, other = name_reference(one.reservoir), next(name for name in one.formula if name != one.reservoir)
        lowest = f"{surface.delta_mu_eV[0]:.2f}".replace("-", "−")
        document["poor"] = quantify(0, where=f"at Δμ({one.reservoir}) = {lowest} eV, where {other} falls out")
        document["rich"] = quantify(-1, where=f"at Δμ({one.reservoir}) = 0, in equilibrium with {reference}")
        document["reference"] = reference
        document["formation_energy_eV"] = find_formation_energy(one, energies=energies)
    return {
        **document,
        **surface.to_json(),
        "formula": dict(one.formula),
        "relaxation_eV": find_relaxation(one, energies=energies),
        "n_relaxed_faces": one.n_relaxed if one.cut.terms else 0,
        "verdict": verdict,
    }


def describe_relaxation(one: CleanSurface) -> str:
    """Which faces were relaxed, in words."""
    if not one.cut.terms:
        return ", as cut"
    return ", the upper face relaxed" if one.n_relaxed == 1 else ", both faces relaxed"


def name_reference(element: str) -> str:
    """Where Δμ of an element is zero, in words."""
    return f"{element}₂" if element in MOLECULES else f"the crystal of {element}"

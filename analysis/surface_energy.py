"""Surface energy of a slab against the chemical potential of an element that it can exchange with a reservoir."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ase import units
from numpy.typing import NDArray

from structures.errors import InputError

J_PER_M2 = 1 / (units.J / units.m**2)  # one eV/Å² in J/m²: 16.02
N_FACES = 2
_NOT_IN_IT = "the functional's own error is not in it"
_BY_ERRORS = f"errors of the energies of slab and crystal, added in size, over both faces; {_NOT_IN_IT}"
_BY_CHECKS = f"sum of the sizes of the shifts when each numerical parameter is made worse in turn; {_NOT_IN_IT}"


@dataclass(frozen=True)
class SurfaceShift:
    """How a surface energy moves when one numerical parameter is made worse.

    Attributes:
        name: what is varied: cut-off, vacuum, k-points.
        change: in words.
        shift_eV_per_A2: γ there minus the answer, at one and the same Δμ, in eV/Å²; it does not depend on Δμ.
    """

    name: str
    change: str
    shift_eV_per_A2: float


@dataclass(frozen=True, eq=False, kw_only=True)
class SurfaceEnergy:
    """Surface energy γ(Δμ) of a slab with two equal faces; a straight line in Δμ.

    Attributes:
        name: of the surface.
        reservoir: the element that is exchanged; None if the slab is of one element.
        excess: atoms of it in the slab beyond what the crystal holds for the other element.
        area_A2: of one face, in Å².
        delta_mu_eV: chemical potentials of the reservoir above its reference, shape (n,), in eV.
        gamma_eV_per_A2: surface energies there, shape (n,), in eV/Å².
        uncertainty_eV_per_A2: numerical error by the errors of the energies; None if these are not known.
        allowed_delta_mu_eV: where the crystal exists: lower and upper limit, in eV; None without a formation energy.
        shifts: one entry for each numerical parameter that was varied.
        how_estimated: the uncertainty, in words.
    """

    name: str
    reservoir: str | None
    excess: float
    area_A2: float
    delta_mu_eV: NDArray[np.float64]
    gamma_eV_per_A2: NDArray[np.float64]
    uncertainty_eV_per_A2: float | None = None
    allowed_delta_mu_eV: tuple[float, float] | None = None
    shifts: tuple[SurfaceShift, ...] = ()
    how_estimated: str = _BY_ERRORS

    @property
    def gamma_J_per_m2(self) -> NDArray[np.float64]:
        """Surface energies, shape (n,), in J/m²."""
        return self.gamma_eV_per_A2 * J_PER_M2

    @property
    def slope_per_A2(self) -> float:
        """dγ/dΔμ: minus the excess on one face over its area (Gibbs), in 1/Å²."""
        return 0.0 - self.excess / (N_FACES * self.area_A2)

    def to_json(self) -> dict[str, Any]:
        """JSON values for `results.json`."""
        return {
            "name": self.name,
            "reservoir": self.reservoir,
            "excess": self.excess,
            "area_A2": self.area_A2,
            "delta_mu_eV": self.delta_mu_eV.tolist(),
            "gamma_eV_per_A2": self.gamma_eV_per_A2.tolist(),
            "gamma_J_per_m2": self.gamma_J_per_m2.tolist(),
            "slope_per_A2": self.slope_per_A2,
            "uncertainty_eV_per_A2": self.uncertainty_eV_per_A2,
            "allowed_delta_mu_eV": None if self.allowed_delta_mu_eV is None else list(self.allowed_delta_mu_eV),
            "errors": [asdict(shift) for shift in self.shifts],
            "how_estimated": self.how_estimated,
        }


def compute_surface_energy(
    slab_energy_eV: float,
    *,
    name: str,
    counts: Mapping[str, int],
    formula: Mapping[str, int],
    area_A2: float,
    is_symmetric: bool,
    bulk_energy_per_formula_eV: float,
    reservoir: str | None = None,
    reference_energy_eV: float | None = None,
    delta_mu_eV: Sequence[float] | NDArray[np.float64] = (0.0,),
    formation_energy_eV: float | None = None,
    energy_errors_eV: tuple[float, float] | None = None,
) -> SurfaceEnergy:
    """γ(Δμ) = [E_slab − n E_bulk − excess (μ_ref + Δμ)] / 2A, with n formula units in the slab.

    The element that is not exchanged tells n, and the excess is what the reservoir adds to these units. Both faces must
    be equal, and relaxed alike or not at all. All energies are of one method.

    Args:
        slab_energy_eV: of the slab.
        name: of the surface.
        counts: atoms of each element in the slab.
        formula: atoms of each element in a formula unit of the crystal; with a reservoir two elements.
        area_A2: of one face, in Å².
        is_symmetric: both faces are the same.
        bulk_energy_per_formula_eV: of the crystal.
        reservoir: element that is exchanged; needed if the slab is not composed as the crystal.
        reference_energy_eV: μ_ref, energy of an atom of the reservoir in its reference, such as half of N2.
        delta_mu_eV: chemical potentials above the reference, shape (n,), in eV; at most 0 in equilibrium with it.
        formation_energy_eV: of a formula unit of the crystal from its elements; for the limits of Δμ.
        energy_errors_eV: numerical errors of the slab's energy and of the crystal's per formula unit.

    Raises:
        InputError: if faces differ, elements do not fit, or the reservoir or its energy is missing.

    Source: Reuter & Scheffler 2001, doi:10.1103/PhysRevB.65.035406.
    """
    _check_slab(name, counts=counts, formula=formula, area_A2=area_A2, is_symmetric=is_symmetric)
    limiting = next(element for element in formula if element != reservoir or len(formula) == 1)
    n_formulas = counts[limiting] / formula[limiting]
    excess = _compute_excess(name, counts=counts, formula=formula, reservoir=reservoir)
    if excess and reference_energy_eV is None:
        raise InputError(f"{name} has {excess:+g} {reservoir} in excess, needs reference_energy_eV of it. Give it.")
    exchanged_eV = excess * ((reference_energy_eV or 0.0) + np.asarray(delta_mu_eV, dtype=float))
    gamma = (slab_energy_eV - n_formulas * bulk_energy_per_formula_eV - exchanged_eV) / (N_FACES * area_A2)
    error = None
    if energy_errors_eV is not None:
        error = (abs(energy_errors_eV[0]) + n_formulas * abs(energy_errors_eV[1])) / (N_FACES * area_A2)
    return SurfaceEnergy(
        name=name,
        reservoir=reservoir,
        excess=excess,
        area_A2=area_A2,
        delta_mu_eV=np.asarray(delta_mu_eV, dtype=float),
        gamma_eV_per_A2=gamma,
        uncertainty_eV_per_A2=error,
        allowed_delta_mu_eV=_find_limits(formation_energy_eV, formula=formula, reservoir=reservoir),
    )


def add_relaxation(as_cut: SurfaceEnergy, *, energy_change_eV: float, n_relaxed: int) -> SurfaceEnergy:
    """γ = γ_cut + (E_relaxed − E_cut) / (n A): only n faces of the slab moved, the planes at the others were held.

    Half of the relaxed slab's excess energy would be the mean of a relaxed face and one that is as cut.

    Args:
        as_cut: of the slab with all atoms where the crystal has them.
        energy_change_eV: E_relaxed − E_cut of the slab.
        n_relaxed: faces that moved, 1 or 2.

    Raises:
        InputError: if the number of faces is neither.
    """
    if n_relaxed not in (1, N_FACES):
        raise InputError(f"n_relaxed is {n_relaxed}, needs 1 or {N_FACES}: a slab has two faces.")
    return replace(as_cut, gamma_eV_per_A2=as_cut.gamma_eV_per_A2 + energy_change_eV / (n_relaxed * as_cut.area_A2))


def add_checks(answer: SurfaceEnergy, *, worse: Sequence[tuple[str, str, SurfaceEnergy]]) -> SurfaceEnergy:
    """The surface energy with its numerical error, if anything was varied.

    Args:
        answer: with all numerical parameters as asked for.
        worse: name of a parameter, what was changed in words, and the surface energy with that at the same Δμ.

    Raises:
        InputError: if the chemical potentials are not the same.
    """
    for name, _, one in worse:
        if not np.array_equal(one.delta_mu_eV, answer.delta_mu_eV):
            raise InputError(
                f"{answer.name}: delta_mu_eV of the {name} check is {one.delta_mu_eV.tolist()}, needs that of the "
                f"answer, {answer.delta_mu_eV.tolist()}. Give both the same."
            )
    shifts = tuple(
        SurfaceShift(name, change, float((one.gamma_eV_per_A2 - answer.gamma_eV_per_A2)[0]))
        for name, change, one in worse
    )
    if not shifts:
        return answer
    total = sum(abs(shift.shift_eV_per_A2) for shift in shifts)
    return replace(answer, uncertainty_eV_per_A2=total, shifts=shifts, how_estimated=_BY_CHECKS)


def _find_limits(
    formation_energy_eV: float | None, *, formula: Mapping[str, int], reservoir: str | None
) -> tuple[float, float] | None:
    """Δμ from where the other element would fall out to where the reservoir's reference would, in eV."""
    if formation_energy_eV is None or reservoir is None:
        return None
    if formation_energy_eV >= 0:
        raise InputError(
            f"formation_energy_eV is {formation_energy_eV:g}, needs less than 0: the crystal would fall into its "
            "elements. Check its sign, or leave it out."
        )
    return formation_energy_eV / formula[reservoir], 0.0


def _compute_excess(
    name: str, *, counts: Mapping[str, int], formula: Mapping[str, int], reservoir: str | None
) -> float:
    """Atoms of the reservoir beyond what the crystal holds for the other element; 0 for one element."""
    if reservoir is None:
        ratios = {counts[element] / formula[element] for element in formula}
        if len(ratios) > 1:
            raise InputError(
                f"{name} holds {dict(counts)}, not composed as {dict(formula)}, needs a reservoir: name one of "
                f"{', '.join(formula)}."
            )
        return 0.0
    if reservoir not in formula or len(formula) != 2:  # noqa: PLR2004 (the other one tells how much crystal there is)
        raise InputError(
            f"reservoir is {reservoir!r}, needs one of two elements of the crystal {dict(formula)}; leave it out for "
            "a crystal of one element, and for a slab composed as the crystal."
        )
    limiting = next(element for element in formula if element != reservoir)
    return counts[reservoir] - counts[limiting] / formula[limiting] * formula[reservoir]


def _check_slab(
    name: str, *, counts: Mapping[str, int], formula: Mapping[str, int], area_A2: float, is_symmetric: bool
) -> None:
    if not is_symmetric:
        raise InputError(
            f"{name} has two different faces, so that its energy is not twice that of one. Take a number of planes "
            "that makes the slab symmetric."
        )
    if area_A2 <= 0:
        raise InputError(f"area_A2 of {name} is {area_A2:g}, needs more than 0 Å².")
    if not formula or set(counts) != set(formula) or min(*counts.values(), *formula.values()) < 1:
        raise InputError(
            f"{name} holds {dict(counts)} and the crystal {dict(formula)}, needs the same elements in both."
        )

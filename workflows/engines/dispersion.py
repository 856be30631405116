"""D3 dispersion beside a density functional: its energy is kept apart, since it is part of the answer."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator, all_changes
from ase.calculators.mixing import SumCalculator

from structures.ghosts import find_ghosts
from workflows.installation import find_missing_modules


def add_dispersion(calculator: BaseCalculator, *, settings: Mapping[str, Any]) -> BaseCalculator:
    """The calculator itself, or its sum with D3 for the same functional.

    Source:
        10.1063/1.3382344 (D3, zero damping), 10.1002/jcc.21759 (Becke-Johnson damping)
    """
    if settings["dispersion"] == "none":
        return calculator
    from dftd3.ase import DFTD3

    d3 = DFTD3(method=settings["xc"], damping=settings["dispersion"])
    return SumCalculator([calculator, RealAtomsCalculator(d3)])


def has_dispersion_parameters(settings: Mapping[str, Any]) -> bool:
    """Whether there are parameters for the functional; also true without dispersion, or without D3 to ask."""
    if settings.get("dispersion", "none") == "none" or find_missing_modules(["dftd3"]):
        return True
    from dftd3.interface import RationalDampingParam, ZeroDampingParam

    kind = {"d3zero": ZeroDampingParam, "d3bj": RationalDampingParam}[settings["dispersion"]]
    try:
        kind(method=settings["xc"])  # type: ignore[no-untyped-call]
    except RuntimeError:  # "No entry for … present"
        return False
    return True


class RealAtomsCalculator(Calculator):
    """A calculator that sees no ghosts; the forces on them are zero."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as ASE declares it)

    def __init__(self, calculator: BaseCalculator) -> None:
        """Take the calculator of the real atoms."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.calculator = calculator

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and forces of the real atoms."""
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        whole = cast("Atoms", self.atoms)
        is_real = ~find_ghosts(whole)
        real = whole[is_real]
        real.calc = self.calculator
        forces = np.zeros((len(whole), 3))
        forces[is_real] = real.get_forces(apply_constraint=False)
        self.results = {"energy": float(real.get_potential_energy()), "forces": forces}


def split_dispersion(atoms: Atoms) -> tuple[float, float | None]:
    """Energy with dispersion, and the dispersion's part of it; None if there is none."""
    energy_eV = float(atoms.get_potential_energy())
    if not isinstance(atoms.calc, SumCalculator):
        return energy_eV, None
    return energy_eV, float(atoms.calc.mixer.calcs[1].get_potential_energy(atoms))

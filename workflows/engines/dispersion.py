"""D3 dispersion beside a density functional: its energy is kept apart, since it is part of the answer."""

from collections.abc import Mapping
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.mixing import SumCalculator


def add_dispersion(calculator: BaseCalculator, *, settings: Mapping[str, Any]) -> BaseCalculator:
    """The calculator itself, or its sum with D3 for the same functional.

    Source:
        10.1063/1.3382344 (D3, zero damping), 10.1002/jcc.21759 (Becke-Johnson damping)
    """
    if settings["dispersion"] == "none":
        return calculator
    from dftd3.ase import DFTD3

    return SumCalculator([calculator, DFTD3(method=settings["xc"], damping=settings["dispersion"])])


def split_dispersion(atoms: Atoms) -> tuple[float, float | None]:
    """Energy with dispersion, and the dispersion's part of it; None if there is none."""
    energy_eV = float(atoms.get_potential_energy())
    if not isinstance(atoms.calc, SumCalculator):
        return energy_eV, None
    return energy_eV, float(atoms.calc.mixer.calcs[1].get_potential_energy(atoms))

"""CHGNet, the pre-trained universal potential; it comes with the extra `mlip`.

Source: Deng et al., Nat. Mach. Intell. 5 (2023) 1031, doi:10.1038/s42256-023-00716-3.
"""

from functools import cache
from typing import Any

from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from structures.errors import SetupError
from workflows.installation import install_command

EXTRA = "mlip"
_LAST_NUMBER = 94
_ABSENT_FROM_TRAINING = ("Po", "At", "Rn", "Fr", "Ra")
ELEMENTS = tuple(name for name in chemical_symbols[1 : _LAST_NUMBER + 1] if name not in _ABSENT_FROM_TRAINING)


@cache
def _load_model() -> Any:  # noqa: ANN401  chgnet publishes no types
    try:
        from chgnet.model import CHGNet
    except ImportError as error:
        raise SetupError(f"calculator chgnet is not installed here: {install_command(extra=EXTRA)}") from error
    return CHGNet.load(use_device="cpu", verbose=False)


def build_chgnet_calculator(*, threads: int = 1) -> Calculator:
    """A fresh calculator on the CPU; the model's weights are loaded once a process.

    Raises:
        SetupError: if the extra is not installed.
    """
    model = _load_model()
    import torch
    from chgnet.model import CHGNetCalculator

    torch.set_num_threads(threads)
    calculator: Calculator = CHGNetCalculator(model=model, use_device="cpu", on_isolated_atoms="ignore")
    return calculator

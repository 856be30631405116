"""Any ASE calculator by import path; it runs the user's own code, so it must be asked for."""

import importlib
from collections.abc import Callable
from typing import Any

from ase.calculators.calculator import BaseCalculator

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec


def build_calculator_from_path(spec: CalculatorSpec) -> BaseCalculator:
    """Call the factory that `overrides` names as `package.module:factory`, with `overrides.arguments`.

    Raises:
        InputError: if `trust_code` is not true, the path leads nowhere, or the factory gives no calculator.
    """
    path = spec.overrides.get("factory")
    if not isinstance(path, str) or path.count(":") != 1:
        raise InputError(
            f"calculator ase: factory is {path!r}, needs 'package.module:factory', e.g. 'ase.calculators.emt:EMT'."
        )
    if spec.overrides.get("trust_code") is not True:
        raise InputError(
            f"calculator ase runs the code of {path}. If you trust it, set overrides: {{trust_code: true}}."
        )
    try:
        calculator = _find_factory(path)(**spec.overrides.get("arguments", {}))
    except TypeError as error:
        raise InputError(f"calculator ase: {path} does not take overrides.arguments: {error}") from error
    if not isinstance(calculator, BaseCalculator):
        raise InputError(f"calculator ase: {path} gave a {type(calculator).__name__}, needs an ASE calculator.")
    return calculator


def _find_factory(path: str) -> Callable[..., Any]:
    module_name, _, name = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"calculator ase: {path} cannot be imported: {error}. Is it installed here?") from error
    if not callable(factory):
        raise InputError(f"calculator ase: {path} is no function or class.")
    return factory  # type: ignore[no-any-return]

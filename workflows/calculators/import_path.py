"""Any ASE calculator by import path; it runs the user's own code, so it must be asked for."""

import importlib
from collections.abc import Callable
from typing import Any

from ase.calculators.calculator import BaseCalculator

from structures.errors import InputError, SetupError
from workflows.calculators.spec import CalculatorSpec
from workflows.calculators.user_code import identify_code
from workflows.calculators.wording import IN_PYTHON, Wording

OVERRIDES = {
    "factory": "package.module:factory, for potential",
    "trust_code": "true: its code may run",
    "arguments": "what the factory is called with, e.g. {sigma: 3.4}",
}


def check_import_path(spec: CalculatorSpec, *, wording: Wording = IN_PYTHON) -> str:
    """Check that a factory is there, is trusted and is the code that the spec was made with; runs none of it.

    Returns:
        The factory, `package.module:factory`.

    Raises:
        InputError: if a setting is wrong.
        SetupError: if the code is not trusted, not here, or another one here.
    """
    path, arguments = spec.overrides.get("factory"), spec.overrides.get("arguments", {})
    now = identify_code(path if isinstance(path, str) else repr(path))
    if spec.overrides.get("trust_code") is not True:
        raise SetupError(
            f"calculator ase runs the code of {path}. If you trust it: {wording.set('trust_code', 'true')}"
        )
    if not isinstance(arguments, dict):
        fix = wording.set("arguments", "{sigma: 3.4}")
        raise InputError(f"{wording.name('arguments')} is {arguments!r}, needs names with values. E.g. {fix}")
    if spec.code and now != spec.code:
        raise SetupError(
            f"calculator ase: the code of {path} is {_show(now)} here, the calculation is of {_show(spec.code)}. "
            "Put that code back, or start the calculation again with the code of today."
        )
    return str(path)


def build_calculator_from_path(spec: CalculatorSpec) -> BaseCalculator:
    """Call the factory that `overrides` names as `package.module:factory`, with `overrides.arguments`.

    Raises:
        InputError: if the path leads to no factory, or the factory gives no calculator.
        SetupError: if the code is not trusted, not here, another one here, or lacks a package.
    """
    path = check_import_path(spec)
    try:
        calculator = _find_factory(path)(**spec.overrides.get("arguments", {}))
    except ImportError as error:
        raise SetupError(f"calculator ase: {path} cannot be imported: {error}. Install what it needs.") from error
    except TypeError as error:
        raise InputError(f"calculator ase: {path} does not take overrides.arguments: {error}") from error
    if not isinstance(calculator, BaseCalculator):
        raise InputError(f"calculator ase: {path} gave a {type(calculator).__name__}, needs an ASE calculator.")
    return calculator


def _find_factory(path: str) -> Callable[..., Any]:
    module_name, _, name = path.partition(":")
    module = importlib.import_module(module_name)
    if not hasattr(module, name):
        raise InputError(f"calculator ase: {path} cannot be imported: {module_name} has no {name}.")
    factory = getattr(module, name)
    if not callable(factory):
        raise InputError(f"calculator ase: {path} is no function or class.")
    return factory  # type: ignore[no-any-return]


def _show(code: Any) -> str:  # noqa: ANN401 (a mapping from a file)
    return ", ".join(f"{name} {version[:19]}" for name, version in code.items())

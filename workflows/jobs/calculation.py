"""A calculation: recipe + structure + calculator + settings, and the structure's canonical form."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import atomic_masses
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec

POSITION_DECIMALS = 8
_KEPT_ARRAYS = ("region", "momenta", "masses", "initial_magmoms", "initial_charges")


@dataclass(frozen=True, eq=False)
class Calculation:
    """What to do, with what, on which structure.

    Attributes:
        recipe: registered name, such as `relaxation` or `molecular_dynamics`.
        structure: input structure; per-atom array `region` names the parts.
        calculator: what energies and forces come from.
        settings: the recipe's settings; what is not given has its default.
        seed: of everything random.
        ranks: MPI processes of the engine; keyed for dynamics, where they change the last digits.
        threads: OpenMP threads of the engine; keyed likewise.
        charge: of the whole structure, in e, for methods with electrons.
        multiplicity: 2 S + 1 of the whole structure; None where no method asks.
        inputs: name to key of finished calculations that this one reads.
        continue_from: key of finished dynamics whose last state this one starts from.
        salt: sets an independent recomputation apart from an equal calculation.
        label: for people; not part of the identity.
    """

    recipe: str
    structure: Atoms | None = None
    calculator: CalculatorSpec | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    ranks: int = 1
    threads: int = 1
    charge: int = 0
    multiplicity: int | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    continue_from: str | None = None
    salt: str = ""
    label: str = ""


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.round(values, POSITION_DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0


def normalise_structure(atoms: Atoms) -> Atoms:
    """The structure as it is stored and keyed: rounded once, with no array but those that carry meaning.

    Raises:
        InputError: if a number is not finite, or a constraint is of another kind than `FixAtoms`.
    """
    for name, values in (("positions", atoms.positions), ("cell", atoms.cell.array)):
        if not np.isfinite(values).all():
            message = f"The structure's {name} hold a value that is not finite; mend the file or the builder."
            raise InputError(message)
    kept = Atoms(numbers=atoms.numbers, positions=_round(atoms.positions), cell=_round(atoms.cell.array), pbc=atoms.pbc)
    for name in _KEPT_ARRAYS:
        if name not in atoms.arrays or (name == "masses" and _has_standard_masses(atoms)):
            continue
        values = atoms.arrays[name]
        kept.set_array(name, _round(values) if values.dtype.kind == "f" else values.astype(str))
    for constraint in atoms.constraints:
        if not isinstance(constraint, FixAtoms):
            kind = type(constraint).__name__
            message = f"The structure has a constraint {kind}; only FixAtoms is understood: remove it or use regions."
            raise InputError(message)
    kept.set_constraint([FixAtoms(indices=sorted(c.index)) for c in atoms.constraints])
    return kept


def _has_standard_masses(atoms: Atoms) -> bool:
    return bool(np.allclose(atoms.get_masses(), atomic_masses[atoms.numbers], rtol=0, atol=1e-6))


def compute_structure_fingerprint(atoms: Atoms) -> dict[str, Any]:
    """What makes two structures the same input, independent of file format and machine."""
    fingerprint: dict[str, Any] = {
        "atoms": len(atoms),
        "numbers": _digest(atoms.numbers.astype("<i8")),
        "positions": _digest_scaled(atoms.positions),
        "cell": [[int(x) for x in row] for row in _scale(atoms.cell.array)],
        "pbc": [bool(flag) for flag in atoms.pbc],
    }
    for name in _KEPT_ARRAYS:
        if name in atoms.arrays:
            values = atoms.arrays[name]
            is_real = values.dtype.kind == "f"
            fingerprint[name] = _digest_scaled(values) if is_real else _digest_text(values)
    fixed = sorted({int(i) for constraint in atoms.constraints for i in constraint.index})
    if fixed:
        fingerprint["fixed"] = _digest(np.array(fixed, dtype="<i8"))
    return fingerprint


def _scale(values: NDArray[np.float64]) -> NDArray[np.int64]:
    scaled: NDArray[np.int64] = np.rint(values * 10**POSITION_DECIMALS).astype(np.int64)
    return scaled


def _digest(values: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _digest_scaled(values: NDArray[np.float64]) -> str:
    return _digest(_scale(values))


def _digest_text(values: NDArray[Any]) -> str:
    return hashlib.sha256("\0".join(str(value) for value in values).encode()).hexdigest()

import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLength
from hypothesis import given
from hypothesis import strategies as st

from structures.errors import InputError
from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.calculation import Calculation, normalise_structure
from workflows.jobs.key import compute_chain_key, compute_key
from workflows.jobs.store import Store

GOLDEN_SUM = "af30d76e80e37bf5022e6b50c4a92c2d4701294cc1d886e676ca74c33db3b0ba"
GOLDEN_STRUCTURE = "edec9a3e91b8daf473ff0054cbde3e7418b9378820fa02e8801b424405bcc798"


def build_structure() -> Atoms:
    atoms: Atoms = bulk("K", "bcc", a=5.328, cubic=True) * (2, 1, 1)
    atoms.set_array("region", np.array(["potassium"] * 3 + ["alloy"]))
    return atoms


def test_golden_keys_guard_against_drift() -> None:
    spec = CalculatorSpec("pod", models={"coefficients": "ab" * 32})
    with_structure = Calculation("toy_sum", structure=build_structure(), calculator=spec, settings={"numbers": [1, 3]})
    assert compute_key(Calculation("toy_sum")) == GOLDEN_SUM
    assert compute_key(with_structure) == GOLDEN_STRUCTURE


def test_defaults_and_labels_do_not_count() -> None:
    plain = Calculation("toy_sum")
    assert compute_key(Calculation("toy_sum", settings={"numbers": (1, 2)}, label="mine")) == compute_key(plain)
    assert compute_key(Calculation("toy_sum", ranks=2)) == compute_key(plain)


@pytest.mark.parametrize(
    "other",
    [
        Calculation("toy_sum", settings={"numbers": (1, 2.5)}),
        Calculation("toy_sum", seed=0),
        Calculation("toy_sum", inputs={"teacher": "ab"}),
        Calculation("toy_sum", salt="again"),
        Calculation("toy_sum", structure=build_structure()),
        Calculation("toy_sum", calculator=CalculatorSpec("pod")),
        Calculation("toy_sum", continue_from="ab"),
    ],
)
def test_what_decides_the_result_counts(other: Calculation) -> None:
    assert compute_key(other) != compute_key(Calculation("toy_sum"))


@pytest.mark.parametrize(
    "change", ["position", "cell", "pbc", "element", "region", "momenta", "charge", "fixed", "mass"]
)
def test_every_part_of_a_structure_counts(change: str) -> None:
    atoms = build_structure()
    if change == "position":
        atoms.positions[2, 1] += 2e-8
    elif change == "cell":
        atoms.cell[1, 0] += 1e-6
    elif change == "pbc":
        atoms.pbc = (True, True, False)
    elif change == "element":
        atoms.numbers[0] = 3
    elif change == "region":
        atoms.arrays["region"][0] = "alloy"
    elif change == "momenta":
        atoms.set_momenta(np.full((4, 3), 0.1))
    elif change == "charge":
        atoms.set_initial_charges([1, 0, 0, 0])
    elif change == "fixed":
        atoms.set_constraint(FixAtoms([0]))
    else:
        atoms.set_masses([1, 39.0983, 39.0983, 39.0983])
    first, second = (Calculation("toy_sum", structure=a) for a in (build_structure(), atoms))
    assert compute_key(first) != compute_key(second)


@given(st.lists(st.floats(-50, 50), min_size=12, max_size=12), st.floats(-1e-9, 1e-9))
def test_noise_below_the_rounding_of_a_stored_structure_does_not_count(values: list[float], noise: float) -> None:
    positions = np.round(np.array(values).reshape(4, 3), 8)
    atoms = Atoms("K4", positions=positions, cell=[9, 9, 9], pbc=True)
    noisy = Atoms("K4", positions=positions + noise, cell=[9, 9, 9], pbc=True)
    assert compute_key(Calculation("toy_sum", structure=atoms)) == compute_key(Calculation("toy_sum", structure=noisy))


@given(st.lists(st.floats(-1e4, 1e4), min_size=6, max_size=6))
def test_a_stored_structure_has_the_key_it_was_stored_under(values: list[float]) -> None:
    atoms = Atoms("KBi", positions=np.array(values).reshape(2, 3), cell=[[9, 0, 0], [1 / 3, 9, 0], [0, 0, 7]], pbc=True)
    atoms.set_array("region", np.array(["potassium", "alloy"]))
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory))
        key = store.create(Calculation("toy_sum", structure=atoms))
        assert compute_key(store.load(key)) == key


def test_chain_key_ignores_only_the_length() -> None:
    first, longer, other = (Calculation("toy_walk", settings=s) for s in ({}, {"steps": 80}, {"segment_steps": 20}))
    assert compute_chain_key(first) == compute_chain_key(longer) != compute_chain_key(other)
    assert compute_key(first) != compute_key(longer)


def test_dynamics_on_another_layout_is_another_calculation() -> None:
    assert compute_key(Calculation("toy_walk", threads=2)) != compute_key(Calculation("toy_walk"))


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match=r"no recipe 'toy_sun'. Did you mean toy_sum"):
        compute_key(Calculation("toy_sun"))
    with pytest.raises(InputError, match="setting nmbers is 3"):
        compute_key(Calculation("toy_sum", settings={"nmbers": 3}))
    atoms = build_structure()
    atoms.set_constraint(FixBondLength(0, 1))
    with pytest.raises(InputError, match="only FixAtoms is understood"):
        normalise_structure(atoms)
    atoms = build_structure()
    atoms.positions[0, 0] = np.nan
    with pytest.raises(InputError, match="positions hold a value that is not finite"):
        normalise_structure(atoms)

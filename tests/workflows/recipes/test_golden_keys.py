"""Keys of the real recipes. If one changes, results in users' stores are no longer found.

A new default or another algorithm must raise the recipe's version, and then the key here; nothing else may change one.
"""

import hashlib
import json

import pytest
from ase import Atoms
from ase.build import bulk

from workflows.calculators.spec import CalculatorSpec
from workflows.jobs.calculation import Calculation
from workflows.jobs.key import compute_key
from workflows.recipes import RECIPES

GOLDEN = {
    "single_point": "24069c48570d685e00972ee880a63aaf11c7450ac51e0ac774e4127b992d9e66",
    "relaxation": "f0bd6c70409e2a46dc02eed39d5bd0043858703a440224bc84fa98893292f453",
    "gap_scan": "de7b7ef97a7576b9be11438557f52493691de3121effc6da07981cb9a9a4e401",
    "molecular_dynamics": "ebbd98942486f55e390660171f616ac8e82c007e3551cb3d4bd6b54b057c8b21",
}
DEFAULTS = {
    "single_point": "85f9beaf6e859a844bb81866de56734c8156284043732774f7e0e71908508317",
    "relaxation": "96b1ea3b419878e7bbbfd64bdd3accf5a718407a15c92e10111dbc14ca3708ae",
    "gap_scan": "b33dbf45fda376ec1a0054ba17ada4e6469796cdfd9413922ad984efea4f2260",
    "molecular_dynamics": "846fe28267b322100351542500688163220d098267866dd6e5fec2fa42ee689d",
}


def build_calculation(recipe: str) -> Calculation:
    atoms: Atoms = bulk("K", "bcc", a=5.328, cubic=True)
    return Calculation(
        recipe, structure=atoms, calculator=CalculatorSpec("pod", models={"coefficients": "ab" * 32}), seed=3
    )


@pytest.mark.parametrize("recipe", GOLDEN)
def test_keys_do_not_drift(recipe: str) -> None:
    assert compute_key(build_calculation(recipe)) == GOLDEN[recipe]


@pytest.mark.parametrize("recipe", DEFAULTS)
def test_a_new_default_needs_a_new_version(recipe: str) -> None:
    defaults = RECIPES[recipe].settings().model_dump(mode="json")
    text = json.dumps({"version": RECIPES[recipe].version, "defaults": defaults}, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest() == DEFAULTS[recipe]

import numpy as np
from ase import Atoms

from structures.ghosts import find_ghosts, make_ghosts
from structures.species import Species


def test_ghosts_have_no_electrons_and_no_moments() -> None:
    pair = Atoms("LiF", [(0, 0, 0), (0, 0, 1.6)], magmoms=[1.0, -1.0])
    pair.set_array("region", np.array(["interface", "interface"]))
    marked = make_ghosts(pair, real=slice(0, 1))
    assert find_ghosts(marked).tolist() == [False, True]
    assert marked.get_initial_magnetic_moments().tolist() == [1.0, 0.0]
    assert Species("Li+", marked, charge=1).n_electrons == 2
    assert not find_ghosts(pair).any()
    assert not find_ghosts(Atoms("H")).any()

"""What the written inputs have in common, against closed forms and the tables of the codes."""

import re

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import fcc111
from ase.constraints import FixAtoms, FixedLine
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erfc

from structures.errors import InputError
from workflows.calculators.written_settings import VaspSettings
from workflows.engines.written_inputs import (
    check_spin,
    compute_image_energy,
    count_valence_electrons,
    find_boundary,
    find_fixed,
    find_hubbard_shell,
    find_start_moments,
    find_vacuum_middle,
    has_free_moment,
    is_cube,
    round_multiplicity,
)

BOX = [(8.0, 0, 0), (0, 8.0, 0), (0, 0, 12.0)]

# Counted by hand from what each title treats as valence: Ti_sv is 3s2 3p6 and four more. No POTCAR was read.
VALENCE = [
    "H:1",
    "Li:1",
    "Li_sv:3",
    "Be_sv:4",
    "C:4",
    "N:5",
    "O:6",
    "O_s:6",
    "F:7",
    "F_h:7",
    "Na_pv:7",
    "Mg:2",
    "Mg_pv:8",
    "Al:3",
    "Si:4",
    "P:5",
    "S:6",
    "Cl:7",
    "K_sv:9",
    "Ca_sv:10",
    "Ti:4",
    "Ti_pv:10",
    "Ti_sv:12",
    "V_sv:13",
    "Cr_pv:12",
    "Mn_pv:13",
    "Fe:8",
    "Fe_pv:14",
    "Co:9",
    "Ni:10",
    "Cu:11",
    "Zn:12",
    "Ga_d:13",
    "Br:7",
    "Zr_sv:12",
    "Mo_sv:14",
    "Ag:11",
    "Sn_d:14",
    "Sb:5",
    "I:7",
    "Cs_sv:9",
    "Hf_pv:10",
    "W_sv:14",
    "Pt:10",
    "Au:11",
    "Pb_d:14",
    "Bi:5",
    "Bi_d:15",
]


@pytest.mark.parametrize("entry", VALENCE)
def test_valence_electrons_follow_from_the_title(entry: str) -> None:
    title, electrons = entry.split(":")
    assert count_valence_electrons(title) == int(electrons)


@pytest.mark.parametrize("title", ["Ce", "Lu_3", "Fe_GW", "Xx", "O_new"])
def test_unknown_valence_electrons_are_asked_for(title: str) -> None:
    with pytest.raises(InputError, match=rf"valence electrons of {title} are not known.*valence_electrons"):
        count_valence_electrons(title)


@pytest.mark.parametrize(
    ("element", "shell"),
    [
        *[("Ti", (3, "d")), ("Fe", (3, "d")), ("Co", (3, "d")), ("Zn", (3, "d")), ("Mo", (4, "d")), ("Pt", (5, "d"))],
        *[("O", (2, "p")), ("S", (3, "p")), ("Ga", (4, "p")), ("Bi", (6, "p")), ("Ce", (4, "f")), ("U", (5, "f"))],
    ],
)
def test_a_hubbard_u_acts_on_the_open_shell(element: str, shell: tuple[int, str]) -> None:
    assert find_hubbard_shell(element) == shell


def test_no_hubbard_u_on_s_electrons() -> None:
    with pytest.raises(InputError, match="hubbard_U_eV names Li"):
        find_hubbard_shell("Li")


@pytest.mark.parametrize(("pbc", "kind"), [((0, 0, 0), "molecule"), ((1, 1, 0), "slab"), ((1, 1, 1), "bulk")])
def test_boundaries_have_names(pbc: tuple[int, int, int], kind: str) -> None:
    assert find_boundary(Atoms("Li", cell=BOX, pbc=pbc), settings=VaspSettings()) == kind


@pytest.mark.parametrize(
    ("atoms", "k_points", "said"),
    [
        (Atoms("Li"), (1, 1, 1), "Li has 0 cell vectors, needs 3"),
        (Atoms("Li", cell=BOX, pbc=(0, 1, 1)), (1, 1, 1), r"periodic along \(False, True, True\)"),
        (Atoms("Li", cell=BOX, pbc=(1, 1, 0)), (2, 2, 2), r"k_points is \(2, 2, 2\), needs 1 along z"),
    ],
)
def test_boundaries_that_cannot_be_written(atoms: Atoms, k_points: tuple[int, int, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_boundary(atoms, settings=VaspSettings(k_points=k_points))


@pytest.mark.parametrize(
    ("atoms", "charge", "multiplicity"),
    [
        (Atoms("Li", cell=BOX), 1, 1),
        (Atoms("Li", cell=BOX), 0, 2),
        (Atoms("O2", cell=BOX), 0, 3),
        (Atoms("Li", cell=BOX, pbc=True), 0, 1),
    ],
)
def test_spins_that_fit(atoms: Atoms, charge: int, multiplicity: int) -> None:
    check_spin(atoms, charge=charge, multiplicity=multiplicity, moments=None)


@pytest.mark.parametrize(
    ("charge", "multiplicity", "said"),
    [
        (0, 1, "multiplicity is 1 with 3 electrons, needs an even number"),
        (1, 2, "multiplicity is 2 with 2 electrons, needs an odd number"),
        (1, 0, "multiplicity is 0"),
        (1, -1, "multiplicity is -1"),
    ],
)
def test_spins_that_do_not_fit(charge: int, multiplicity: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_spin(Atoms("Li", cell=BOX), charge=charge, multiplicity=multiplicity, moments=None)


def test_there_is_a_moment_for_each_atom() -> None:
    with pytest.raises(InputError, match="there are 1 moments for 2 atoms"):
        check_spin(Atoms("O2", cell=BOX), charge=0, multiplicity=3, moments=[2.0])


def test_start_moments_add_up_to_the_unpaired_electrons() -> None:
    spread = find_start_moments(Atoms("O2F"), multiplicity=4, moments=None)
    assert spread is not None
    assert spread.sum() == pytest.approx(3)
    given_moments = find_start_moments(Atoms("O2"), multiplicity=1, moments=[1.0, -1.0])
    assert given_moments is not None
    assert given_moments.tolist() == [1.0, -1.0]
    assert find_start_moments(Atoms("O2"), multiplicity=1, moments=[0.0, 0.0]) is None
    assert find_start_moments(Atoms("O2"), multiplicity=1, moments=None) is None


def test_fixed_atoms_are_found_and_other_constraints_refused() -> None:
    slab = fcc111("Al", (1, 1, 4), vacuum=6)
    slab.set_constraint([FixAtoms([2]), FixAtoms([0, 1])])
    assert find_fixed(slab) == [0, 1, 2]
    slab.set_constraint(FixedLine(0, (0, 0, 1)))
    with pytest.raises(InputError, match="constraint FixedLine cannot be written"):
        find_fixed(slab)


@given(shift=st.floats(-20, 20))
def test_the_middle_of_the_vacuum_moves_with_the_slab(shift: float) -> None:
    slab = fcc111("Al", (1, 1, 4), vacuum=6)
    middle = find_vacuum_middle(slab)
    assert middle % 1 == pytest.approx(0, abs=1e-9)
    slab.translate((0, 0, shift))
    moved = find_vacuum_middle(slab)
    off = (moved - middle - shift / slab.cell[2, 2]) % 1
    assert min(off, 1 - off) == pytest.approx(0, abs=1e-9)
    assert 0 <= moved < 1


def test_the_middle_of_the_vacuum_is_where_a_naive_search_finds_it() -> None:
    slab = fcc111("Al", (1, 1, 4), vacuum=6)
    slab.translate((0, 0, 4.3))
    heights = slab.get_scaled_positions()[:, 2]
    grid = np.arange(0, 1, 1e-4)
    distance = [min(abs(((z - h + 0.5) % 1) - 0.5) for h in heights) for z in grid]
    assert find_vacuum_middle(slab) == pytest.approx(grid[int(np.argmax(distance))], abs=2e-4)


def test_messages_name_the_fix() -> None:
    with pytest.raises(InputError, match=re.escape("Put it in a box.")):
        find_boundary(Atoms("Li"), settings=VaspSettings())


def sum_by_ewald(edge_A: float, *, width_A: float = 1.0) -> float:
    """Energy of a unit charge among its images in a neutral background, in eV, from two fast sums."""
    ranges = np.arange(-8, 9)
    steps = np.array([(i, j, k) for i in ranges for j in ranges for k in ranges if i or j or k])
    distances_A = edge_A * np.linalg.norm(steps, axis=1)
    squares = (2 * np.pi / edge_A) ** 2 * (steps**2).sum(axis=1)
    near = np.sum(erfc(distances_A / width_A) / distances_A)
    far = 4 * np.pi / edge_A**3 * np.sum(np.exp(-squares * width_A**2 / 4) / squares)
    own = 2 / (np.sqrt(np.pi) * width_A) + np.pi * width_A**2 / edge_A**3
    return float((near + far - own) / 2 * units.Hartree * units.Bohr)


@pytest.mark.parametrize("edge_A", [4.0, 9.0])
def test_an_ion_among_its_images_has_the_energy_of_an_ewald_sum(edge_A: float) -> None:
    assert compute_image_energy(1, edge_A=edge_A) == pytest.approx(sum_by_ewald(edge_A, width_A=edge_A / 3), rel=1e-6)
    assert compute_image_energy(-2, edge_A=edge_A) == pytest.approx(4 * compute_image_energy(1, edge_A=edge_A))


def test_cubes_are_told_from_other_cells() -> None:
    assert is_cube(Atoms("H", cell=[8, 8, 8]))
    assert not is_cube(Atoms("H", cell=[8, 8, 8.01]))
    assert not is_cube(Atoms("H", cell=[(0, 8, 8), (8, 0, 8), (8, 8, 0)]))


def test_moments_are_a_start_where_a_metal_has_no_spin_of_its_own() -> None:
    iron = Atoms("Fe2", [(0, 0, 0), (0, 0, 2)], cell=[3, 3, 12], pbc=(True, True, False))
    assert has_free_moment(iron, multiplicity=1, moments=[2.3, 2.3])
    assert not has_free_moment(iron, multiplicity=1, moments=[2.3, -2.3])
    assert not has_free_moment(iron, multiplicity=3, moments=[1.0, 1.0])
    assert not has_free_moment(iron, multiplicity=1, moments=None)
    iron.pbc = False
    assert not has_free_moment(iron, multiplicity=1, moments=[2.3, 2.3])


@pytest.mark.parametrize(
    ("symbols", "charge", "moment", "multiplicity"),
    [("Fe2", 0, 4.6, 5), ("Fe2", 0, 5.4, 7), ("H", 0, 0.3, 2), ("H", 0, 1.0, 2), ("Fe", 1, -2.3, 4), ("Co", 0, 1.7, 2)],
)
def test_a_moment_is_rounded_to_what_the_electrons_allow(
    symbols: str, charge: int, moment: float, multiplicity: int
) -> None:
    """By trying all: the multiplicity of the right parity whose number of unpaired electrons is nearest."""
    atoms = Atoms(symbols, positions=np.arange(3.0 * len(Atoms(symbols))).reshape(-1, 3))
    n_electrons = int(atoms.numbers.sum()) - charge
    possible = [number for number in range(20) if (number - n_electrons) % 2 == 0]
    assert multiplicity == 1 + min(possible, key=lambda number: abs(number - abs(moment)))
    assert round_multiplicity(atoms, charge=charge, moment=moment) == multiplicity

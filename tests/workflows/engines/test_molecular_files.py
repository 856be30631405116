"""Molecules in LAMMPS: what is written is read, stated again after a restart, and right for a slab."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units

from structures.errors import InputError
from structures.species import build_species
from workflows.engines.lammps_files import read_binary_dump
from workflows.engines.lammps_process import run_lammps
from workflows.engines.molecular_energies import compute_energy_terms_lammps
from workflows.engines.molecular_files import mix, write_interactions, write_topology_data
from workflows.force_fields.clp import type_molecule
from workflows.force_fields.topology import KINDS, AtomType, Terms, TermType, Topology, join_topologies, no_terms

COULOMB_EV_A = units._e / (4 * np.pi * units._eps0) * 1e10
SODIUM = AtomType("Na", "Na", 23.0, 2.0, 0.0)

ECHO = """units metal
atom_style full
box tilt large
read_data molecules.data
pair_style zero 4.0
pair_coeff * *
bond_style zero
bond_coeff *
angle_style zero
angle_coeff *
dihedral_style zero
dihedral_coeff *
compute bonds all property/local btype batom1 batom2
compute dihedrals all property/local dtype datom1 datom2 datom3 datom4
dump echo all custom 1 echo.bin id mol type q mass xu yu zu vx vy vz
dump_modify echo sort id
dump bonds all local 1 bonds.txt c_bonds[1] c_bonds[2] c_bonds[3]
dump dihedrals all local 1 dihedrals.txt c_dihedrals[1] c_dihedrals[2] c_dihedrals[3] c_dihedrals[4] c_dihedrals[5]
run 0
"""

RESTART = """units metal
atom_style full
read_data molecules.data
{interactions}
thermo_style custom pe ebond eangle edihed evdwl ecoul elong
thermo_modify format float %.15g
run 0 post no
write_restart half.restart
clear
read_restart half.restart
{interactions}
thermo_style custom pe ebond eangle edihed evdwl ecoul elong
thermo_modify format float %.15g
run 0 post no
"""


def describe_charges(charges_e: Sequence[float]) -> Topology:
    n_atoms = len(charges_e)
    return Topology((SODIUM,), np.zeros(n_atoms, dtype=np.int64), np.array(charges_e), np.arange(n_atoms))


@pytest.fixture
def salt() -> tuple[Topology, Atoms]:
    """Two ion pairs in a tilted cell, one anion across its boundary, with momenta."""
    lithium, anion = build_species("Li+"), build_species("TFSI-")
    topology = join_topologies([(type_molecule(lithium), 2), (type_molecule(anion), 2)])
    atoms = Atoms(cell=[[20, 0, 0], [6, 21, 0], [-4, 3, 22]], pbc=True)
    for species, place in ((lithium, (3, 3, 3)), (lithium, (9, 9, 9)), (anion, (1, 12, 15)), (anion, (10, 4, 5))):
        molecule = species.atoms.copy()
        molecule.translate(np.array(place) - molecule.get_center_of_mass())
        atoms += molecule
    atoms.set_momenta(np.random.default_rng(4).normal(size=(len(atoms), 3)))
    return topology, atoms


def test_lammps_reads_back_what_was_written(tmp_path: Path, salt: tuple[Topology, Atoms]) -> None:
    topology, atoms = salt
    frame = write_topology_data(tmp_path / "molecules.data", atoms, topology=topology)
    assert frame.atoms is atoms
    (tmp_path / "echo.in").write_text(ECHO)
    run_lammps(tmp_path, input_name="echo.in")
    (echo,) = read_binary_dump(tmp_path / "echo.bin")
    np.testing.assert_array_equal(echo.take("mol")[:, 0], [1, 2, *[3] * 15, *[4] * 15])
    np.testing.assert_array_equal(echo.take("type")[:, 0], topology.kinds + 1)
    np.testing.assert_array_equal(echo.take("q")[:, 0], topology.charges_e)
    np.testing.assert_allclose(echo.take("mass")[:, 0], atoms.get_masses(), rtol=1e-9)
    np.testing.assert_allclose(echo.take("xu", "yu", "zu"), atoms.positions, rtol=0, atol=1e-12)
    velocities_A_per_ps = atoms.get_velocities() * 1000 * units.fs
    np.testing.assert_allclose(echo.take("vx", "vy", "vz"), velocities_A_per_ps, rtol=1e-12)
    for name, terms in (("bonds", topology.bonds), ("dihedrals", topology.dihedrals)):
        rows = np.loadtxt(tmp_path / f"{name}.txt", skiprows=9, dtype=int)
        written = {(kind + 1, *_one_way(chain + 1)) for kind, chain in zip(terms.kinds, terms.atoms, strict=True)}
        assert {(row[0], *_one_way(row[1:])) for row in rows} == written
        assert len(rows) == len(terms)


def _one_way(chain: Sequence[int]) -> tuple[int, ...]:
    return min(tuple(map(int, chain)), tuple(map(int, chain))[::-1])


def test_interactions_are_the_same_after_a_restart(tmp_path: Path, salt: tuple[Topology, Atoms]) -> None:
    topology, atoms = salt
    write_topology_data(tmp_path / "molecules.data", atoms, topology=topology)
    commands = write_interactions(topology, cutoff_A=9.0, kspace_accuracy=1e-5)
    (tmp_path / "twice.in").write_text(RESTART.format(interactions="\n".join(commands)))
    output: list[str] = []
    run_lammps(tmp_path, input_name="twice.in", on_line=output.append)
    first, second = (output[i + 1].split() for i, line in enumerate(output) if line.split()[:1] == ["PotEng"])
    np.testing.assert_allclose([float(word) for word in first], [float(word) for word in second], rtol=1e-10)
    assert float(first[0]) != 0


def test_slab_without_vacuum_is_written_and_an_atom_outside_is_refused(tmp_path: Path) -> None:
    atoms = Atoms("Na2", positions=[[1, 1, 0.5], [1, 1, 9.5]], cell=[8, 8, 10], pbc=(True, True, False))
    topology = describe_charges([1.0, -1.0])
    write_topology_data(tmp_path / "molecules.data", atoms, topology=topology)
    assert atoms.pbc.tolist() == [True, True, False]
    atoms.positions[1, 2] = 10.5
    with pytest.raises(InputError, match=r"reach from 0.50 to 10.50 Å along the third cell vector, need 0 to 10.00 Å"):
        write_topology_data(tmp_path / "molecules.data", atoms, topology=topology)


def test_slab_in_a_tilted_cell_is_refused(tmp_path: Path) -> None:
    cell = [[8, 0, 0], [4, 7, 0], [0, 0, 10]]
    atoms = Atoms("Na2", positions=[[1, 1, 1], [1, 1, 9]], cell=cell, pbc=(True, True, False))
    with pytest.raises(InputError, match=r"has angles of 90.0, 90.0, 60.3°, needs 90°: LAMMPS has no correction"):
        write_topology_data(tmp_path / "a.data", atoms, topology=describe_charges([1.0, -1.0]))


def test_topology_of_other_atoms_is_refused(tmp_path: Path) -> None:
    atoms = Atoms("Na2", positions=[[1, 1, 1], [4, 4, 4]], cell=[8, 8, 10], pbc=True)
    with pytest.raises(InputError, match=r"topology has 3 atoms, needs 2 as the structure"):
        write_topology_data(tmp_path / "a.data", atoms, topology=describe_charges([0.0] * 3))
    atoms.symbols[1] = "K"
    with pytest.raises(InputError, match=r"Atom 1 is K, but of type Na, which needs Na"):
        write_topology_data(tmp_path / "a.data", atoms, topology=describe_charges([0.0] * 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cutoff_A": 0.0}, r"cutoff_A is 0, needs more than 0 Å"),
        ({"cutoff_A": 9.0, "kspace_accuracy": 0.0}, r"kspace_accuracy is 0, needs more than 0 and less than 1"),
        ({"cutoff_A": 9.0, "slab": 1.0}, r"slab is 1, needs at least 2 box heights"),
        ({"cutoff_A": 9.0, "slab": 3.0, "tail": True}, r"tail is on for a slab, needs a uniform fluid"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_interactions(describe_charges([1.0, -1.0]), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "width", "form", "coefficients", "message"),
    [
        ("impropers", 4, "cosines", (0.1, 2.0, 90.0), r"LAMMPS needs one cosine of phase 0° or 180°"),
        ("impropers", 4, "cosines", (0.1, 2.0, 0.0, 0.1, 1.0, 0.0), r"LAMMPS needs one cosine of phase 0° or 180°"),
        ("dihedrals", 4, "cosines", (0.1, 1.5, 0.0), r"multiplicity 1.5; LAMMPS needs a whole number"),
        ("angles", 3, "cosine", (0.1, -1.0, 7.0), r"multiplicity 7; LAMMPS needs a whole number from 0 to 6"),
    ],
)
def test_terms_that_lammps_lacks_are_refused(
    kind: str, width: int, form: str, coefficients: tuple[float, ...], message: str
) -> None:
    terms = Terms(np.arange(width)[None, :], np.array([0]), (TermType("X", form, coefficients),))
    of_kind = {name: terms if name == kind else no_terms(width) for name, width in KINDS.items()}
    topology = replace(describe_charges([0.0] * 4), **of_kind)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        write_interactions(topology, cutoff_A=9.0)


def test_system_that_is_not_neutral_is_refused() -> None:
    with pytest.raises(InputError, match=r"charges add up to \+0.100000 e, need 0 \(at most ±0.0001\)"):
        write_interactions(describe_charges([1.0, -0.9]), cutoff_A=9.0)


def test_no_mesh_without_charges() -> None:
    lines = write_interactions(describe_charges([0.0, 0.0]), cutoff_A=9.0)
    assert lines[0] == "pair_style lj/cut 9.0"
    assert not [line for line in lines if "kspace" in line or "coul/long" in line]


def test_mixing_rules() -> None:
    first, second = AtomType("A", "Ar", 40, 2.0, 0.01), AtomType("B", "Ar", 40, 8.0, 0.04)
    assert mix(first, second, mixing="geometric") == pytest.approx((0.02, 4.0), rel=1e-15)
    assert mix(first, second, mixing="arithmetic") == pytest.approx((0.02, 5.0), rel=1e-15)


def test_tail_is_that_of_a_uniform_fluid(tmp_path: Path) -> None:
    argon = AtomType("Ar", "Ar", 39.95, 3.4, 0.0104)
    atoms = Atoms("Ar8", scaled_positions=np.indices((2, 2, 2)).reshape(3, -1).T / 2, cell=[20] * 3, pbc=True)
    topology = Topology((argon,), np.zeros(8, dtype=np.int64), np.zeros(8), np.arange(8))
    energies_eV = [
        compute_energy_terms_lammps(topology, atoms=atoms, directory=tmp_path, cutoff_A=9.0, tail=tail).energies_eV
        for tail in (True, False)
    ]
    ratio3 = (3.4 / 9.0) ** 3
    expected = 8 / 3 * np.pi * 8**2 / 20**3 * 0.0104 * 3.4**3 * (ratio3**3 / 3 - ratio3)
    assert energies_eV[0]["van_der_Waals"] == pytest.approx(expected, rel=1e-10)
    assert energies_eV[1]["van_der_Waals"] == 0


@pytest.fixture
def sheets() -> tuple[Topology, Atoms]:
    """Two square sheets of opposite charges, 4 × 4 each, 5 Å from charge to charge and 12 Å apart, in 20 Å."""
    one = Atoms("Na2", positions=[[1, 1, 4], [1, 1, 16]], cell=[5, 5, 20], pbc=True)
    atoms = one.repeat((4, 4, 1))
    return describe_charges([0.5, -0.5] * 16), atoms


def test_opposite_sheets_attract_as_a_condenser(tmp_path: Path, sheets: tuple[Topology, Atoms]) -> None:
    """A slab: the field of a sheet, 2 π σ, up to exp(−2 π 12/5). Periodic: that times 1 − 2 d/L, which is repulsion."""
    topology, atoms = sheets
    field_eV_per_A = 2 * np.pi * COULOMB_EV_A * 0.5**2 / 5**2
    for slab, expected in ((3.0, field_eV_per_A), (None, field_eV_per_A * (1 - 2 * 12 / 20))):
        forces = compute_energy_terms_lammps(
            topology, atoms=atoms, directory=tmp_path, cutoff_A=8.0, kspace_accuracy=1e-6, slab=slab
        ).forces_eV_per_A
        np.testing.assert_allclose(forces[::2, 2], expected, rtol=0, atol=2e-4)
        np.testing.assert_allclose(forces[1::2, 2], -expected, rtol=0, atol=2e-4)
        np.testing.assert_allclose(forces[:, :2], 0, rtol=0, atol=2e-4)


def test_energy_between_sheets_grows_as_a_condensers(tmp_path: Path, sheets: tuple[Topology, Atoms]) -> None:
    topology, atoms = sheets
    energies_eV = []
    for height_A in (16.0, 18.0):
        atoms.positions[1::2, 2] = height_A
        terms = compute_energy_terms_lammps(
            topology, atoms=atoms, directory=tmp_path, cutoff_A=8.0, kspace_accuracy=1e-6, slab=3.0
        )
        energies_eV.append(terms.energies_eV["Coulomb"])
    expected = 16 * 2 * np.pi * COULOMB_EV_A * 0.5**2 / 5**2 * 2
    assert energies_eV[1] - energies_eV[0] == pytest.approx(expected, rel=1e-4)


def test_slab_is_the_sum_over_images_in_the_plane(tmp_path: Path) -> None:
    """Six charges, all pairs of them over 30 000 images, and what lies beyond as the field of their dipole."""
    generator = np.random.default_rng(3)
    charges_e = np.array([0.9, -0.4, 0.6, -0.8, 0.5, -0.8])
    positions_A = np.column_stack([generator.random((6, 2)) * 10, np.linspace(1, 11, 6)])
    atoms = Atoms("Na6", positions=positions_A, cell=[10, 10, 12], pbc=(True, True, False))
    steps = np.stack(np.meshgrid(*[np.arange(-100, 101)] * 2), axis=-1).reshape(-1, 2) * 10.0
    steps = np.column_stack([steps, np.zeros(len(steps))])
    steps = steps[np.linalg.norm(steps, axis=1) < 1000.0]
    energy_eV = 0.0
    for i in range(6):
        for j in range(6):
            distances_A = np.linalg.norm(positions_A[j] - positions_A[i] + steps, axis=1)
            inverse = 1 / distances_A[distances_A > 0]
            energy_eV += COULOMB_EV_A / 2 * charges_e[i] * charges_e[j] * inverse.sum()
    dipole = charges_e @ positions_A
    energy_eV += np.pi * COULOMB_EV_A / (100.0 * 1000.0) * (dipole[2] ** 2 - dipole[:2] @ dipole[:2] / 2)
    terms = compute_energy_terms_lammps(
        describe_charges(charges_e.tolist()),
        atoms=atoms,
        directory=tmp_path,
        cutoff_A=12.0,
        kspace_accuracy=1e-6,
        slab=3.0,
    )
    assert terms.energies_eV["Coulomb"] == pytest.approx(energy_eV, abs=3e-4)

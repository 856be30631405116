from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import fcc111, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms
from ase.optimize import BFGS
from ase.units import Bohr, Hartree
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from workflows.engines.model_hessian import build_model_hessian

WATER = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)])


def test_a_bond_has_the_stiffness_that_was_published() -> None:
    # H2 at the reference distance of two hydrogens: k = 0.45 hartree/bohr².
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 1.35 * Bohr)])
    values, directions = np.linalg.eigh(build_model_hessian(pair))
    assert values[-1] == pytest.approx(2 * 0.45 * Hartree / Bohr**2, rel=1e-12)
    assert np.abs(directions[:, -1]) == pytest.approx([0, 0, np.sqrt(0.5), 0, 0, np.sqrt(0.5)], abs=1e-9)
    assert values[:-1] == pytest.approx(2.0, rel=1e-9)


def test_it_turns_with_the_molecule_and_has_no_soft_direction() -> None:
    turned = WATER.copy()
    turned.rotate(40.0, "xyz")
    first, second = (np.linalg.eigvalsh(build_model_hessian(atoms)) for atoms in (WATER, turned))
    assert first == pytest.approx(second, rel=1e-9)
    assert first.min() == pytest.approx(2.0, rel=1e-9)
    # Two stretches and a bend are stiffer than what stands for the rest.
    assert (first > 2.0 + 1e-6).sum() == 3


def test_images_count_and_fixed_atoms_are_coupled_to_nothing() -> None:
    slab = fcc111("Cu", (2, 2, 2), vacuum=6.0)
    alone = Atoms(slab.symbols, slab.positions)
    assert np.trace(build_model_hessian(slab)) > np.trace(build_model_hessian(alone))
    slab.set_constraint(FixAtoms(indices=[0, 1]))
    hessian = build_model_hessian(slab)
    assert hessian[:6, 6:] == pytest.approx(0.0, abs=1e-12)
    assert hessian[:6, :6] == pytest.approx(2.0 * np.eye(6), abs=1e-12)


def test_a_straight_molecule_is_no_trouble() -> None:
    assert np.isfinite(build_model_hessian(molecule("CO2"))).all()


class ForceField(Calculator):
    """MMFF94 of RDKit: stiff bonds and soft torsions, in no time."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as ASE declares it)

    def __init__(self, described: Chem.Mol) -> None:
        super().__init__()
        self.described = described
        self.parameters = rdForceFieldHelpers.MMFFGetMoleculeProperties(described)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        field = rdForceFieldHelpers.MMFFGetMoleculeForceField(self.described, self.parameters)
        places = cast("Atoms", self.atoms).positions.ravel().tolist()
        unit = units.kcal / units.mol
        forces = -unit * np.array(field.CalcGrad(places)).reshape(-1, 3)
        self.results = {"energy": unit * field.CalcEnergy(places), "forces": forces}


@pytest.mark.parametrize("smiles", ["O=C1OCCO1", "CC(=O)OCC"])
def test_a_relaxation_takes_fewer_steps_to_the_same_place(smiles: str) -> None:
    described = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(described, randomSeed=1)
    steps, energies = [], []
    for guess in (False, True):
        atoms = Atoms([one.GetSymbol() for one in described.GetAtoms()], described.GetConformer().GetPositions())
        atoms.rattle(0.05, seed=3)
        atoms.calc = ForceField(described)
        with BFGS(atoms, logfile=None) as optimiser:
            if guess:
                optimiser.H0 = build_model_hessian(atoms)
            assert optimiser.run(fmax=0.05, steps=100)
            steps.append(int(optimiser.nsteps))
        energies.append(atoms.get_potential_energy())
    assert steps[1] < 0.6 * steps[0]
    assert energies[1] == pytest.approx(energies[0], abs=0.005)

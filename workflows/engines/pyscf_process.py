"""PySCF in a process of its own: `python -P -m workflows.engines.pyscf_process DIRECTORY`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray
from pyscf import __version__ as pyscf_version
from pyscf import dft, gto

from structures.ghosts import find_ghosts
from structures.species import has_antiparallel_moments
from workflows.engines.dispersion import add_dispersion, split_dispersion
from workflows.engines.electronic_files import LOG_FILE, Answer, Request, read_request, write_answer
from workflows.engines.electronic_relaxation import explain_unrelaxed, relax_atoms, write_final
from workflows.engines.pyscf_basis import count_core_electrons, load_core_potentials


class ScfError(RuntimeError):
    """The SCF did not converge."""


class PyscfCalculator(Calculator):
    """An ASE calculator over PySCF's Kohn-Sham methods, so that it relaxes and adds as every other does."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 (as ASE declares it)

    def __init__(self, request: Request, *, log: Path) -> None:
        """Take the settings of a request."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.request = request
        self.log = log
        self.helped = ""
        self.field: Any = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Energy and, if asked for, forces.

        Raises:
            ScfError: if the SCF does not converge, also with second-order steps.
        """
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        settings, geometry = self.request.settings, cast("Atoms", self.atoms)
        names = [
            f"ghost-{symbol}" if is_ghost else symbol
            for symbol, is_ghost in zip(geometry.symbols, find_ghosts(geometry), strict=True)
        ]
        molecule = gto.M(
            atom=list(zip(names, geometry.positions, strict=True)),
            basis=settings["basis"],
            ecp=load_core_potentials(settings["basis"], elements=set(geometry.symbols)),  # PySCF leaves ghosts out
            charge=self.request.charge,
            spin=self.request.multiplicity - 1,
            verbose=4,
            output=str(self.log),
        )
        moments = geometry.get_initial_magnetic_moments()
        is_turned = has_antiparallel_moments(moments)
        field = dft.UKS(molecule) if self.request.multiplicity > 1 or is_turned else dft.RKS(molecule)
        field.xc = settings["xc"]
        field.grids.level = settings["grid_level"]
        if settings["density_fitting"]:
            field = field.density_fit()
        field.conv_tol = 1e-8
        start = build_polarised_guess(field, moments=moments) if is_turned else None
        field.kernel(dm0=start)
        if not field.converged:
            self.helped = "second-order steps (Newton)"
            field = field.newton()
            field.kernel(dm0=start)
        if not field.converged:
            raise ScfError(f"the SCF of {geometry.symbols.formula} did not converge, also with {self.helped}")
        self.field = field
        self.results["energy"] = float(field.e_tot) * units.Hartree
        if "forces" in properties:
            gradient = field.undo_newton() if hasattr(field, "undo_newton") else field
            self.results["forces"] = -np.asarray(gradient.nuc_grad_method().kernel()) * units.Hartree / units.Bohr


def compute(request: Request, *, atoms: Atoms, directory: Path) -> Answer:
    """Energy and forces."""
    calculator = PyscfCalculator(request, log=directory / LOG_FILE)
    atoms.calc = add_dispersion(calculator, settings=request.settings)
    try:
        n_steps, is_relaxed = relax_atoms(atoms, request=request, directory=directory)
        energy_eV, dispersion_eV = split_dispersion(atoms)
    except ScfError as error:
        return Answer(status="unconverged", reason=str(error))
    if reason := explain_unrelaxed(request, is_relaxed=is_relaxed):
        return Answer(status="unconverged", reason=reason)
    is_wanted = request.forces or request.force_tolerance_eV_per_A is not None
    forces = atoms.get_forces(apply_constraint=False) if is_wanted else None
    settings = request.settings
    return Answer(
        status="done",
        energy_eV=energy_eV,
        dispersion_eV=dispersion_eV,
        forces_eV_per_A=None if forces is None else forces.tolist(),
        spins=compute_spins(calculator.field),
        gap_eV=find_gap_eV(calculator.field),
        method={
            "code": "pyscf",
            "version": pyscf_version,
            "functional": settings["xc"],
            "dispersion": settings["dispersion"],
            "basis": settings["basis"],
            "grid_level": settings["grid_level"],
            "density_fitting": settings["density_fitting"],
            **describe_core_potentials(atoms, basis=settings["basis"]),
        },
        n_scf=int(getattr(calculator.field, "cycles", 0) or 0),
        n_steps=n_steps,
        is_relaxed=is_relaxed,
        helped=calculator.helped,
    )


def build_polarised_guess(field: Any, *, moments: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ANN401 (PySCF is untyped)
    """Density matrices of both spins, shape (2, n, n), of free atoms with the moments given, shape (n_atoms,)."""
    whole = np.asarray(field.get_init_guess()).sum(axis=0)
    overlap = field.get_ovlp()
    up, down = whole / 2, whole / 2
    for moment, (_, _, first, last) in zip(moments, field.mol.aoslice_by_atom(), strict=True):
        own = np.s_[first:last, first:last]
        n_electrons = float(np.sum(whole[own] * overlap[own]))
        if moment and n_electrons:
            share = np.clip(moment / n_electrons, -1, 1)
            up[own], down[own] = whole[own] * (1 + share) / 2, whole[own] * (1 - share) / 2
    return np.array([up, down])


def compute_spins(field: Any) -> list[float] | None:  # noqa: ANN401 (PySCF is untyped)
    """Unpaired electrons of each atom, after Mulliken; None without spin polarisation.

    Source: 10.1063/1.1740588
    """
    density = np.asarray(field.make_rdm1())
    if density.ndim == 2:  # noqa: PLR2004 (one matrix for both spins)
        return None
    of_orbitals = np.sum((density[0] - density[1]) * field.get_ovlp(), axis=1)
    return [float(of_orbitals[first:last].sum()) for _, _, first, last in field.mol.aoslice_by_atom()]


def describe_core_potentials(atoms: Atoms, *, basis: str) -> dict[str, dict[str, str]]:
    """Core potentials of the elements, as `setups` of the method; nothing where all electrons are computed."""
    cores = count_core_electrons(basis, elements=set(atoms[~find_ghosts(atoms)].symbols))
    setups = {element: f"core potential of {basis}, {number} electrons" for element, number in cores.items()}
    return {"setups": setups} if setups else {}


def find_gap_eV(field: Any) -> float | None:  # noqa: ANN401 (PySCF is untyped)
    """Gap between occupied and empty orbitals, over both spins; None if all orbitals are occupied."""
    energies, occupations = np.ravel(field.mo_energy), np.ravel(field.mo_occ)
    if not (occupations == 0).any() or not (occupations > 0).any():
        return None
    return float(energies[occupations == 0].min() - energies[occupations > 0].max()) * units.Hartree


def main() -> int:
    """Entry point of the process."""
    directory = Path(sys.argv[1])
    request, atoms = read_request(directory)
    answer = compute(request, atoms=atoms, directory=directory)
    write_final(atoms, directory=directory)
    write_answer(directory, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())

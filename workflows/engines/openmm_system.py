"""A typed system in OpenMM, said in its own forces: the second engine that LAMMPS is checked against."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import units

from structures.errors import InputError, SetupError
from workflows.engines.molecular_energies import TERMS, EnergyTerms
from workflows.force_fields.molecular_graph import separate_pairs
from workflows.force_fields.topology import Terms, Topology

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

KJ_MOL_PER_EV = units.mol / units.kJ
_NM_PER_A = 0.1
_LENNARD_JONES = "4*epsilon*((sigma/r)^12-(sigma/r)^6)"
_MIXED_SIGMA = {"geometric": "sqrt(sigma1*sigma2)", "arithmetic": "(sigma1+sigma2)/2"}
# cos² of the angle between the bond to atom d and the plane of the bonds to a and b, from the three angles at the
# centre; of angles alone, because they know the periodic images.
_INVERSION = (
    "k*(c0+c1*sqrt(square)+c2*(2*square-1));"
    "square=(cos(ad)^2+cos(bd)^2-2*cos(ad)*cos(bd)*cos(ab))/sin(ab)^2;"
    "ab=angle({a},p1,{b});ad=angle({a},p1,{d});bd=angle({b},p1,{d})"
)
_OUTER = (("p2", "p3", "p4"), ("p2", "p4", "p3"), ("p3", "p4", "p2"))


def build_openmm_system(
    topology: Topology,
    *,
    cell_A: NDArray[np.float64],
    cutoff_A: float,
    ewald_tolerance: float = 1e-6,
) -> Any:  # noqa: ANN401  OpenMM publishes no types
    """The system, one force group a term in the order of `TERMS`; periodic in all directions.

    Args:
        topology: what acts.
        cell_A: vectors as rows, shape (3, 3), in the reduced lower triangular form of OpenMM (`reduce_cell`).
        cutoff_A: of van der Waals, which ends there without a shift, and of the direct sum of Coulomb, in Å.
        ewald_tolerance: error of forces that OpenMM chooses its sums by: plain Ewald in a rectangular cell, particle
            mesh in a tilted one, which it has no other sum for.

    Returns:
        An `openmm.System`.

    Raises:
        InputError: if the cell is too small for the cut-off.
        SetupError: if OpenMM is not installed.
    """
    openmm = import_openmm()
    if 2 * cutoff_A > float(np.diag(cell_A).min()):
        raise InputError(
            f"cutoff_A is {cutoff_A:g} Å, needs at most {np.diag(cell_A).min() / 2:.2f} Å, half of the smallest "
            "height of the cell. Lower it, or take a larger cell."
        )
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(openmm.Vec3(*map(float, row)) for row in cell_A * _NM_PER_A))
    for of in topology.types_of_atoms:
        system.addParticle(of.mass_u)
    apart = separate_pairs(topology.bonds.atoms.tolist(), n_atoms=len(topology))
    forces = {
        "bond": _build_bonds(openmm, topology.bonds),
        "angle": _build_angles(openmm, topology.angles),
        "dihedral": _build_torsions(openmm, topology.dihedrals),
        "improper": _build_torsions(openmm, topology.impropers) + _build_inversions(openmm, topology.impropers),
        "van_der_Waals": _build_lennard_jones(openmm, topology, apart=apart, cutoff_A=cutoff_A),
        "Coulomb": [
            _build_coulomb(
                openmm,
                topology,
                apart=apart,
                cutoff_A=cutoff_A,
                tolerance=ewald_tolerance,
                particle_mesh=bool(np.any(cell_A[np.tril_indices(3, k=-1)])),
            )
        ],
    }
    for group, term in enumerate(TERMS):
        for force in forces[term]:
            force.setForceGroup(group)
            system.addForce(force)
    return system


def compute_energy_terms_openmm(
    topology: Topology,
    *,
    atoms: Atoms,
    cutoff_A: float,
    ewald_tolerance: float = 1e-6,
) -> EnergyTerms:
    """Energies term by term and forces, in double precision (platform Reference).

    Args:
        topology: what acts.
        atoms: of the topology, in a cell.
        cutoff_A: see `build_openmm_system`.
        ewald_tolerance: see there.
    """
    openmm = import_openmm()
    cell_A, rotation = reduce_cell(atoms.cell.array)
    system = build_openmm_system(topology, cell_A=cell_A, cutoff_A=cutoff_A, ewald_tolerance=ewald_tolerance)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(atoms.positions @ rotation.T * _NM_PER_A)
    kj_mol = openmm.unit.kilojoule_per_mole
    energies_eV = {
        term: context.getState(getEnergy=True, groups={group}).getPotentialEnergy().value_in_unit(kj_mol)
        / KJ_MOL_PER_EV
        for group, term in enumerate(TERMS)
    }
    forces = context.getState(getForces=True).getForces(asNumpy=True).value_in_unit(kj_mol / openmm.unit.nanometer)
    forces_eV_per_A = np.asarray(forces) * _NM_PER_A / KJ_MOL_PER_EV @ rotation
    return EnergyTerms(energies_eV, forces_eV_per_A)


def import_openmm() -> Any:  # noqa: ANN401  it publishes no types
    """OpenMM.

    Raises:
        SetupError: if it is not installed.
    """
    try:
        return importlib.import_module("openmm")
    except ModuleNotFoundError as error:
        raise SetupError("This needs OpenMM, which is not installed here: see alkaliflow doctor") from error


def reduce_cell(cell_A: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same lattice in OpenMM's form (lower triangular, tilts of at most half), and the rotation Q into it.

    Args:
        cell_A: right-handed vectors as rows, shape (3, 3).

    Returns:
        The cell, and Q with turned = original @ Q.T.
    """
    orthogonal, upper = np.linalg.qr(cell_A.T)
    signs = np.sign(np.diag(upper))
    reduced, rotation = (upper * signs[:, None]).T.copy(), (orthogonal * signs).T
    for row, column in ((2, 1), (2, 0), (1, 0)):
        reduced[row] -= reduced[column] * np.round(reduced[row, column] / reduced[column, column])
    return np.tril(reduced), rotation


def _rows(terms: Terms, form: str) -> list[tuple[list[int], tuple[float, ...]]]:
    """Atoms and coefficients of the terms of one form."""
    return [
        (atoms, terms.types[kind].coefficients)
        for atoms, kind in zip(terms.atoms.tolist(), terms.kinds.tolist(), strict=True)
        if terms.types[kind].form == form
    ]


def _build_bonds(openmm: Any, terms: Terms) -> list[Any]:  # noqa: ANN401
    force = openmm.HarmonicBondForce()
    for atoms, (k_eV_per_A2, r0_A) in _rows(terms, "harmonic"):
        force.addBond(*atoms, r0_A * _NM_PER_A, k_eV_per_A2 * KJ_MOL_PER_EV / _NM_PER_A**2)
    force.setUsesPeriodicBoundaryConditions(True)
    return [force]


def _build_angles(openmm: Any, terms: Terms) -> list[Any]:  # noqa: ANN401
    harmonic = openmm.HarmonicAngleForce()
    for atoms, (k_eV, theta0_deg) in _rows(terms, "harmonic"):
        harmonic.addAngle(*atoms, np.deg2rad(theta0_deg), k_eV * KJ_MOL_PER_EV)
    fourier = openmm.CustomAngleForce("k*(c0+c1*cos(theta)+c2*cos(2*theta))")
    cosine = openmm.CustomAngleForce("k*(1+sign*cos(n*theta))")
    for force, names, form in (
        (fourier, ("k", "c0", "c1", "c2"), "fourier"),
        (cosine, ("k", "sign", "n"), "cosine"),
    ):
        for name in names:
            force.addPerAngleParameter(name)
        for atoms, (k_eV, *others) in _rows(terms, form):
            force.addAngle(*atoms, [k_eV * KJ_MOL_PER_EV, *others])
    forces = [harmonic, fourier, cosine]
    for force in forces:
        force.setUsesPeriodicBoundaryConditions(True)
    return forces


def _build_torsions(openmm: Any, terms: Terms) -> list[Any]:  # noqa: ANN401
    force = openmm.PeriodicTorsionForce()
    for atoms, values in _rows(terms, "cosines"):
        for k_eV, n, phase_deg in np.reshape(values, (-1, 3)).tolist():
            force.addTorsion(*atoms, int(n), np.deg2rad(phase_deg), k_eV * KJ_MOL_PER_EV)
    force.setUsesPeriodicBoundaryConditions(True)
    return [force]


def _build_inversions(openmm: Any, terms: Terms) -> list[Any]:  # noqa: ANN401
    """One force for each of the three bonds that can leave the plane."""
    forces = []
    for a, b, d in _OUTER:
        force = openmm.CustomCompoundBondForce(4, _INVERSION.format(a=a, b=b, d=d))
        for name in ("k", "c0", "c1", "c2"):
            force.addPerBondParameter(name)
        for atoms, (k_eV, *others) in _rows(terms, "inversion"):
            force.addBond(atoms, [k_eV * KJ_MOL_PER_EV / len(_OUTER), *others])
        force.setUsesPeriodicBoundaryConditions(True)
        forces.append(force)
    return forces


def _build_lennard_jones(
    openmm: Any,  # noqa: ANN401
    topology: Topology,
    *,
    apart: dict[tuple[int, int], int],
    cutoff_A: float,
) -> list[Any]:
    """All pairs but those of one molecule that are near, and the scaled ones of those."""
    mixed = f"sigma={_MIXED_SIGMA[topology.mixing]};epsilon=sqrt(epsilon1*epsilon2)"
    far = openmm.CustomNonbondedForce(f"{_LENNARD_JONES};{mixed}")
    far.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    far.setCutoffDistance(cutoff_A * _NM_PER_A)
    near = openmm.CustomBondForce(f"scale*{_LENNARD_JONES};{mixed}")
    for name in ("sigma", "epsilon"):
        far.addPerParticleParameter(name)
    for name in ("sigma1", "sigma2", "epsilon1", "epsilon2", "scale"):
        near.addPerBondParameter(name)
    own = [(of.sigma_A * _NM_PER_A, of.epsilon_eV * KJ_MOL_PER_EV) for of in topology.types_of_atoms]
    for values in own:
        far.addParticle(values)
    for (i, j), bonds in apart.items():
        far.addExclusion(i, j)
        if bonds == 3:  # noqa: PLR2004
            parameters = [own[i][0], own[j][0], own[i][1], own[j][1], topology.lennard_jones_scale_14]
            near.addBond(i, j, parameters)
    near.setUsesPeriodicBoundaryConditions(True)
    return [far, near]


def _build_coulomb(
    openmm: Any,  # noqa: ANN401
    topology: Topology,
    *,
    apart: dict[tuple[int, int], int],
    cutoff_A: float,
    tolerance: float,
    particle_mesh: bool,
) -> Any:  # noqa: ANN401
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.PME if particle_mesh else openmm.NonbondedForce.Ewald)
    force.setCutoffDistance(cutoff_A * _NM_PER_A)
    force.setEwaldErrorTolerance(tolerance)
    force.setUseDispersionCorrection(False)
    force.setExceptionsUsePeriodicBoundaryConditions(True)
    charges_e = topology.charges_e.tolist()
    for charge in charges_e:
        force.addParticle(charge, 1.0, 0.0)
    for (i, j), bonds in apart.items():
        scale = topology.coulomb_scale_14 if bonds == 3 else 0.0  # noqa: PLR2004
        force.addException(i, j, scale * charges_e[i] * charges_e[j], 1.0, 0.0)
    return force

"""GPAW in a process of its own: `[mpiexec -n 2] python -P -m workflows.engines.gpaw_process DIRECTORY`."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.parallel import parprint, world
from gpaw import GPAW, KohnShamConvergenceError, Mixer, MixerDif
from gpaw import __version__ as gpaw_version
from gpaw.analyse.hirshfeld import HirshfeldPartitioning

from structures.box import GRID_MULTIPLE
from structures.ghosts import find_ghosts
from workflows.engines.dispersion import add_dispersion, split_dispersion
from workflows.engines.electronic_files import LOG_FILE, Answer, Request, read_request, write_answer
from workflows.engines.electronic_relaxation import explain_unrelaxed, relax_atoms, write_final
from workflows.engines.gpaw_analyses import write_analyses
from workflows.engines.written_inputs import find_hubbard_shell

_MAX_ITERATIONS = 150
_MONOPOLE_TO_QUADRUPOLE = 9
_HELP: tuple[tuple[str, float, int, int], ...] = (
    # what it is called, mixing fraction, old densities, iterations
    ("", 0.1, 5, _MAX_ITERATIONS),
    ("slow density mixing (0.03), 400 iterations", 0.03, 7, 400),
)


def build_arguments(request: Request, *, atoms: Atoms, stage: int = 0) -> dict[str, Any]:
    """Keyword arguments of GPAW for a request.

    Args:
        request: settings, charge and multiplicity.
        atoms: decide on periodicity.
        stage: how much help the SCF gets, 0 for none.
    """
    settings = request.settings
    is_polarised = has_spins(request, atoms=atoms)
    is_at_gamma = tuple(settings["k_points"]) == (1, 1, 1)
    _, fraction, n_old, max_iterations = _HELP[stage]
    arguments: dict[str, Any] = {
        "xc": settings["xc"],
        "charge": request.charge,
        "spinpol": is_polarised,
        "symmetry": "off" if is_at_gamma else {},
        "convergence": {"energy": 1e-5, "density": 1e-4},
        "maxiter": max_iterations,
        "mixer": build_mixer(fraction, n_old=n_old, weight=50 if atoms.pbc.any() else 1, is_polarised=is_polarised),
    }
    if settings["mode"] == "pw":
        arguments["mode"] = {"name": "pw", "ecut": settings["cutoff_eV"]}
    else:
        arguments["mode"] = settings["mode"]
        arguments["gpts"] = find_grid(atoms, spacing_A=settings["spacing_A"])
    shells = {
        element: f":{find_hubbard_shell(element)[1]},{value_eV}"
        for element, value_eV in settings.get("hubbard_U_eV", {}).items()
    }
    ghosts = {int(index): "ghost" for index in np.flatnonzero(find_ghosts(atoms))}
    if shells or ghosts:
        arguments["setups"] = {**shells, **ghosts}
    if settings["mode"] == "lcao":
        arguments["basis"] = settings["basis"]
    if atoms.pbc.any():
        arguments["kpts"] = {"size": settings["k_points"], "gamma": True}
    has_faces = is_slab(atoms)
    arguments["occupations"] = {
        "name": "fermi-dirac",
        "width": settings["smearing_eV"],
        "fixmagmom": is_polarised and not has_faces,  # GPAW knows no work functions of two Fermi levels, and fails
    }
    if has_faces:
        # Without it the two faces of a slab are held at one potential, or see each other through the vacuum.
        arguments["poissonsolver"] = {"dipolelayer": "xy"}
    if not atoms.pbc.any():
        # Open boundaries: the potential of a charge falls off as 1/r, so its moments are solved for apart.
        arguments["poissonsolver"] = {
            "name": "MomentCorrectionPoissonSolver",
            "poissonsolver": "fast",
            "moment_corrections": 9,
        }
    return arguments


def build_mixer(fraction: float, *, n_old: int, weight: int, is_polarised: bool) -> Any:  # noqa: ANN401 (GPAW is untyped)
    """How old and new densities are mixed; with two spins their difference too, without which radicals oscillate."""
    if not is_polarised:
        return Mixer(fraction, n_old, weight)
    return MixerDif(fraction, n_old, weight, beta_m=fraction, nmaxold_m=n_old, weight_m=weight)


def is_slab(atoms: Atoms) -> bool:
    """Whether the third axis alone is open."""
    return bool(atoms.pbc.tolist() == [True, True, False])


def has_spins(request: Request, *, atoms: Atoms) -> bool:
    """Whether spins are told apart: unpaired electrons, or moments that the structure brings and that cancel."""
    return request.multiplicity > 1 or bool(atoms.get_initial_magnetic_moments().any())


def find_grid(atoms: Atoms, *, spacing_A: float) -> tuple[int, int, int]:
    """Points along each axis: the spacing nearest to the one asked for, in multiples that can be halved twice."""
    shares = atoms.cell.lengths() / spacing_A / GRID_MULTIPLE
    points = [GRID_MULTIPLE * max(2, round(float(share))) for share in shares]
    return points[0], points[1], points[2]


def set_start_spins(atoms: Atoms, *, multiplicity: int) -> None:
    """Start from the moments that the structure brings, if they add up; else spread the unpaired electrons evenly.

    On a slab the moment is free, and any start will do.
    """
    moments, unpaired = atoms.get_initial_magnetic_moments(), multiplicity - 1
    if moments.any() and is_slab(atoms):
        return
    if moments.any() and np.isclose(abs(moments.sum()), unpaired, atol=1e-3):
        atoms.set_initial_magnetic_moments(moments * (np.sign(np.round(moments.sum(), 3)) or 1))
    elif unpaired or moments.any():
        is_real = ~find_ghosts(atoms)
        atoms.set_initial_magnetic_moments(np.where(is_real, unpaired / is_real.sum(), 0.0))


def compute(request: Request, *, atoms: Atoms, directory: Path) -> Answer:
    """Energy, forces and charges, with help for a stubborn SCF before it counts as failed."""
    set_start_spins(atoms, multiplicity=request.multiplicity)
    trouble = ""
    for stage, (help_given, *_) in enumerate(_HELP):
        calculator: Any = GPAW(**build_arguments(request, atoms=atoms, stage=stage), txt=str(directory / LOG_FILE))
        atoms.calc = add_dispersion(calculator, settings=request.settings)
        try:
            n_steps, is_relaxed = relax_atoms(atoms, request=request, directory=directory)
            atoms.get_potential_energy()
        except KohnShamConvergenceError as error:
            trouble = str(error)
            continue
        if reason := explain_unrelaxed(request, is_relaxed=is_relaxed):
            return Answer(status="unconverged", reason=reason)
        answer = describe(request, atoms=atoms, calculator=calculator, helped=help_given)
        found = write_analyses(calculator, atoms=atoms, directory=directory, wanted=request.analyses)
        return answer.model_copy(update={"n_steps": n_steps, "is_relaxed": is_relaxed, "analyses": found})
    reason = f"the SCF of {atoms.symbols.formula} did not converge, also with {_HELP[-1][0]}: {trouble}"
    return Answer(status="unconverged", reason=reason)


def describe(
    request: Request,
    *,
    atoms: Atoms,
    calculator: Any,  # noqa: ANN401 (GPAW is untyped)
    helped: str,
) -> Answer:
    """What a converged calculation found."""
    settings = request.settings
    is_polarised = has_spins(request, atoms=atoms)
    has_charges = not atoms.pbc.any() and not find_ghosts(atoms).any()
    charges = HirshfeldPartitioning(calculator).get_charges() if has_charges else None
    energy_eV, dispersion_eV = split_dispersion(atoms)
    is_wanted = request.forces or request.force_tolerance_eV_per_A is not None
    forces = atoms.get_forces(apply_constraint=False) if is_wanted else None
    return Answer(
        status="done",
        energy_eV=energy_eV,
        dispersion_eV=dispersion_eV,
        forces_eV_per_A=None if forces is None else forces.tolist(),
        charges_e=None if charges is None else [float(value) for value in charges],
        spins=[float(value) for value in calculator.get_magnetic_moments()] if is_polarised else None,
        moment=float(calculator.get_magnetic_moment()) if is_polarised else None,
        gap_eV=find_gap_eV(*calculator.get_homo_lumo(), is_periodic=bool(atoms.pbc.any())),
        method={
            "code": "gpaw",
            "version": gpaw_version,
            "functional": settings["xc"],
            "dispersion": settings["dispersion"],
            "mode": settings["mode"],
            "resolution": describe_resolution(request, calculator=calculator),
            "cell_A": [round(float(length), 6) for length in atoms.cell.lengths()],
            "periodic": [bool(flag) for flag in atoms.pbc],
            "k_points": list(settings["k_points"]) if atoms.pbc.any() else None,
            "smearing_eV": settings["smearing_eV"],
            "hubbard_U_eV": settings.get("hubbard_U_eV") or None,
            "setups": {setup.symbol: setup.fingerprint for setup in calculator.setups if setup.type != "ghost"},
        },
        n_scf=int(calculator.get_number_of_iterations()),
        helped=helped,
    )


def find_gap_eV(homo_eV: float, lumo_eV: float, *, is_periodic: bool) -> float | None:
    """The gap, 0 where levels cross; None if no empty state was computed, and for metals that repeat."""
    gap_eV = float(lumo_eV - homo_eV)
    if not np.isfinite(gap_eV) or (is_periodic and gap_eV <= 0):
        return None
    return max(gap_eV, 0.0)


def describe_resolution(request: Request, *, calculator: Any) -> dict[str, Any]:  # noqa: ANN401 (GPAW is untyped)
    """What basis or grid the wave functions were expanded in."""
    settings = request.settings
    if settings["mode"] == "pw":
        return {"cutoff_eV": settings["cutoff_eV"]}
    grid = {"grid_points": [int(number) for number in calculator.wfs.gd.N_c]}
    return grid | ({"basis": settings["basis"]} if settings["mode"] == "lcao" else {})


def main() -> int:
    """Entry point of the process."""
    directory = Path(sys.argv[1])
    request, atoms = read_request(directory)
    answer = compute(request, atoms=atoms, directory=directory)
    if world.rank == 0:
        write_final(atoms, directory=directory)
        write_answer(directory, answer)
    parprint(answer.status, answer.reason)
    return 0


if __name__ == "__main__":
    sys.exit(main())

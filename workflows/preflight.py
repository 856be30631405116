"""What would otherwise end a run only after it has begun, looked at while nothing is started and nothing stored."""

import math
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms

from structures.errors import ConvergenceError, InputError
from workflows.calculators.lammps_potential import BlobPath
from workflows.calculators.registry import build_ase_calculator, build_lammps_potential, get_capabilities
from workflows.calculators.spec import CalculatorSpec
from workflows.configuration.sections import DynamicsSection, ResourcesSection
from workflows.engines.lammps_evaluation import evaluate_structures
from workflows.execution import choose_executor
from workflows.jobs.calculation import Calculation
from workflows.jobs.registry import find_recipe

# A run looks at its temperature thousands of times; beyond five standard deviations it finds it once in a million.
_TEMPERATURE_SIGMAS = 5.0
# About a twentieth of the shortest period of hydrogen (3000 1/cm); periods go with the root of the mass.
_TIMESTEP_FS_OF_UNIT_MASS = 1.0


def check_resources(
    calculations: Iterable[Calculation], *, resources: ResourcesSection, cores: int | None = None
) -> None:
    """Check that each calculation finds the cores and the memory that it needs, where it is to run.

    Args:
        calculations: of the run, or the largest of each kind.
        resources: as configured.
        cores: that may be busy at a time on this machine, if not as configured.

    Raises:
        InputError: if one could never run here.
    """
    executor = choose_executor(resources, store=Path(), cores=cores)  # to ask, not to start anything
    needs = [(find_recipe(c.recipe).memory_MB(c), c.ranks * c.threads) for c in calculations]
    for memory_MB, needed in sorted(needs, reverse=True):  # the largest first: its message is enough for all
        executor.check(cores=needed, memory_MB=memory_MB)


def check_calculator_starts(
    atoms: Atoms, *, spec: CalculatorSpec, blob_path: BlobPath, label: str, ranks: int = 1, threads: int = 1
) -> None:
    """Start a calculator once: LAMMPS evaluates the structure; code of the user's is imported, if it is trusted.

    Args:
        atoms: the largest structure of the run.
        spec: of the calculator.
        blob_path: finds the spec's files.
        label: the potential, as the user named it.
        ranks: MPI processes, as in the run.
        threads: OpenMP threads, as in the run.

    Raises:
        InputError: if the calculator is not trusted, cannot be imported, refuses the structure or gives no number.
    """
    capabilities = get_capabilities(spec.name)
    if capabilities.runs_user_code:
        build_ase_calculator(spec, threads=threads)
    if capabilities.engine != "lammps":
        return
    potential = build_lammps_potential(spec, elements=set(atoms.symbols), blob_path=blob_path)
    what = (
        f"calculator {spec.name}: LAMMPS does not start with {label} on the run's cell ({atoms.symbols.formula:metal})"
    )
    with tempfile.TemporaryDirectory(prefix="alkaliflow-") as scratch:
        try:
            (result,) = evaluate_structures(
                [atoms], potential=potential, directory=Path(scratch), ranks=ranks, threads=threads
            )
        except ConvergenceError as error:
            said = next((line.strip() for line in str(error).splitlines() if "ERROR" in line), str(error))
            raise InputError(
                f"{what}. It says: {said.removesuffix('Status:')} Mend {label}, or choose another calculator."
            ) from error
    if not (math.isfinite(result.energy_eV) and np.isfinite(result.forces_eV_per_A).all()):
        raise InputError(
            f"{what}: energy {result.energy_eV} eV or a force is no finite number. Mend {label}, or choose another."
        )


def check_temperatures(dynamics: DynamicsSection, *, n_mobile: int) -> None:
    """Check that the temperature, which fluctuates, stays below the limit at which a run is stopped as blown up.

    The temperature of N mobile atoms has the standard deviation T √(2 / 3N).

    Args:
        dynamics: temperatures and limit.
        n_mobile: atoms that move.

    Raises:
        InputError: if the limit is nearer than the fluctuations reach.
    """
    highest_K = max(dynamics.temperature_K, dynamics.start_temperature_K if dynamics.heat_ps > 0 else 0.0)
    needed_K = highest_K * (1 + _TEMPERATURE_SIGMAS * math.sqrt(2 / (3 * n_mobile)))
    if needed_K > dynamics.limits.temperature_K:
        raise InputError(
            f"dynamics.limits.temperature_K is {dynamics.limits.temperature_K:g}, needs at least {needed_K:.0f} K: at "
            f"{highest_K:g} K the temperature of {n_mobile} atoms fluctuates as far. Set it, e.g. "
            f"limits.temperature_K: {math.ceil(needed_K / 100) * 100}, or a lower temperature_K."
        )


def estimate_longest_timestep_fs(atoms: Atoms) -> float:
    """The time step beyond which dynamics may drift or blow up: it goes with the root of the lightest atom's mass."""
    return _TIMESTEP_FS_OF_UNIT_MASS * math.sqrt(float(atoms.get_masses().min()))

"""Fits a POD potential to labelled trajectories with LAMMPS' `fitpod`, and measures it on held-out ones."""

import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from structures.errors import ConvergenceError, InputError
from workflows.calculators.lammps_potential import LammpsPotential
from workflows.calculators.pod import COEFFICIENTS_FILE, DOMAIN_FILE, build_pod_potential
from workflows.calculators.spec import CalculatorSpec
from workflows.engines.lammps_evaluation import evaluate_structures
from workflows.engines.lammps_process import run_lammps
from workflows.jobs.calculation import Calculation
from workflows.jobs.contract import Outcome, Recipe, Workspace
from workflows.jobs.store import Finished, Store
from workflows.recipes.labelled_frames import Trajectory, read_trajectories
from workflows.recipes.pod_files import (
    DESCRIPTOR_FILE,
    FIT_INPUT_FILE,
    FITTED_BASENAME,
    PodHyperparameters,
    write_descriptor,
    write_fit_files,
)
from workflows.recipes.training_domain import TrainingDomain, fit_domain
from workflows.recipes.trajectory_split import compute_kind_errors, split_trajectories

Positive = Annotated[float, Field(gt=0)]
_FITTED = re.compile(r"Configuration: # (\d+)")


class PotentialFitSettings(BaseModel):
    """Settings of the recipe `potential_fit`.

    Attributes:
        elements: of the potential, in the order of its atom types.
        hyperparameters: size of the descriptors.
        energy_weight: of the squared error of the energy per atom.
        force_weight: of the squared error of a force component.
        kind_weights: kinds with weights (energy, force) of their own.
        regularisation: of the squared norm of the coefficients.
        held_out_fraction: share of the trajectories of each kind that the fit does not see.
        domain_fraction: share of the training atoms that is inside the trained domain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    elements: Annotated[tuple[str, ...], Field(min_length=1)]
    hyperparameters: PodHyperparameters = PodHyperparameters()
    energy_weight: Positive = 100.0
    force_weight: Positive = 1.0
    kind_weights: dict[str, tuple[float, float]] = Field(default_factory=dict)
    regularisation: Positive = 1e-8
    held_out_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.15
    domain_fraction: Annotated[float, Field(gt=0.5, le=1)] = 0.999


def run_potential_fit(calculation: Calculation, workspace: Workspace) -> Outcome:
    """Split, fit, evaluate, and describe the trained domain; `inputs` name the labelled calculations.

    Raises:
        InputError: if an input is not there, or an element of the potential is in no frame.
        ConvergenceError: if the fit gave no finite coefficients.
    """
    settings = PotentialFitSettings.model_validate(dict(calculation.settings))
    directory = workspace.directory
    trajectories = collect_trajectories(calculation.inputs, store=workspace.store)
    training, held_out = split_trajectories(
        trajectories, held_out_fraction=settings.held_out_fraction, seed=calculation.seed or 0
    )
    check_coverage(training, elements=settings.elements)
    workspace.report_progress(stage="fit", step=0, steps=sum(len(t.frames) for t in training))
    fit_coefficients(directory, training, settings, workspace=workspace)
    potential = _open_potential(directory)
    errors, domain = _evaluate(
        directory, training, held_out, potential=potential, settings=settings, workspace=workspace
    )
    domain.write(directory / DOMAIN_FILE)
    values: dict[str, Any] = {
        "elements": list(settings.elements),
        "n_coefficients": count_coefficients(directory / COEFFICIENTS_FILE),
        "errors": errors,
        "held_out": sorted(trajectory.name for trajectory in held_out),
        "n_trajectories": len(trajectories),
        "smallest_distance_A": [
            [None if np.isnan(value) else float(value) for value in row] for row in domain.smallest_distance_A
        ],
    }
    files = {"descriptor": DESCRIPTOR_FILE, "coefficients": COEFFICIENTS_FILE, "domain": DOMAIN_FILE}
    return Outcome(values=values, files={**files, "input": FIT_INPUT_FILE})


def collect_trajectories(inputs: Mapping[str, str], *, store: Store) -> list[Trajectory]:
    """The labelled trajectories that finished calculations hold, in the order of their names.

    Raises:
        InputError: if one is not finished or has no labelled frames.
    """
    trajectories: list[Trajectory] = []
    for name in sorted(inputs):
        result = store.result(inputs[name])
        if not isinstance(result, Finished) or "labelled" not in result.files:
            raise InputError(f"the input {name} ({inputs[name][:12]}) is no finished calculation with labelled frames")
        trajectories += read_trajectories(result.files["labelled"])
    return trajectories


def check_coverage(training: Sequence[Trajectory], *, elements: Sequence[str]) -> None:
    """Every element must be in the training set, and no other.

    Raises:
        InputError: names the elements.
    """
    seen = {symbol for trajectory in training for frame in trajectory.frames for symbol in frame.symbols}
    missing, foreign = sorted(set(elements) - seen), sorted(seen - set(elements))
    if missing:
        raise InputError(f"no training frame has {', '.join(missing)}; add configurations that do")
    if foreign:
        raise InputError(
            f"training frames have {', '.join(foreign)}, which elements {list(elements)} leaves out; add it"
        )


def fit_coefficients(
    directory: Path, training: Sequence[Trajectory], settings: PotentialFitSettings, *, workspace: Workspace
) -> None:
    """Write the fit's files, run `fitpod`, check what it gave and name it as the potential's coefficients.

    Raises:
        ConvergenceError: if a coefficient is missing or not finite.
    """
    frames_by_kind: dict[str, list[Atoms]] = defaultdict(list)
    for trajectory in training:
        frames_by_kind[trajectory.kind].extend(trajectory.frames)
    write_descriptor(directory / DESCRIPTOR_FILE, settings.hyperparameters, elements=settings.elements)
    write_fit_files(
        directory,
        frames_by_kind,
        weights_by_kind=settings.kind_weights,
        energy_weight=settings.energy_weight,
        force_weight=settings.force_weight,
        regularisation=settings.regularisation,
    )
    total = sum(len(frames) for frames in frames_by_kind.values())

    def follow(line: str) -> None:
        found = _FITTED.search(line)
        if found is not None:
            workspace.report_progress(stage="fit", step=min(int(found.group(1)), total), steps=total)

    run_lammps(directory, input_name=FIT_INPUT_FILE, log=directory / "log.lammps", on_line=follow)
    fitted = directory / f"{FITTED_BASENAME}_coefficients.pod"
    if not fitted.exists() or count_coefficients(fitted) == 0:
        raise ConvergenceError(f"fitpod wrote no coefficients; see {directory / 'log.lammps'}")
    fitted.replace(directory / COEFFICIENTS_FILE)


def count_coefficients(path: Path) -> int:
    """Number of coefficients in a file of `fitpod`.

    Raises:
        ConvergenceError: if one is not finite.
    """
    values = [float(line) for line in path.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
    if not np.isfinite(values).all():
        raise ConvergenceError("the fit gave coefficients that are not finite; raise regularisation, e.g. 1e-6")
    return len(values)


def _open_potential(directory: Path) -> LammpsPotential:
    files = {"descriptor": directory / DESCRIPTOR_FILE, "coefficients": directory / COEFFICIENTS_FILE}
    spec = CalculatorSpec("pod", models={role: role for role in files})
    return build_pod_potential(spec, blob_path=files.__getitem__)


def _evaluate(
    directory: Path,
    training: Sequence[Trajectory],
    held_out: Sequence[Trajectory],
    *,
    potential: LammpsPotential,
    settings: PotentialFitSettings,
    workspace: Workspace,
) -> tuple[dict[str, Any], TrainingDomain]:
    """Errors of both parts by kind; the domain of the training part."""
    models = " ".join(f"${{models}}/{name}" for name in potential.files)
    descriptors_of = f"pod/atom {models} {' '.join(potential.type_elements)}"
    descriptors: list[NDArray[np.float64]] = []
    errors: dict[str, Any] = {}
    for part, members, compute in (("training", training, descriptors_of), ("held_out", held_out, "")):
        frames = [frame for trajectory in members for frame in trajectory.frames]
        energies: dict[str, list[float]] = {trajectory.name: [] for trajectory in members}
        forces: dict[str, list[NDArray[np.float64]]] = {trajectory.name: [] for trajectory in members}
        owners = [trajectory.name for trajectory in members for _ in trajectory.frames]
        workspace.report_progress(stage=f"evaluate, {part.replace('_', ' ')}", step=0, steps=len(frames))
        evaluations = evaluate_structures(
            frames, potential=potential, directory=directory / f"evaluation-{part}", per_atom_compute=compute
        )
        for owner, evaluation in zip(owners, evaluations, strict=True):
            energies[owner].append(evaluation.energy_eV)
            forces[owner].append(evaluation.forces_eV_per_A)
            if part == "training":
                descriptors.append(evaluation.per_atom)
        kinds = compute_kind_errors(members, energies_eV=energies, forces_eV_per_A=forces)
        errors[part] = [kind.to_json() for kind in kinds]
        shutil.rmtree(directory / f"evaluation-{part}", ignore_errors=True)
    domain = fit_domain(
        [frame for trajectory in training for frame in trajectory.frames],
        descriptors=descriptors,
        elements=settings.elements,
        inside_fraction=settings.domain_fraction,
    )
    return errors, domain


POTENTIAL_FIT = Recipe(
    name="potential_fit",
    version=1,
    settings=PotentialFitSettings,
    run=run_potential_fit,
    memory_MB=lambda _: 4000.0,
)

"""Frames with energies and forces of a teacher: written, read, filtered."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from numpy.typing import NDArray

from structures.errors import CalculationError

LABELLED_FILE = "labelled.extxyz"


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Labelled frames of one run: they resemble each other, so a split keeps them together.

    Attributes:
        name: unique in its set.
        kind: of the configuration that it was sampled from.
        frames: each with energy and forces.
    """

    name: str
    kind: str
    frames: tuple[Atoms, ...]


def label_frame(atoms: Atoms, *, calculator: BaseCalculator) -> Atoms:
    """A bare copy of a structure with the teacher's energy and forces, and nothing else.

    Args:
        atoms: the structure; not changed.
        calculator: the teacher.

    Returns:
        The copy; positions wrapped into the cell.
    """
    work = atoms.copy()
    work.calc = calculator
    return with_labels(atoms, energy_eV=float(work.get_potential_energy()), forces_eV_per_A=work.get_forces())


def with_labels(atoms: Atoms, *, energy_eV: float, forces_eV_per_A: NDArray[np.float64]) -> Atoms:
    """A bare, wrapped copy of a structure that carries energy and forces."""
    bare = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    bare.wrap()
    bare.calc = SinglePointCalculator(
        bare, energy=energy_eV, forces=np.array(forces_eV_per_A, dtype=np.float64, copy=True)
    )
    return bare


def is_usable(frame: Atoms, *, max_force_eV_per_A: float) -> bool:
    """Whether energy and forces are finite and no force is beyond what the potential is to learn."""
    energy_eV, forces = frame.get_potential_energy(), frame.get_forces()
    if not (np.isfinite(energy_eV) and np.isfinite(forces).all()):
        return False
    return bool(np.linalg.norm(forces, axis=1).max() <= max_force_eV_per_A)


def write_frames(path: Path, frames: Sequence[Atoms]) -> None:
    """Write frames as extended XYZ."""
    write(path, list(frames), format="extxyz")


def read_frames(path: Path) -> list[Atoms]:
    """Read frames from extended XYZ.

    Raises:
        CalculationError: if there is none.
    """
    frames = cast("list[Atoms]", read(path, index=":", format="extxyz"))
    if not frames:
        message = f"{path} holds no frame"
        raise CalculationError(message)
    return frames


def write_trajectories(path: Path, trajectories: Sequence[Trajectory]) -> None:
    """Write labelled trajectories into one file; each frame carries the names of its trajectory and kind."""
    frames = []
    for trajectory in trajectories:
        for frame in trajectory.frames:
            frame.info = {"trajectory": trajectory.name, "kind": trajectory.kind}
            frames.append(frame)
    write_frames(path, frames)


def read_trajectories(path: Path) -> list[Trajectory]:
    """Read what `write_trajectories` wrote; frames keep their order.

    Raises:
        CalculationError: if there is no frame.
    """
    frames: dict[tuple[str, str], list[Atoms]] = {}
    for frame in read_frames(path):
        frames.setdefault((str(frame.info["trajectory"]), str(frame.info["kind"])), []).append(frame)
    return [Trajectory(name, kind, tuple(members)) for (name, kind), members in frames.items()]


def describe_trajectories(trajectories: Sequence[Trajectory], *, n_left_out: int, n_evaluations: int) -> dict[str, Any]:
    """Counts of labelled trajectories as JSON values.

    Args:
        trajectories: what was labelled.
        n_left_out: frames that were not usable.
        n_evaluations: energies and forces that the teacher was asked for.
    """
    return {
        "trajectories": [trajectory.name for trajectory in trajectories],
        "n_frames": sum(len(trajectory.frames) for trajectory in trajectories),
        "n_left_out": n_left_out,
        "n_evaluations": n_evaluations,
    }

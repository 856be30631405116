"""Splits labelled trajectories into a training and a held-out part, and measures errors by kind."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structures.errors import InputError
from workflows.recipes.labelled_frames import Trajectory

_SMALLEST_KIND = 3  # a kind with fewer trajectories is all for training


@dataclass(frozen=True)
class KindErrors:
    """Errors of a potential on frames of one kind.

    Attributes:
        kind: of the configurations, or `all`.
        n_trajectories: they come from.
        n_frames: number of frames.
        n_atoms: in all frames together.
        energy_rmse_meV_per_atom: root mean square error of the energy.
        force_rmse_eV_per_A: of a force component.
        rms_force_eV_per_A: root mean square force component by the teacher.
    """

    kind: str
    n_trajectories: int
    n_frames: int
    n_atoms: int
    energy_rmse_meV_per_atom: float
    force_rmse_eV_per_A: float
    rms_force_eV_per_A: float

    @property
    def relative_force_error(self) -> float:
        """Force error as a share of the RMS force."""
        return self.force_rmse_eV_per_A / self.rms_force_eV_per_A if self.rms_force_eV_per_A > 0 else math.inf

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        relative = self.relative_force_error
        return {**asdict(self), "relative_force_error": relative if math.isfinite(relative) else None}


def split_trajectories(
    trajectories: Sequence[Trajectory], *, held_out_fraction: float, seed: int
) -> tuple[list[Trajectory], list[Trajectory]]:
    """Training and held-out trajectories, never frames of one trajectory in both.

    Each kind of three or more trajectories gives at least one. Which ones depends on their names and the seed only, not
    on their order.

    Args:
        trajectories: all of them; names are unique.
        held_out_fraction: share of the trajectories of each kind, 0 to below 1.
        seed: of the choice.

    Returns:
        Training and held-out trajectories, in the given order.

    Raises:
        InputError: if the share is out of range or a name occurs twice.
    """
    if not 0 <= held_out_fraction < 1:
        raise InputError(f"held_out_fraction is {held_out_fraction:g}, needs 0 to below 1, e.g. 0.15")
    names = [trajectory.name for trajectory in trajectories]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the trajectory {twice[0]!r} occurs twice; give each a name of its own")
    by_kind: dict[str, list[str]] = defaultdict(list)
    for trajectory in trajectories:
        by_kind[trajectory.kind].append(trajectory.name)
    held_out: set[str] = set()
    for members in by_kind.values():
        count = math.ceil(held_out_fraction * len(members)) if len(members) >= _SMALLEST_KIND else 0
        held_out.update(sorted(members, key=lambda name: _draw(name, seed))[:count])
    return (
        [trajectory for trajectory in trajectories if trajectory.name not in held_out],
        [trajectory for trajectory in trajectories if trajectory.name in held_out],
    )


def _draw(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def compute_kind_errors(
    trajectories: Sequence[Trajectory],
    *,
    energies_eV: Mapping[str, Sequence[float]],
    forces_eV_per_A: Mapping[str, Sequence[NDArray[np.float64]]],
) -> list[KindErrors]:
    """Errors by kind, and over all kinds at the end.

    Args:
        trajectories: labelled by the teacher.
        energies_eV: trajectory's name → energy of each frame by the potential.
        forces_eV_per_A: trajectory's name → forces of each frame by the potential.
    """
    kinds = sorted({trajectory.kind for trajectory in trajectories})
    groups = [(kind, [t for t in trajectories if t.kind == kind]) for kind in kinds]
    if trajectories:
        groups.append(("all", list(trajectories)))
    errors = []
    for kind, members in groups:
        energy_errors: list[float] = []
        force_errors: list[NDArray[np.float64]] = []
        forces: list[NDArray[np.float64]] = []
        for trajectory in members:
            for frame, energy_eV, predicted in zip(
                trajectory.frames, energies_eV[trajectory.name], forces_eV_per_A[trajectory.name], strict=True
            ):
                energy_errors.append(1000 * (energy_eV - float(frame.get_potential_energy())) / len(frame))
                forces.append(frame.get_forces().ravel())
                force_errors.append(predicted.ravel() - forces[-1])
        errors.append(
            KindErrors(
                kind=kind,
                n_trajectories=len(members),
                n_frames=len(energy_errors),
                n_atoms=sum(len(values) for values in forces) // 3,
                energy_rmse_meV_per_atom=_rms(np.array(energy_errors)),
                force_rmse_eV_per_A=_rms(np.concatenate(force_errors)),
                rms_force_eV_per_A=_rms(np.concatenate(forces)),
            )
        )
    return errors


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))

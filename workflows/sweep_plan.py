"""The size of a sweep: the plans of its members summed, what several of them share counted once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from analysis.sweep_rows import describe_values, group_alike
from workflows.plan import Piece, show_duration
from workflows.sweep_axes import Axis

_MOST_SHOWN = 12


class MemberPlan(Protocol):
    """What a flow's plan tells of a member."""

    @property
    def core_hours(self) -> float:
        """Expected."""

    @property
    def disk_GB(self) -> float:
        """Expected."""

    @property
    def cores(self) -> int:
        """That can be busy at a time."""

    @property
    def expected_s(self) -> float:
        """Expected wall time."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to read before starting."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Parts of the work that other members may share."""

    def lines(self) -> list[str]:
        """What is printed of a run alone."""

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values."""


@dataclass(frozen=True)
class SweepPlan:
    """The size of a sweep.

    Attributes:
        axes: what is swept.
        members: name of a member → its values.
        plans: name of a member → its plan, in the order in which they run.
        n_at_a_time: members that go on side by side.
    """

    axes: tuple[Axis, ...]
    members: Mapping[str, Mapping[str, Any]]
    plans: Mapping[str, MemberPlan]
    n_at_a_time: int = 1

    @property
    def new(self) -> dict[str, Piece]:
        """What each member adds to those before it."""
        seen: dict[str, Piece] = {}
        return {name: _add(plan, seen=seen) for name, plan in self.plans.items()}

    @property
    def core_hours(self) -> float:
        """Expected, of all members; what they share counts once."""
        return sum(piece.core_hours for piece in self.new.values())

    @property
    def shared_core_hours(self) -> float:
        """What is saved, as members have it in common."""
        return sum(plan.core_hours for plan in self.plans.values()) - self.core_hours

    @property
    def n_shared_trajectories(self) -> int:
        """Dynamics that several members have in common, whole or in their beginning."""
        counts = Counter(
            identity
            for plan in self.plans.values()
            for identity in {piece.identity for piece in plan.pieces if piece.n_steps > 0}
        )
        return sum(count > 1 for count in counts.values())

    @property
    def n_steps(self) -> int:
        """Time steps of all members; what they share counts once."""
        return sum(piece.n_steps for piece in self.new.values())

    @property
    def disk_GB(self) -> float:
        """Expected size of the stored files."""
        return sum(piece.disk_GB for piece in self.new.values())

    @property
    def n_atoms(self) -> int | None:
        """Atoms of the largest cell of any member; None where plans do not tell."""
        return max((int(getattr(plan, "n_atoms", 0)) for plan in self.plans.values()), default=0) or None

    @property
    def expected_s(self) -> float:
        """Expected wall time on one machine, whose cores members share: that of one after the other."""
        return sum(
            plan.expected_s * _compute_share(piece.core_hours, of=plan.core_hours)
            for plan, piece in zip(self.plans.values(), self.new.values(), strict=True)
        )

    @property
    def warnings(self) -> list[str]:
        """What members share of their samples, and each warning of them once; see `group_alike`."""
        told = [(name, text) for name, plan in self.plans.items() for text in plan.warnings]
        shared = self.n_shared_trajectories
        belong = "1 trajectory belongs" if shared == 1 else f"{shared} trajectories belong"
        own = [f"{belong} to several members, which are not independent of each other for that"]
        return own * (shared > 0) + group_alike(told, n_runs=len(self.plans))

    def lines(self) -> list[str]:
        """What to print before anything starts."""
        new, cores = self.new, max(plan.cores for plan in self.plans.values())
        names = list(self.plans)
        shown = names if len(names) <= _MOST_SHOWN else [*names[: _MOST_SHOWN - 1], names[-1]]
        members = [
            f"  {name}  {describe_values(self.members[name])}: {new[name].core_hours:.2g} core-hours" for name in shown
        ]
        if len(shown) < len(names):
            members.insert(-1, f"  …  {len(names) - len(shown)} more")
        sizes = [
            f"{self.n_atoms} atoms at most" if self.n_atoms else "",
            f"{self.n_steps} steps" if self.n_steps else "",
        ]
        order = "one after the other" if self.n_at_a_time == 1 else f"{self.n_at_a_time} at a time"
        shared = self.shared_core_hours
        on = "1 core" if cores == 1 else f"{cores} cores"
        work = f"{self.core_hours:.2g} core-hours"
        return [
            *(f"sweep       {axis.key}: {len(axis.values)} values" for axis in self.axes),
            f"members     {len(names)}, {order} in one store; each adds",
            *members,
            *(f"size        {text}" for text in [", ".join(filter(None, sizes))] if text),
            f"expected    {show_duration(self.expected_s)} on {on} ({work}), {self.disk_GB:.2g} GB of disk",
            f"shared      {shared:.2g} core-hours that several members need are computed once"
            if shared > 0
            else "shared      nothing that could be told before the runs",
            *(f"note        {warning}" for warning in self.warnings),
        ]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values, with the plan of each member."""
        return {
            "axes": {axis.key: list(axis.values) for axis in self.axes},
            "n_members": len(self.plans),
            "n_at_a_time": self.n_at_a_time,
            "n_atoms": self.n_atoms,
            "n_steps": self.n_steps,
            "core_hours": self.core_hours,
            "shared_core_hours": self.shared_core_hours,
            "disk_GB": self.disk_GB,
            "expected_s": round(self.expected_s),
            "warnings": self.warnings,
            "members": {
                name: {"values": dict(self.members[name]), **plan.to_json()} for name, plan in self.plans.items()
            },
        }


def _compute_share(part: float, *, of: float) -> float:
    """The share of a member's work that is its own; all of it where there is none to share."""
    return part / of if of > 0 else 1.0


def _add(plan: MemberPlan, *, seen: dict[str, Piece]) -> Piece:
    """What a plan adds to the pieces that were seen, which then hold its own as well."""
    n_steps = int(getattr(plan, "n_steps", 0))
    core_hours, disk_GB = plan.core_hours, plan.disk_GB
    for piece in plan.pieces:
        before = seen.get(piece.identity, Piece(piece.identity, 0.0))
        core_hours -= min(piece.core_hours, before.core_hours)
        n_steps -= min(piece.n_steps, before.n_steps)
        disk_GB -= min(piece.disk_GB, before.disk_GB)
        seen[piece.identity] = max(piece, before, key=lambda one: one.core_hours)
    return Piece("", core_hours=core_hours, n_steps=n_steps, disk_GB=disk_GB)

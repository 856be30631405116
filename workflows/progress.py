"""Shows how a run gets on: a live display in a terminal, plain lines elsewhere, or nothing.

A flow passes `report` on as `on_progress`; whoever started the flow listens, and without a listener nothing happens.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from workflows.plan import show_duration

Event = Mapping[str, Any]
Mode = Literal["live", "lines", "none"]
FINISHED_STATES = frozenset({"done", "reused", "failed"})
LINE_EVERY_SHARE = 0.1
LINE_EVERY_S = 60.0
LINES_APART_S = 10.0
_LISTENERS: list[Callable[[Event], None]] = []


def report(event: Event) -> None:
    """Tell whoever listens that a calculation has moved.

    Args:
        event: `key`, `label`, `state`, `reason` (what is waited for), `hint` (said once, whichever calculations it is
            about) and what is known of `stage`, `step`, `steps`, `segment`, `ns_per_day`.
    """
    for listener in _LISTENERS:
        listener(event)


@contextlib.contextmanager
def listen(listener: Callable[[Event], None]) -> Iterator[None]:
    """Have a listener called for each event inside."""
    _LISTENERS.append(listener)
    try:
        yield
    finally:
        _LISTENERS.remove(listener)


@dataclass
class Tally:
    """What is known of the calculations of a run.

    Attributes:
        latest: key → last event.
        since_s: key → when it began to run, on the monotonic clock.
    """

    latest: dict[str, dict[str, Any]] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)

    def add(self, event: Event) -> dict[str, Any]:
        """Take an event; returns it with `time_left_s` where it can be told."""
        key = str(event["key"])
        merged = {**event}
        if merged.get("state") == "running":
            self.since_s.setdefault(key, time.monotonic())
        left = estimate_time_left_s(merged)
        if left is not None:
            merged.setdefault("time_left_s", left)
        self.latest[key] = merged
        return merged

    def count(self, *states: str) -> int:
        """Calculations in one of the states."""
        return sum(1 for event in self.latest.values() if event.get("state") in states)

    def n_segments_committed(self, *, segment_steps: int) -> int:
        """Segments that are safe on disk, of all calculations with dynamics."""
        total = 0
        for event in self.latest.values():
            if event.get("state") in FINISHED_STATES and event.get("segment") is not None:
                total += round(int(event.get("steps", 0)) / segment_steps)
            else:
                total += int(event.get("segment") or 0)
        return total


def estimate_time_left_s(event: Event) -> float | None:
    """Seconds until a calculation is done, from its speed; None if that is not known."""
    step, steps, rate = event.get("step"), event.get("steps"), event.get("steps_per_s")
    if step is None or steps is None or not rate:
        return None
    return float(max(0, steps - step) / rate)


def describe(event: Event) -> str:
    """Stage, steps, speed and time left in one line."""
    parts = [str(event["stage"])] if event.get("stage") else []
    if event.get("steps"):
        parts.append(f"step {event.get('step', 0)} of {event['steps']}")
    if event.get("ns_per_day"):
        parts.append(f"{event['ns_per_day']:.3g} ns/day")
    if event.get("time_left_s") is not None and event.get("state") == "running":
        parts.append(f"{show_duration(event['time_left_s'])} left")
    return ", ".join(parts)


class Display(Protocol):
    """Something that shows events."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def close(self) -> None:
        """Leave the terminal in order."""


class Silence:
    """Shows nothing."""

    def show(self, event: Event) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass
class Lines:
    """A plain line whenever a calculation changes its state, and now and then between, for logs of any length."""

    console: Console
    clock: Callable[[], float] = time.monotonic
    shown: dict[str, tuple[str, str, float, float]] = field(default_factory=dict)
    hints: set[str] = field(default_factory=set)

    def show(self, event: Event) -> None:
        """Print a line if there is news."""
        key, state, stage = str(event["key"]), str(event.get("state", "")), str(event.get("stage", ""))
        if state == "new":
            return
        share = float(event.get("step") or 0) / float(event.get("steps") or 1)
        before = self.shown.get(key)
        now = self.clock()
        is_news = before is None or before[0] != state
        is_due = (
            before is not None
            and state == "running"
            and now - before[3] >= LINES_APART_S
            and (
                before[1] != stage
                or share - before[2] > LINE_EVERY_SHARE - 1e-9
                or (share > before[2] and now - before[3] > LINE_EVERY_S)
            )
        )
        if not (is_news or is_due):
            return
        self.shown[key] = (state, stage, share, now)
        details = describe(event) if state == "running" else str(event.get("reason", ""))
        self.console.print(f"{event.get('label', key[:12])}: {state}{', ' + details if details else ''}", markup=False)
        _print_hint(event, console=self.console, told=self.hints)

    def close(self) -> None:
        """Nothing to put in order."""


class Live:
    """One live line for each running calculation, a lasting one for each that has ended or has to wait."""

    def __init__(self, console: Console) -> None:
        """Start the display."""
        self.console = console
        self.tasks: dict[str, TaskID] = {}
        self.told: dict[str, str] = {}
        self.hints: set[str] = set()
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[details]}", markup=False),
            console=console,
            transient=True,
            refresh_per_second=4,
        )
        self.progress.start()

    def show(self, event: Event) -> None:
        """Update the line of the event's calculation."""
        key, state = str(event["key"]), str(event.get("state", ""))
        label = str(event.get("label", key[:12]))
        if state != "running" and key in self.tasks:
            self.progress.remove_task(self.tasks.pop(key))
        if state == "running":
            self.told.pop(key, None)
            if key not in self.tasks:
                self.tasks[key] = self.progress.add_task(label, total=None, details="")
            self.progress.update(
                self.tasks[key], total=event.get("steps"), completed=event.get("step", 0), details=describe(event)
            )
        elif (state in FINISHED_STATES or event.get("reason")) and self.told.get(key) != state:
            self.told[key] = state
            details = f", {event['reason']}" if event.get("reason") else ""
            self.progress.console.print(f"{label}: {state}{details}", markup=False, highlight=False)
            _print_hint(event, console=self.progress.console, told=self.hints)

    def close(self) -> None:
        """Take the live lines away."""
        self.progress.stop()


def _print_hint(event: Event, *, console: Console, told: set[str]) -> None:
    """Print the hint of an event on a line of its own, unless it was told before."""
    hint = str(event.get("hint") or "")
    if hint and hint not in told:
        told.add(hint)
        console.print(hint, markup=False, highlight=False)


def choose_mode(console: Console, *, quiet: bool) -> Mode:
    """Live in a terminal, lines elsewhere, nothing if quiet."""
    if quiet:
        return "none"
    return "live" if console.is_terminal and not console.is_dumb_terminal else "lines"


@contextlib.contextmanager
def show_progress(console: Console, *, mode: Mode) -> Iterator[Tally]:
    """Show the events that flows report inside; gives the tally of them."""
    tally = Tally()
    display: Display = Live(console) if mode == "live" else Lines(console) if mode == "lines" else Silence()
    try:
        with listen(lambda event: display.show(tally.add(event))):
            yield tally
    finally:
        display.close()

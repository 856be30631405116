"""Named edges of a calculation's life, at which a test may stop the process as a power cut would."""

import os
import signal

EDGES = (
    "calculation-written",
    "attempt-claimed",
    "worker-spawned",
    "worker-entered",
    "started",
    "segment-computed",
    "segment-committed",
    "computed",
    "result-written",
    "result-linked",
    "exit-written",
)


def edge(name: str) -> None:
    """Kill this process here if `ALKALIFLOW_KILL_AT` names the edge (`NAME` or `NAME:N` for the N-th passage)."""
    target = os.environ.get("ALKALIFLOW_KILL_AT")
    if target is None:
        return
    wanted, _, count = target.partition(":")
    if name != wanted:
        return
    _PASSAGES[name] = _PASSAGES.get(name, 0) + 1
    if _PASSAGES[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


_PASSAGES: dict[str, int] = {}

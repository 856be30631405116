"""Who a process is, so that another one can tell whether it still lives."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _start_ticks(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None if it is gone or a zombie."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def describe_process() -> dict[str, Any]:
    """This process, beyond doubt: host, boot, PID namespace, PID and start time."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "boot": _read("/proc/sys/kernel/random/boot_id").strip(),
        "namespace": _namespace(),
        "pid": pid,
        "start_ticks": _start_ticks(pid),
    }


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def is_alive(process: object) -> bool | None:
    """Whether a described process lives; None if it cannot be told from here.

    That is so of another host, another PID namespace, or if the description is damaged. A host of the same name that
    was started again since is known to have lost it.
    """
    here = describe_process()
    if not isinstance(process, Mapping) or not set(here) <= set(process):
        return None
    if process["host"] == here["host"] and process["boot"] != here["boot"]:
        return False
    if any(process[name] != here[name] for name in ("host", "boot", "namespace")):
        return None
    ticks = _start_ticks(int(process["pid"]))
    return ticks is not None and ticks == process["start_ticks"]

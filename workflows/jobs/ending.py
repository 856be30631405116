"""Asks described processes of this machine to end, never another one that has got the same number since."""

import os
import select
import signal
from collections.abc import Mapping
from typing import Any

from workflows.jobs.process import is_alive


def send_signal(process: Mapping[str, Any], number: signal.Signals) -> bool:
    """Send a signal to a process; returns whether it lived on this machine to get it."""
    descriptor = _open(process)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def wait_until_ended(process: Mapping[str, Any], *, timeout_s: float) -> bool:
    """Wait for a process of this machine to end; returns whether it has."""
    descriptor = _open(process)
    if descriptor is None:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(1000 * timeout_s))
    finally:
        os.close(descriptor)


def _open(process: Mapping[str, Any]) -> int | None:
    """A handle of the process, which is that very one; None if it does not live on this machine."""
    try:
        descriptor = os.pidfd_open(int(process["pid"]))
    except (ProcessLookupError, KeyError):
        return None
    if is_alive(process):  # asked after opening: the handle cannot change its process any more
        return descriptor
    os.close(descriptor)
    return None

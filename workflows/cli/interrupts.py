"""Ctrl-C in commands that only look: noted by a handler, as an exception it is lost where Python cannot raise one."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LISTEN_EVERY_S = 0.1


@contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """A list that gets an entry each time Ctrl-C is pressed."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def is_interrupted(interrupts: list[int], *, within_s: float) -> bool:
    """Wait so long; at once whether Ctrl-C was pressed."""
    end_s = time.monotonic() + within_s
    while not interrupts and time.monotonic() < end_s:
        time.sleep(_LISTEN_EVERY_S)
    return bool(interrupts)

"""Has every Python whose path leads here know the toy flows, also the drivers that a test starts."""

from toy_registration import ENTRIES  # type: ignore[import-not-found]  # beside it

from workflows.flows import FLOWS

FLOWS.update(ENTRIES)

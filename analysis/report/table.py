"""What every table of the report is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with a caption, a header and rows of text."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

"""A chain of segments: stretches of dynamics, each committed whole by a rename, the first one in wins."""

import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows.jobs.durable import compute_sha256, publish_directory, read_sealed_json, seal, write_json

_RECORD = "segment.json"


@dataclass(frozen=True)
class Segment:
    """A committed stretch of dynamics.

    Attributes:
        number: its place in the chain, from 0.
        directory: its files, never changed.
        record: what was recorded with it (`files` holds the checksums).
    """

    number: int
    directory: Path
    record: Mapping[str, Any]


@dataclass(frozen=True)
class SegmentChain:
    """The segments of one chain of dynamics in the store.

    Attributes:
        directory: of the chain.
        quarantine: where damaged segments are moved to.
        edge: fault hook.
    """

    directory: Path
    quarantine: Path
    edge: Callable[[str], None] = lambda _: None

    def segment_directory(self, number: int) -> Path:
        """Where the segment of that number is, or will be."""
        return self.directory / "segments" / f"{number:06d}"

    def committed(self) -> list[Segment]:
        """The sound segments from 0 without a gap; a damaged one is moved to quarantine and ends the list.

        A segment whose predecessor was recomputed with another outcome does not fit the chain and counts as damaged.
        """
        segments: list[Segment] = []
        while True:
            directory = self.segment_directory(len(segments))
            if not directory.is_dir():
                return segments
            segment = self._read_sound(len(segments), follows=segments[-1].record["files"] if segments else None)
            if segment is None:
                self._set_aside(directory)
                return segments
            segments.append(segment)

    def commit(self, number: int, directory: Path, record: Mapping[str, Any]) -> Segment:
        """Add a finished segment; if a sound one is there already, that one stands and this one is discarded.

        Args:
            number: place in the chain.
            directory: holds the segment's files; it becomes the segment.
            record: JSON values to keep with it.
        """
        files = {path.name: compute_sha256(path) for path in sorted(directory.iterdir()) if path.name != _RECORD}
        before = read_sealed_json(self.segment_directory(number - 1) / _RECORD) if number else None
        document = {**record, "number": number, "files": files, "follows": before["files"] if before else None}
        write_json(directory / _RECORD, seal(document))
        self.edge("segment-computed")
        target = self.segment_directory(number)
        if not publish_directory(directory, target):
            earlier = self._read_sound(number, follows=document["follows"])
            if earlier is not None:
                shutil.rmtree(directory)
                return earlier
            # Damaged, behind another damaged one that ended the list of what is committed.
            self._set_aside(target)
            if not publish_directory(directory, target):
                message = f"{target} was replaced while it was being written by another worker"
                raise OSError(message)
        self.edge("segment-committed")
        return Segment(number=number, directory=target, record=document)

    def _read_sound(self, number: int, *, follows: Mapping[str, str] | None) -> Segment | None:
        """The segment of that number, if its files are whole and it follows that one; else None."""
        directory = self.segment_directory(number)
        record = read_sealed_json(directory / _RECORD)
        if record is None or not _is_sound(directory, record) or record.get("follows") != follows:
            return None
        return Segment(number=number, directory=directory, record=record)

    def _set_aside(self, directory: Path) -> None:
        self.quarantine.mkdir(parents=True, exist_ok=True)
        directory.rename(self.quarantine / f"{self.directory.name}-{directory.name}-{uuid.uuid4().hex[:8]}")


def _is_sound(directory: Path, record: Mapping[str, Any]) -> bool:
    files = record.get("files")
    if not isinstance(files, dict):
        return False
    return all(
        (directory / name).is_file() and compute_sha256(directory / name) == digest for name, digest in files.items()
    )

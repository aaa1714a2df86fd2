"""A witness beside the admission log: how far it reached when a verdict was last shown (SPEC 7.2).

A log that was cut between two records by something else than a crash is whole by its own account. The witness is
written after the record is on the disk, without a flush of its own, so that it never tells of more than there is, and
costs a scan nothing. It only ever speaks up: a gate without one, or with a damaged one, works.
"""

import os
from contextlib import suppress
from pathlib import Path

from credential.wire import Reader, WireError
from verifier.records import CHAIN_BYTES, HEADER_BYTES

MAGIC = b"TSW\0"
_SIZE_BYTES = 8


def path_beside(log: Path) -> Path:
    return log.with_suffix(".witness")


class Witness:
    """Keeps the mark of one open log."""

    def __init__(self, log: Path) -> None:
        self._path = path_beside(log)
        self._descriptor: int | None = None

    def reached(self, size: int, chain: bytes) -> None:
        """The log is `size` bytes long and ends in `chain`. Best effort: never keeps an admission from being shown."""
        with suppress(OSError):
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(self._descriptor, MAGIC + size.to_bytes(_SIZE_BYTES) + chain, 0)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


def contradicts(log: Path, good_bytes: int) -> bool:
    """Whether the log, whole up to `good_bytes`, lacks what its witness saw, or holds something else in its place."""
    try:
        reader = Reader(path_beside(log).read_bytes())
        magic, size, chain = reader.take(len(MAGIC)), reader.uint(_SIZE_BYTES), reader.take(CHAIN_BYTES)
    except (OSError, WireError):
        return False
    if magic != MAGIC or size <= HEADER_BYTES:
        return False
    return size > good_bytes or _chain_before(log, size) != chain


def _chain_before(log: Path, size: int) -> bytes:
    with log.open("rb") as file:
        return os.pread(file.fileno(), CHAIN_BYTES, size - CHAIN_BYTES)

"""Files that are either the old or the new, never half: and a lock that one process holds."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from verifier.errors import GateError
from verifier.i18n import gettext as _


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` under a temporary name, flush it to the disk, and rename: durable and atomic on return."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    sync_directory(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """`os.write` until everything is written: it may take less than it was given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file, or raise `GateError("gate_in_use")`. The system lets go of it when the process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise GateError(
                "gate_in_use", _("Another process works on this gate's data. End it first, or use another folder.")
            ) from None
        yield
    finally:
        os.close(descriptor)

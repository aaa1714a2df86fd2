"""Who was erased, kept outside the database: an older backup that is put back still has them, and forgets them again.

One line for each, of the person's random id, in the data folder's file `erased` and in a copy beside the backups. It
says nothing of anybody.
"""

import os
import re
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine

from backend.credentials.private_files import sync_folder
from backend.privacy.rights import forget_again

FILE = "erased"
_LINE = re.compile(rb"[0-9a-f]{32}")


def record(folder: Path, person: UUID) -> None:
    """On disk when this returns, before the person is erased: to be erased twice harms nobody."""
    _append(folder, [person])


def everybody(folder: Path) -> list[UUID]:
    """Who is on record there, the first first. What a crash left of a line is not counted."""
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(UUID(line.decode()) for line in data.split(b"\n") if _LINE.fullmatch(line)))


def bring(source: Path, target: Path) -> None:
    """Put on record in `target` whoever is on record in `source` alone."""
    known = set(everybody(target))
    missing = [one for one in everybody(source) if one not in known]
    if missing:
        _append(target, missing)


def erase_again(engine: Engine, folder: Path) -> int:
    """Forget whoever is on record and in the database; how many people."""
    return forget_again(engine, everybody(folder))


def _append(folder: Path, people: list[UUID]) -> None:
    file = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(file, "r+b") as target:
        size = os.fstat(file).st_size
        broken = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        target.write(b"\n" * broken + b"".join(f"{one.hex}\n".encode() for one in people))
        target.flush()
        os.fsync(file)
    sync_folder(folder)

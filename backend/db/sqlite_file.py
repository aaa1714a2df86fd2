"""Keep an engine's connections on the file that its address names.

A connection to a file that was moved away goes on reading and writing it there, whatever was put in its place: a shop
would sell into what was thrown away, and a worker would never see that a backup was restored.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_FILE = "truestub_file"  # in a pooled connection's record: the file it is open on


def stay_on_file(engine: Engine) -> None:
    """Let go of connections whose file was moved away, and make no empty one in its place."""
    path = Path(str(engine.url.database or ""))
    if path.name in ("", ":memory:"):
        return
    opened = False

    def refuse_to_make(*_arguments: object) -> None:
        if opened and not path.exists():
            error = sqlite3.OperationalError(f"{path} was moved away")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error

    def remember(_connection: object, record: Any) -> None:  # noqa: ANN401 - the pool's own type
        nonlocal opened
        opened, record.info[_FILE] = True, _identity(path)

    def compare(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401 - the pool's own type
        if record.info[_FILE] != _identity(path):
            raise DisconnectionError

    event.listen(engine, "do_connect", refuse_to_make)
    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", compare)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino

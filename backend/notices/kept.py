"""A copy of the confirmed subscribers beside the database, for the hour in which the database is what failed.

One line for each: id, channel, language, and the address as the database has it, encrypted. Who unsubscribes is out of
the copy within `KEEP_SECONDS`, as long as the database answers.
"""

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, func, select

from backend.db.tables.telling import Subscriber
from backend.notices.subscribers import Book, Who

KEEP_SECONDS = 5  # between two looks at whether somebody came or went
MAX_KEPT = 100_000  # subscribers; about 30 MB
KEPT_FILE = "subscribers.kept"


class Kept:
    """The copy in a folder. For one thread."""

    def __init__(self, folder: Path, book: Book) -> None:
        self._file, self._book = folder / KEPT_FILE, book
        self._due = 0.0
        self._state: tuple[object, ...] | None = None

    def renew(self, connection: Connection) -> None:
        """Write the copy anew if somebody came or went; best effort, whole or not at all."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + KEEP_SECONDS
        confirmed = Subscriber.state == "confirmed"
        count = select(func.count(), func.max(Subscriber.confirmed_ms)).where(confirmed)
        state = tuple(connection.execute(count).one())
        if state == self._state:
            return
        query = select(Subscriber.id, Subscriber.channel, Subscriber.language, Subscriber.address_box).where(confirmed)
        draft = self._file.with_suffix(f".{os.getpid()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                for row in connection.execute(query.limit(MAX_KEPT).execution_options(yield_per=1000)):
                    box = base64.b64encode(row.address_box).decode()
                    file.write(json.dumps([row.id.hex, row.channel, row.language, box]) + "\n")
            draft.replace(self._file)
        except OSError:
            draft.unlink(missing_ok=True)
            return
        self._state = state

    def everybody(self) -> Iterator[Who]:
        """Who was subscribed when the copy was made; nobody if there is none that we can read."""
        try:
            with self._file.open() as file:
                for line in file:
                    name, channel, language, box = json.loads(line)
                    address = self._book.unboxed(base64.b64decode(box))
                    if address is not None:
                        yield Who(UUID(hex=name), channel, address, language, "confirmed")
        except (OSError, ValueError):
            return

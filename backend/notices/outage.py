"""Tell subscribers that the database is away, while it is: nothing of this reads or writes the database.

Whom to tell stands in the copy that `kept` keeps. Who could not be reached is tried again until the database is back.
Then the incident is written and goes the usual way, and who was told already is not told the same again.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event, Lock, Thread
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from backend.db.failures import Failure
from backend.notices.kept import Kept
from backend.notices.outbox import NotSentError, note_told
from backend.notices.subscribers import Who

THREADS = 16
AGAIN_SECONDS = 5.0  # before those are tried again who were not reached
LAST_SECONDS = 2.0  # what is on its way when the database is back may take so long to arrive; later it is sent again


class Send(Protocol):
    """To one, of an outage since that Unix millisecond; or `NotSentError`."""

    def __call__(self, who: Who, since_ms: int, failure: Failure) -> None: ...


_log = logging.getLogger(__name__)


class OutageTeller:
    """One outage at a time. `begin` and `end` are called by one thread."""

    def __init__(self, kept: Kept, send: Send) -> None:
        self._kept, self._send = kept, send
        self._run: _Run | None = None
        self._told: set[UUID] = set()

    def renew(self, connection: Connection) -> None:
        """Look at who is subscribed, while that can be seen."""
        self._kept.renew(connection)

    def begin(self, since_ms: int, failure: Failure) -> None:
        """Tell everybody, in a thread of its own; nothing if that has begun already."""
        if self._run is None:
            self._run = _Run(list(self._kept.everybody()), partial(self._send, since_ms=since_ms, failure=failure))
            self._run.start()

    def end(self) -> None:
        """The database is back: no more letters of this kind."""
        if self._run is not None:
            self._told, self._run = self._run.end(), None

    def write(self, connection: Connection, note: int) -> None:
        """Remember in the database who was told of this note while it was away, and forget it here."""
        told, self._told = self._told, set()
        note_told(connection, note, told)


class _Run(Thread):
    """The letters of one outage."""

    def __init__(self, left: list[Who], send: Callable[[Who], None]) -> None:
        super().__init__(name="outage", daemon=True)
        self._left, self._send = left, send
        self._told: set[UUID] = set()
        self._lock = Lock()
        self._over = Event()

    def end(self) -> set[UUID]:
        """Who was told. Whoever is told later than `LAST_SECONDS` from now is told twice, rather than never."""
        self._over.set()
        self.join(LAST_SECONDS)
        with self._lock:
            return set(self._told)

    def run(self) -> None:
        """Try everybody until the outage is over, again and again those who were not reached."""
        left = self._left
        while left and not self._over.is_set():
            began = time.monotonic()
            with ThreadPoolExecutor(THREADS) as threads:
                reached = list(threads.map(self._one, left))
            left = [who for who, done in zip(left, reached, strict=True) if not done]
            _log.warning("the database is away: %d told, %d not reached yet", len(self._told), len(left))
            self._over.wait(max(0.0, AGAIN_SECONDS - (time.monotonic() - began)))

    def _one(self, who: Who) -> bool:
        if self._over.is_set():
            return False
        try:
            self._send(who)
        except NotSentError:
            return False
        except Exception as error:  # noqa: BLE001 - whatever it is, the other letters go on
            _log.warning("a letter about the database failed: %s", type(error).__name__)
            return False
        with self._lock:
            self._told.add(who.id)
        return True

"""The watcher: looks at everything once a second, opens and closes incidents, and has people told.

It is a thread of the worker and not one of its tasks, because it must notice when the database, which tasks need, is
away. While it is, the watcher remembers since when, and has subscribers told from a copy of theirs; the incident is
written when the database is back. A database that takes a question and gives no answer is away as well: a second thread
minds the first. One watcher leads, by a lease; should two look at once, a unique index keeps an incident from opening
twice, and only the one that led last tells.
"""

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from backend.chain import leases
from backend.clock import Clock
from backend.db.engine import read
from backend.db.failures import UNWRITABLE, Failure, failure_of
from backend.db.tables.drains import MINTS, remember_rate, remembered_rate
from backend.db.tables.telling import Incident
from backend.ops import incident_store
from backend.ops.disk import free_bytes
from backend.ops.estimate import Drain, Sample, seconds_after_return, seconds_to_drain
from backend.ops.health import judge
from backend.ops.incidents import OPEN_AFTER_MS, Memory, Trouble, step, troubles_of
from backend.ops.readings import WATCH_LEASE, Readings, keep, kept, take_readings

LOOK_SECONDS = 1.0
KEEP_SECONDS = 10  # between two copies of the readings on disk
LEASE_SECONDS = 5  # renewed at every look; when the leader is killed, the next one leads so much later
WORTH_REMEMBERING = 0.2  # a rate that changed by this share
ALARM_MS = 5_000  # after which operators are told that the database is away
TELL_MS = 20_000  # after which subscribers are: a standby that takes over is there before
HANGING_SECONDS = 5.0  # a look that takes longer waits for a database that does not answer

Tell = Callable[[Connection, list[int]], None]  # in the transaction that wrote the notes

_log = logging.getLogger(__name__)


class Outage(Protocol):
    """Tells subscribers without the database (backend.notices.outage)."""

    def renew(self, connection: Connection) -> None:
        """Look at who is subscribed, while that can be seen."""

    def begin(self, since_ms: int, failure: Failure) -> None:
        """Tell everybody, once, without making the caller wait."""

    def end(self) -> None:
        """The database is back."""

    def write(self, connection: Connection, note: int) -> None:
        """Write down who knows of this note already."""


class Watcher:
    """For one thread. `tell` puts what subscribers are to be sent into the outbox; `alarm` and `outage` need none.

    `engine` had better not wait for a standby: people must be told while that is silent.
    """

    def __init__(
        self,
        engine: Engine,
        data_dir: Path,
        signer_socket: Path,
        clock: Clock,
        holder: str,
        tell: Tell | None = None,
        alarm: Callable[[Failure], None] | None = None,
        outage: Outage | None = None,
    ) -> None:
        self._engine, self._data_dir, self._socket = engine, data_dir, signer_socket
        self._clock, self._holder, self._tell = clock, holder, tell or (lambda _connection, _notes: None)
        self._memory = Memory()
        self._drain: Drain | None = None  # with what the database remembers, once that was read
        self._remembered = 0.0  # the rate that is written there
        self._alarm, self._outage = alarm or (lambda _failure: None), outage
        self._looking: float | None = None  # since when, by the monotonic clock
        self._led = False
        self._away_ms: int | None = None
        self._failure: Failure = "unreachable"  # while it is away
        self._alarmed = False
        self._kept_ms = 0
        self._most = 0  # tickets that waited at once since the chain's trouble began

    def run(self, stop: Event) -> None:
        """Look again and again until `stop` is set; nothing that goes wrong ends it."""
        Thread(target=self._mind, args=(stop,), name="watcher-minder", daemon=True).start()
        while not stop.wait(LOOK_SECONDS):
            self._looking = time.monotonic()
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the one who watches over faults must survive them
                _log.warning("the watcher could not look: %s", type(error).__name__)
                _log.debug("the watcher could not look", exc_info=error)
            finally:
                self._looking = None

    def look(self) -> bool:
        """Look once; False if another leads or the database is away."""
        try:
            held = leases.take(self._engine, WATCH_LEASE, self._holder, LEASE_SECONDS)
            self._led = held is not None
            if held is None:
                return False
            self._write(*self._read())
        except IntegrityError:
            return False  # another watcher was first; its incident is the one
        except Exception as error:
            failure = failure_of(error)
            if failure is None or failure == "conflict":
                raise
            self.is_away(round(self._clock() * 1000), failure)
            return False
        self._away_ms, self._alarmed = None, False
        return True

    def is_away(self, now: int, failure: Failure = "unreachable") -> None:
        """The database does not answer or takes nothing, at that Unix millisecond: have people told if that lasts."""
        since = self._away_ms = self._away_ms or now
        self._failure = failure
        if failure in UNWRITABLE:
            known = kept(self._data_dir) or Readings(at_ms=now)
            keep(dataclasses.replace(known, at_ms=now, unwritable=failure, unwritable_ms=since), self._data_dir)
            self._kept_ms = 0  # once it can be written to, that is kept at once
        if not self._alarmed and now - since >= ALARM_MS:
            self._alarmed = True
            Thread(target=self._alarm, args=(failure,), name="alarm", daemon=True).start()
        if self._outage and self._led and now - since >= TELL_MS:
            self._outage.begin(since, failure)

    def _mind(self, stop: Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            began = self._looking
            if began is not None and time.monotonic() - began > HANGING_SECONDS:
                self.is_away(round(self._clock() * 1000))

    def _read(self) -> tuple[Readings, Drain]:
        with read(self._engine) as connection:
            found = take_readings(connection, self._socket, free_bytes(self._data_dir))
            if self._drain is None:
                known = remembered_rate(connection, MINTS)
                self._drain, self._remembered = Drain(known), known or 0.0
            if self._outage:
                self._outage.end()
                self._outage.renew(connection)
        self._learn(self._drain, found)
        if found.at_ms - self._kept_ms > KEEP_SECONDS * 1000:
            keep(found, self._data_dir)
            self._kept_ms = found.at_ms
        return found, self._drain

    def _learn(self, drain: Drain, found: Readings) -> None:
        drain.note(Sample(found.at_ms, found.minted, found.mints_behind))
        learnt = drain.learnt
        if learnt is not None and abs(learnt - self._remembered) > WORTH_REMEMBERING * self._remembered:
            with self._engine.begin() as connection:
                remember_rate(connection, MINTS, learnt, found.at_ms)
            self._remembered = learnt

    def _write(self, found: Readings, drain: Drain) -> None:
        now = found.at_ms
        troubles = troubles_of(judge(found))
        if "chain" in troubles:
            self._most = max(self._most, found.mints_queued)
            troubles["chain"] = _estimated(troubles["chain"], found, drain.per_s, self._most)
        else:
            self._most = 0
        away = self._away_ms
        if away is not None and now - away >= OPEN_AFTER_MS:
            cause = "silent" if self._failure == "unreachable" else self._failure
            troubles["database"] = Trouble("database", cause, "down", {}, away, ("sales", "payments", "database"))
        with read(self._engine) as connection:
            opened = incident_store.open_faults(connection)
            ids = [one.id for one in opened]
            stored = connection.execute(select(Incident.id, Incident.facts).where(Incident.id.in_(ids)))
            facts = {row.id: row.facts for row in stored}
            due = incident_store.maintenance_due(connection, now)
        decided = step(self._memory, opened, troubles, now)
        if due or incident_store.changes(decided, facts):
            with self._engine.begin() as connection:
                notes = incident_store.write(connection, decided, now)
                notes += incident_store.end_maintenance(connection, now)
                self._tell(connection, notes)
                for (trouble, _since), note in zip(decided.opened, notes, strict=False):
                    if self._outage and trouble.group == "database":
                        self._outage.write(connection, note)
        self._memory = decided.memory  # only what is written is remembered


def _estimated(trouble: Trouble, found: Readings, per_s: float, most: int) -> Trouble:
    """With the estimate: how long the backlog takes once the chain takes tickets, and until when if it does now."""
    drains, block_s = trouble.cause == "catching_up", found.block_ms / 1000
    if drains:
        seconds = seconds_to_drain(found.mints_behind, per_s, block_s)
    else:
        seconds = seconds_after_return(found.mints_queued, per_s, block_s)
    until = found.at_ms + 1000 * seconds if drains else None
    return dataclasses.replace(trouble, facts={**trouble.facts, "eta_s": seconds, "eta_ms": until, "most": most})

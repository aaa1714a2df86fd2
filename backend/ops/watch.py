"""The watcher: looks at everything once a second, opens and closes incidents, and has people told.

It is a thread of the worker and not one of its tasks, because it must notice when the database, which tasks need, is
away. While it is, the watcher remembers since when; the incident is written when the database is back. One watcher
leads, by a lease; should two look at once, a unique index keeps an incident from opening twice.
"""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from backend.chain import leases
from backend.clock import Clock
from backend.db.engine import read
from backend.db.failures import failure_of
from backend.db.models import Incident
from backend.ops import incident_store
from backend.ops.disk import free_bytes
from backend.ops.estimate import Drain, Sample, seconds_to_drain
from backend.ops.health import judge
from backend.ops.incidents import OPEN_AFTER_MS, Memory, Trouble, step, troubles_of
from backend.ops.readings import WATCH_LEASE, Readings, keep, take_readings

LOOK_SECONDS = 1.0
KEEP_SECONDS = 10  # between two copies of the readings on disk
LEASE_SECONDS = 10
ALARM_MS = 5_000  # after which operators are told that the database is away

Tell = Callable[[Connection, list[int]], None]  # in the transaction that wrote the notes

_log = logging.getLogger(__name__)


class Watcher:
    """For one thread. `tell` puts what subscribers are to be sent into the outbox; `alarm` needs no database."""

    def __init__(
        self,
        engine: Engine,
        data_dir: Path,
        signer_socket: Path,
        clock: Clock,
        holder: str,
        tell: Tell | None = None,
        alarm: Callable[[], None] | None = None,
    ) -> None:
        self._engine, self._data_dir, self._socket = engine, data_dir, signer_socket
        self._clock, self._holder, self._tell = clock, holder, tell or (lambda _connection, _notes: None)
        self._memory, self._drain = Memory(), Drain()
        self._alarm = alarm or (lambda: None)
        self._away_ms: int | None = None
        self._alarmed = False
        self._kept_ms = 0
        self._most = 0  # tickets that waited at once since the chain's trouble began

    def run(self, stop: Event) -> None:
        """Look again and again until `stop` is set; nothing that goes wrong ends it."""
        while not stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the one who watches over faults must survive them
                _log.warning("the watcher could not look: %s", type(error).__name__)
                _log.debug("the watcher could not look", exc_info=error)

    def look(self) -> bool:
        """Look once; False if another leads or the database is away."""
        try:
            held = leases.take(self._engine, WATCH_LEASE, self._holder, LEASE_SECONDS)
            if held is None:
                return False
            self._write(self._read())
        except IntegrityError:
            return False  # another watcher was first; its incident is the one
        except Exception as error:
            if failure_of(error) != "unreachable":
                raise
            now = round(self._clock() * 1000)
            self._away_ms = self._away_ms or now
            if not self._alarmed and now - self._away_ms >= ALARM_MS:
                self._alarmed = True
                Thread(target=self._alarm, name="alarm", daemon=True).start()
            return False
        self._away_ms, self._alarmed = None, False
        return True

    def _read(self) -> Readings:
        with read(self._engine) as connection:
            found = take_readings(connection, self._socket, free_bytes(self._data_dir))
        self._drain.note(Sample(found.at_ms, found.minted, found.mints_queued))
        if found.at_ms - self._kept_ms > KEEP_SECONDS * 1000:
            keep(found, self._data_dir)
            self._kept_ms = found.at_ms
        return found

    def _write(self, found: Readings) -> None:
        now = found.at_ms
        troubles = troubles_of(judge(found))
        if "chain" in troubles:
            self._most = max(self._most, found.mints_queued)
            troubles["chain"] = _estimated(troubles["chain"], found, self._drain.per_s, self._most)
        else:
            self._most = 0
        away = self._away_ms
        if away is not None and now - away >= OPEN_AFTER_MS:
            troubles["database"] = Trouble("database", "silent", "down", {}, away, ("sales", "payments", "database"))
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
        self._memory = decided.memory  # only what is written is remembered


def _estimated(trouble: Trouble, found: Readings, per_s: float, most: int) -> Trouble:
    """With the estimate: how long the backlog takes once the chain takes tickets, and until when if it does now."""
    drains = trouble.cause == "catching_up"
    seconds = seconds_to_drain(found.mints_behind if drains else found.mints_queued, per_s)
    until = found.at_ms + 1000 * seconds if drains else None
    return dataclasses.replace(trouble, facts={**trouble.facts, "eta_s": seconds, "eta_ms": until, "most": most})

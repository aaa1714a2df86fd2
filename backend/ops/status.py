"""What works, what waits, since when, until when: in words for people, in states for programs.

Taken from database rows, which the workers keep up to date, from whether the signer's local socket opens, from the room
on the data folder's disk, and from what keeps the tills and the watcher from writing. Nothing here waits for a chain
node. When the database is away, what the watcher last kept on disk is told instead, and said to be so.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import TimeoutError as Silent

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.failures import UNWRITABLE, Failure, failure_of
from backend.i18n import gettext as _
from backend.ops import incident_store
from backend.ops.disk import free_bytes
from backend.ops.estimate import FEW_SECONDS
from backend.ops.health import Health, judge
from backend.ops.health_words import sentence
from backend.ops.incident_words import ended, said, still_works, title, until_when, what_happened, why
from backend.ops.incidents import GROUP, troubles_of
from backend.ops.readings import Readings, kept, signer_answers, take_readings
from backend.sales.answers import rfc3339

BUYERS_CARE = ("sales", "payments", "signer", "minting")  # components whose trouble a banner tells
ANNOUNCE_MS = 24 * 3600 * 1000  # how long before it begins work is told of in the banner
KEPT_MS = 30_000  # for so long we believe what the watcher kept of a database that can't be written to
_ECHOES = ("index", "node", "database")  # their trouble is told by another component
_WRITTEN_LATER = ("silent", "storage_full", "read_only")  # of the database: while it lasts no incident can be written

Answer = TypeVar("Answer")
Ask = Callable[[Callable[[], Answer]], Answer]  # how to put a question to the database
Met = tuple[Failure, int] | None  # what keeps the tills from writing, and since which Unix millisecond
_Found = tuple[Readings, Sequence[Row[Any]], Sequence[Row[Any]]]


def status_now(
    engine: Engine,
    signer_socket: Path,
    data_dir: Path,
    *,
    met: Met = None,
    sold: bool = False,
    ask: Ask[_Found] = lambda look: look(),
) -> dict[str, Any]:
    """The status; also when the database is away, which it is not, only slow, where tills have just `sold`."""
    free = free_bytes(data_dir)

    def look() -> _Found:
        with read(engine) as connection:
            rows = incident_store.current(connection)
            notes = incident_store.notes_of(connection, [row.id for row in rows])
            return take_readings(connection, signer_socket, free), rows, notes

    try:
        readings, rows, notes = ask(look)
    except Exception as error:
        if failure_of(error) is None:
            raise
        slow = sold and isinstance(error, Silent)
        return _told(_last_known(signer_socket, data_dir, free, slow=slow), [], [])
    return _told(_with_trouble(readings, met, data_dir), rows, notes)


def readings_now(
    engine: Engine,
    signer_socket: Path,
    data_dir: Path,
    *,
    met: Met = None,
    sold: bool = False,
    ask: Ask[Readings] = lambda look: look(),
) -> Readings:
    """The readings; the last known ones when the database is away or too slow."""
    free = free_bytes(data_dir)

    def look() -> Readings:
        with read(engine) as connection:
            return take_readings(connection, signer_socket, free)

    try:
        return _with_trouble(ask(look), met, data_dir)
    except Exception as error:
        if failure_of(error) is None:
            raise
        return _last_known(signer_socket, data_dir, free, slow=sold and isinstance(error, Silent))


def history_now(engine: Engine) -> list[dict[str, Any]]:
    """Incidents that are over, the newest first."""
    with read(engine) as connection:
        now = now_ms(connection)
        rows = incident_store.history(connection, now)
        notes = incident_store.notes_of(connection, [row.id for row in rows])
    return [incident_view(row, notes, now) for row in rows]


def incident_now(connection: Connection, incident: int) -> dict[str, Any] | None:
    """One incident with its timeline and, once it is written, its report."""
    row = incident_store.find(connection, incident)
    if row is None:
        return None
    return incident_view(row, incident_store.notes_of(connection, [incident]), now_ms(connection))


def database_away(since_ms: int, failure: Failure = "unreachable") -> dict[str, Any]:
    """The incident of a database that is away or takes nothing, as `incident_view` would give it; written later."""
    silent = Readings(at_ms=since_ms, database_away_ms=since_ms)
    unwritable = Readings(at_ms=since_ms, unwritable=failure, unwritable_ms=since_ms)
    away = judge(silent if failure == "unreachable" else unwritable)
    told = next(ended(sentence(one.component, one.cause, one.facts)) for one in away if one.component == "sales")
    return {**next(_unwritten(one) for one in away if one.component == "database"), "sentence": told}


def incident_view(row: Row[Any], notes: Sequence[Row[Any]], now: int, *, sells: bool = True) -> dict[str, Any]:
    """An incident as JSON says it. Times are RFC 3339. `sells`: tickets can be sold while it lasts."""
    own = [note for note in notes if note.incident_id == row.id]
    words = next((text for text in map(said, reversed(own)) if text), None)
    planned = row.kind == "maintenance" and row.closed_ms is None and row.opened_ms > now
    fault = row.kind == "fault"
    told_s = row.facts.get("eta_s")
    seconds = told_s if told_s and told_s > FEW_SECONDS else None  # else "estimate" says "a few seconds"
    return {
        "id": row.id,
        "kind": row.kind,
        "component": row.component,
        "title": title(row.component),
        "state": "planned" if planned else "over" if row.closed_ms is not None else row.state,
        "sentence": why(row) if fault else words or "",
        "said": words if fault else None,
        "still_works": still_works(row.component, sells=sells),
        "estimate": until_when(row.facts) if row.closed_ms is None else None,
        "eta_seconds": seconds,
        "eta_at": rfc3339(row.facts["eta_ms"]) if seconds and row.facts.get("eta_ms") else None,
        "opened_at": rfc3339(row.opened_ms),
        "until": rfc3339(row.until_ms) if row.until_ms is not None else None,
        "closed_at": rfc3339(row.closed_ms) if row.closed_ms is not None else None,
        "timeline": [
            {"at": rfc3339(note.at_ms), "what": note.what, "text": what_happened(note, row.component)} for note in own
        ],
        "report": row.report,
    }


def _told(readings: Readings, rows: Sequence[Row[Any]], notes: Sequence[Row[Any]]) -> dict[str, Any]:
    health = judge(readings)
    away = readings.database_away_ms is not None
    now = readings.at_ms
    down = any(one.component == "sales" and one.state == "down" for one in health)
    incidents = [incident_view(row, notes, now, sells=not down) for row in rows]
    if all(one["component"] != "database" for one in incidents):
        unwritten = [one for one in health if one.component == "database" and one.cause in _WRITTEN_LATER]
        incidents += [_unwritten(one) for one in unwritten]
    well = all(one.state == "works" for one in health)
    return {
        "summary": _summary(health),
        "state": "down" if down else "works" if well else "partly",
        "banner": _banner(health, incidents, now),
        "mints_queued": None if away else readings.mints_queued,
        "at": None if away else rfc3339(now),
        "last_known_at": rfc3339(now) if away and now else None,
        "components": [_component(one) for one in health],
        "incidents": incidents,
    }


def _component(one: Health) -> dict[str, Any]:
    return {
        "name": one.component,
        "state": one.state,
        "cause": one.cause,
        "sentence": sentence(one.component, one.cause, one.facts),
        "since": rfc3339(one.since_ms) if one.since_ms else None,
    }


def _last_known(signer_socket: Path, data_dir: Path, free: int | None, *, slow: bool) -> Readings:
    known, now_ms = kept(data_dir), round(time.time() * 1000)
    return dataclasses.replace(
        known or Readings(at_ms=now_ms if slow else 0),
        signer_answers=signer_answers(signer_socket),
        free_bytes=free,
        database_away_ms=None if slow else known.at_ms if known else now_ms,
    )


def _with_trouble(readings: Readings, met: Met, data_dir: Path) -> Readings:
    """With what keeps a process from writing: our tills, or the watcher, which tries once a second."""
    known = kept(data_dir)
    if met is not None and (met[0] in UNWRITABLE or known is None or known.unwritable is None):
        return dataclasses.replace(readings, unwritable=met[0], unwritable_ms=met[1])
    if known is None or known.unwritable is None or abs(readings.at_ms - known.at_ms) > KEPT_MS:
        return readings
    return dataclasses.replace(readings, unwritable=known.unwritable, unwritable_ms=known.unwritable_ms)


def _unwritten(one: Health) -> dict[str, Any]:
    """The incident that will be written once the database is back."""
    return {
        "id": None,
        "kind": "fault",
        "component": one.component,
        "title": title(one.component),
        "state": one.state,
        "sentence": ended(sentence(one.component, one.cause, one.facts)),
        "said": None,
        "still_works": still_works(one.component),
        "estimate": None,
        "eta_seconds": None,
        "eta_at": None,
        "opened_at": rfc3339(one.since_ms) if one.since_ms else None,
        "until": None,
        "closed_at": None,
        "timeline": [],
        "report": None,
    }


def _summary(health: Sequence[Health]) -> str:
    stopped = next((one.cause for one in health if one.component == "sales" and one.state == "down"), None)
    troubled = [
        ended(sentence(one.component, one.cause, one.facts))
        for one in health
        if one.state != "works"
        and one.component not in _ECHOES
        and (one.component == "sales" or one.cause != stopped)  # what follows from it needs no words
    ]
    return " ".join(troubled) if troubled else _("Everything works.")


def _banner(health: Sequence[Health], incidents: Sequence[dict[str, Any]], now: int) -> str | None:
    """What every page tells: the first trouble buyers care about with its estimate, then the operators' words."""
    told: list[str] = []
    for one in health:
        if one.state != "works" and one.component in BUYERS_CARE:
            told.append(ended(sentence(one.component, one.cause, one.facts)))
            group = GROUP.get(one.component, one.component) if troubles_of([one]) else None
            told += [row["estimate"] for row in incidents if row["component"] == group and row["estimate"]]
            break
    soon = rfc3339(now + ANNOUNCE_MS)
    told += [row["sentence"] for row in incidents if row["kind"] != "fault" and row["opened_at"] <= soon]
    return " ".join(told) or None

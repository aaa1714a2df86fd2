"""Incidents as rows: what the watcher and the operators write, and what everybody reads."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from backend.db.tables.telling import Incident, IncidentNote
from backend.ops.incidents import OpenIncident, Step, Trouble

HISTORY_DAYS = 90


def open_faults(connection: Connection) -> list[OpenIncident]:
    """Faults that are not over."""
    query = select(Incident.id, Incident.component, Incident.cause).where(
        Incident.closed_ms.is_(None), Incident.kind == "fault"
    )
    return [OpenIncident(*row) for row in connection.execute(query)]


def write(connection: Connection, decided: Step, now_ms: int) -> list[int]:
    """Write what was decided; the ids of the notes that people are to be told."""
    notes = [_open(connection, trouble, since) for trouble, since in decided.opened]
    for one, trouble in (*decided.changed, *decided.same):
        values = {"cause": trouble.cause, "state": trouble.state, "facts": _facts(trouble)}
        connection.execute(update(Incident).where(Incident.id == one.id).values(**values))
    notes += [
        note(connection, one.id, now_ms, "changed", trouble.cause, _facts(trouble)) for one, trouble in decided.changed
    ]
    notes += [close(connection, one.id, since) for one, since in decided.closed]
    return notes


def changes(decided: Step, stored: dict[int, dict[str, Any]]) -> bool:
    """Whether `write` would change a row. `stored`: the facts of open incidents, by id."""
    if decided.opened or decided.changed or decided.closed:
        return True
    return any(stored.get(one.id) != _facts(trouble) for one, trouble in decided.same)


def close(connection: Connection, incident: int, at_ms: int) -> int:
    """The incident is over as of `at_ms`; the id of its note."""
    row = connection.execute(select(Incident.cause, Incident.facts).where(Incident.id == incident)).one()
    connection.execute(update(Incident).where(Incident.id == incident).values(closed_ms=at_ms))
    return note(connection, incident, at_ms, "closed", row.cause, row.facts)


def post(
    connection: Connection,
    kind: str,
    component: str,
    state: str,
    texts: tuple[str, str | None],
    now_ms: int,
    begins_ms: int | None = None,
    until_ms: int | None = None,
) -> tuple[int, int]:
    """Words of the operators, in English and, if given, Chinese: a posted incident, or maintenance announced."""
    values = {
        "kind": kind,
        "component": component,
        "cause": kind,
        "state": state,
        "facts": {},
        "opened_ms": begins_ms if begins_ms is not None else now_ms,
        "until_ms": until_ms,
    }
    incident = connection.execute(insert(Incident).values(**values).returning(Incident.id)).scalar_one()
    return incident, note(connection, incident, now_ms, "opened", kind, {}, texts)


def note(
    connection: Connection,
    incident: int,
    at_ms: int,
    what: str,
    cause: str,
    facts: dict[str, Any],
    texts: tuple[str | None, str | None] = (None, None),
) -> int:
    """Add to an incident's timeline; the note's id."""
    values = {
        "incident_id": incident,
        "at_ms": at_ms,
        "what": what,
        "cause": cause,
        "facts": facts,
        "text_en": texts[0],
        "text_zh": texts[1],
    }
    made: int = connection.execute(insert(IncidentNote).values(**values).returning(IncidentNote.id)).scalar_one()
    return made


def end_maintenance(connection: Connection, now_ms: int) -> list[int]:
    """Close announced work whose time is over; the ids of the notes."""
    query = select(Incident.id, Incident.until_ms).where(
        Incident.kind == "maintenance", Incident.closed_ms.is_(None), Incident.until_ms <= now_ms
    )
    return [close(connection, row.id, row.until_ms) for row in connection.execute(query).all()]


def maintenance_due(connection: Connection, now_ms: int) -> bool:
    """Whether `end_maintenance` would do anything."""
    query = select(Incident.id).where(
        Incident.kind == "maintenance", Incident.closed_ms.is_(None), Incident.until_ms <= now_ms
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


def current(connection: Connection) -> Sequence[Row[Any]]:
    """Incidents that are not over, announced work included; the worst and oldest first."""
    query = select(Incident.__table__).where(Incident.closed_ms.is_(None))
    return connection.execute(query.order_by(Incident.state, Incident.opened_ms)).all()


def history(connection: Connection, now_ms: int, limit: int = 50) -> Sequence[Row[Any]]:
    """What is over, the newest first."""
    since = now_ms - HISTORY_DAYS * 24 * 3600 * 1000
    query = select(Incident.__table__).where(Incident.closed_ms > since).order_by(Incident.opened_ms.desc())
    return connection.execute(query.limit(limit)).all()


def find(connection: Connection, incident: int) -> Row[Any] | None:
    """One incident."""
    return connection.execute(select(Incident.__table__).where(Incident.id == incident)).one_or_none()


def notes_of(connection: Connection, incidents: Sequence[int]) -> Sequence[Row[Any]]:
    """The timelines of some incidents, oldest first."""
    query = select(IncidentNote.__table__).where(IncidentNote.incident_id.in_(incidents))
    return connection.execute(query.order_by(IncidentNote.id)).all()


def _open(connection: Connection, trouble: Trouble, since: int) -> int:
    values = {
        "kind": "fault",
        "component": trouble.group,
        "cause": trouble.cause,
        "state": trouble.state,
        "facts": _facts(trouble),
        "opened_ms": since,
    }
    incident = connection.execute(insert(Incident).values(**values).returning(Incident.id)).scalar_one()
    return note(connection, incident, since, "opened", trouble.cause, _facts(trouble))


def _facts(trouble: Trouble) -> dict[str, Any]:
    return {**trouble.facts, "affected": list(trouble.affected)}

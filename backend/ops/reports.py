"""After an incident: how long it was, what went on meanwhile, and whether anything was lost, by the checker."""

from sqlalchemy import Connection, Engine, func, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Incident, Order, Ticket
from backend.notices.outbox import enqueue
from backend.ops.check import check_rows
from backend.ops.incident_store import note
from backend.ops.readings import mints_queued


def write_reports(engine: Engine) -> int:
    """Write the report of every incident that is over and has none; how many were written."""
    with read(engine) as connection:
        over = select(Incident.__table__).where(Incident.closed_ms.isnot(None), Incident.report.is_(None))
        rows = connection.execute(over.order_by(Incident.id).limit(10)).all()
        reports = {row.id: _report(connection, row.opened_ms, row.closed_ms, row.facts) for row in rows}
    for row in rows:
        with engine.begin() as connection:
            first = update(Incident).where(Incident.id == row.id, Incident.report.is_(None))
            if connection.execute(first.values(report=reports[row.id])).rowcount:
                told = note(connection, row.id, now_ms(connection), "reported", row.cause, row.facts)
                enqueue(connection, [told])
    return len(rows)


def _report(connection: Connection, opened: int, closed: int, facts: dict[str, object]) -> dict[str, object]:
    meanwhile = Order.paid_ms.between(opened, closed)
    sold = select(func.count()).where(Ticket.sold_ms.between(opened, closed))
    found = check_rows(connection)
    return {
        "seconds": max(0, closed - opened) // 1000,
        "orders_meanwhile": connection.scalar(select(func.count()).where(meanwhile)) or 0,
        "tickets_meanwhile": connection.scalar(sold) or 0,
        "waited_at_most": facts.get("most"),
        "still_waiting": mints_queued(connection),
        "checked": dict(found.counts),
        "problems": list(found.problems),
    }

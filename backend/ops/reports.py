"""After an incident: how long it was, what went on meanwhile, and whether anything was lost, by the checker.

Rows show that each ticket has its token in the index or still waits for it, and that the index has no other; the chain
itself is asked whether it says what the index says.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from backend.chain.verify import Verified
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.orders import Order, Ticket
from backend.db.tables.telling import Incident
from backend.notices.outbox import enqueue
from backend.ops.check import NAMED, check_rows
from backend.ops.incident_store import note
from backend.ops.readings import mints_queued

COMPARED_OF_EVENT = 5_000  # of each event's tokens, the newest, with the chain; `truestub index verify` compares all

Compare = Callable[[], Verified | None]  # index and chain; none if no node can be asked


def write_reports(engine: Engine, compare: Compare) -> int:
    """Write the report of every incident that is over and has none; how many were written."""
    with read(engine) as connection:
        over = select(Incident.__table__).where(Incident.closed_ms.isnot(None), Incident.report.is_(None))
        rows = connection.execute(over.order_by(Incident.id).limit(10)).all()
    if not rows:
        return 0
    compared = compare()
    with read(engine) as connection:
        proof = _proof(connection, compared)
        reports = {row.id: {**_meanwhile(connection, row), **proof} for row in rows}
    for row in rows:
        with engine.begin() as connection:
            first = update(Incident).where(Incident.id == row.id, Incident.report.is_(None))
            if connection.execute(first.values(report=reports[row.id])).rowcount:
                told = note(connection, row.id, now_ms(connection), "reported", row.cause, row.facts)
                enqueue(connection, [told])
    return len(rows)


def _meanwhile(connection: Connection, incident: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of incidents
    """What went on from its opening to its end, and how many of the tickets sold in it have their token by now."""
    opened, closed = incident.opened_ms, incident.closed_ms
    orders = select(func.count()).where(Order.paid_ms.between(opened, closed))
    sold = select(func.count()).select_from(Ticket).where(Ticket.sold_ms.between(opened, closed))
    token = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
    return {
        "seconds": max(0, closed - opened) // 1000,
        "orders_meanwhile": connection.scalar(orders) or 0,
        "tickets_meanwhile": connection.scalar(sold) or 0,
        "minted_meanwhile": connection.scalar(sold.join(Token, token)) or 0,
        "waited_at_most": incident.facts.get("most"),
    }


def _proof(connection: Connection, compared: Verified | None) -> dict[str, Any]:
    """What the checker says now. `compared_with_chain` is none if no node could be asked."""
    found = check_rows(connection)
    problems = list(found.problems)
    if compared is not None and compared.differences:
        named = ", ".join(str(one.token_id) for one in compared.differences[:NAMED])
        problems.append(f"index and chain differ: {named}")
    return {
        "still_waiting": mints_queued(connection),
        "checked": dict(found.counts),
        "compared_with_chain": compared.tokens if compared is not None else None,
        "problems": problems,
    }

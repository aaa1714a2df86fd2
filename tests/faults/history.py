"""What must hold after every row, looked at from outside: rows, the bank's own book, and the chain's own logs."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select

from backend.db.engine import read
from backend.db.tables.chain import ChainJob, Token
from backend.db.tables.orders import OrderLine, Payment, Refund, Ticket
from backend.db.tables.telling import Incident, IncidentNote
from credential.tickets import Status
from tests.support.checker import check_chain, check_sales


def is_settled(engine: Engine) -> bool:
    """Every ticket has its token, what was given back is revoked and paid back, and nothing is under way."""
    with read(engine) as connection:
        tickets = set(connection.scalars(select(Ticket.token_id)))
        tokens = set(connection.scalars(select(Token.token_id)))
        waiting = connection.scalar(select(func.count()).where(ChainJob.state.not_in(("included", "final"))))
        sending = connection.scalar(select(func.count()).where(Refund.state != "done"))
        same = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
        alive = connection.scalar(
            select(func.count())
            .select_from(Ticket)
            .outerjoin(Token, same)
            .where(Ticket.state == "refunded", func.coalesce(Token.status, -1) != Status.REVOKED)
        )
    return None not in tickets and tickets == tokens and not waiting and not sending and not alive


def problems(engine: Engine, node_url: str, bank: Path, acknowledged: set[UUID], given: dict[int, bytes]) -> list[str]:
    """What broke a promise; empty is good."""
    return [
        *check_sales(engine, acknowledged).problems,
        *check_chain(engine, node_url).problems,
        *_money(engine, bank),
        *_elsewhere(engine, given),
    ]


def revoked_but_good(engine: Engine) -> int:
    """How many tickets are good here and revoked on the chain."""
    same = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
    query = select(func.count()).select_from(Ticket).join(Token, same)
    with read(engine) as connection:
        good = query.where(Ticket.state.in_(("valid", "suspended")), Token.status == Status.REVOKED)
        return connection.scalar(good) or 0


def incidents_after(engine: Engine, incident: int) -> list[Any]:
    """Faults written after that one, the oldest first: id, component, the cause they opened with, closed_ms."""
    with read(engine) as connection:
        query = (
            select(Incident.id, Incident.component, IncidentNote.cause, Incident.closed_ms)
            .join(IncidentNote, (IncidentNote.incident_id == Incident.id) & (IncidentNote.what == "opened"))
            .where(Incident.id > incident, Incident.kind == "fault")
        )
        return list(connection.execute(query.order_by(Incident.id)))


def reports(engine: Engine, incidents: Sequence[int]) -> list[dict[str, Any]]:
    """Those that are written by now."""
    with read(engine) as connection:
        query = select(Incident.report).where(Incident.id.in_(incidents), Incident.report.is_not(None))
        return list(connection.scalars(query))


def last_incident(engine: Engine) -> int:
    """The newest incident's id; 0 if there is none."""
    with read(engine) as connection:
        return connection.scalar(select(func.max(Incident.id))) or 0


def _money(engine: Engine, bank: Path) -> list[str]:
    """Money taken = tickets + refunds, by our rows; and by the bank's own book the same was taken and given back."""
    with read(engine) as connection:
        taken = connection.scalar(
            select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(Payment.state == "succeeded")
        )
        worth = connection.scalar(
            select(func.coalesce(func.sum(OrderLine.unit_price_minor), 0))
            .select_from(Ticket)
            .join(OrderLine, (OrderLine.order_id == Ticket.order_id) & (OrderLine.position == 0))
            .where(Ticket.state.in_(("valid", "suspended")))
        )
        back = connection.scalar(select(func.coalesce(func.sum(Refund.amount_minor + Refund.kept_minor), 0)))
        whole = {row.hex for row in connection.scalars(select(Payment.id).where(Payment.state == "succeeded"))}
        refunds = {row.hex for row in connection.scalars(select(Refund.id).where(Refund.amount_minor > 0))}
    found = [] if taken == (worth or 0) + (back or 0) else [f"{taken} taken, {worth} in tickets, {back} given back"]
    book = sqlite3.connect(f"file:{bank}?mode=ro", uri=True)
    try:
        taken_there = book.execute("SELECT payment_id FROM charges WHERE taken_at IS NOT NULL").fetchall()
        sent_there = book.execute("SELECT refund_id, payment_id FROM refunds").fetchall()
    finally:
        book.close()
    charged = {UUID(row[0]).hex for row in taken_there}
    sent = {(UUID(row[0]).hex, UUID(row[1]).hex) for row in sent_there}
    useless = {payment for refund, payment in sent if refund == payment}  # money that bought nothing went back whole
    returned = {refund for refund, payment in sent if payment not in useless}
    if charged - useless != whole:
        found.append(f"the bank took {len(charged - useless)} payments and we know {len(whole)}")
    if returned != refunds:
        found.append(f"the bank gave back {len(returned)} times and we owe {len(refunds)}")
    return found


def _elsewhere(engine: Engine, given: dict[int, bytes]) -> list[str]:
    """Tickets that were given away and are not, on the chain, with whom they were given to."""
    with read(engine) as connection:
        owners = {row.token_id: row.owner for row in connection.execute(select(Token.token_id, Token.owner))}
    return [f"token {token} is not with {to.hex()}" for token, to in given.items() if owners.get(token) != to]

"""Who holds tickets of an event: lists for the desk, and the same as CSV that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Select, and_, func, select

from backend.credentials.ticket_status import effective_state
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Seat, TicketClass
from backend.db.tables.orders import Order, Ticket
from backend.privacy.contacts import contacts_of
from backend.sales.answers import rfc3339

ROWS_ON_A_PAGE = 100
ROWS_AT_ONCE = 500  # of an export
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")  # begin a formula in some spreadsheet (OWASP, CSV injection)
COLUMNS = ("ticket_id", "order_id", "class", "seat", "state", "sold_at", "entered_at", "name", "mail")


@dataclass(frozen=True, slots=True)
class Attendee:
    """A ticket with its place and whether somebody entered with it. Times are RFC 3339."""

    ticket_id: UUID
    order_id: UUID
    class_name: str
    seat: str | None
    state: str
    sold_at: str
    entered_at: str | None


def attendees(engine: Engine, event_id: UUID, after: UUID | None = None, limit: int = ROWS_ON_A_PAGE) -> list[Attendee]:
    """Tickets of paid orders by their id, those after `after`."""
    query = _query(event_id).order_by(Ticket.id).limit(limit)
    if after is not None:
        query = query.where(Ticket.id > after)
    with read(engine) as connection:
        return [_attendee(row) for row in connection.execute(query)]


def export(engine: Engine, secret: bytes, event_id: UUID) -> Iterator[str]:
    """Every ticket of the event as CSV, in pieces; the first line names the columns (RFC 4180)."""
    yield "\ufeff" + csv_lines([COLUMNS])  # the mark tells spreadsheets that this is UTF-8
    after = None
    while found := attendees(engine, event_id, after, ROWS_AT_ONCE):
        contacts = contacts_of(engine, secret, list({one.order_id for one in found}))
        yield csv_lines(
            (one.ticket_id, one.order_id, one.class_name, one.seat, one.state, one.sold_at, one.entered_at)
            + ((left.name, left.mail) if (left := contacts.get(one.order_id)) else ("", ""))
            for one in found
        )
        after = found[-1].ticket_id


def csv_lines(rows: Any) -> str:  # noqa: ANN401 - rows of anything that has a text
    """Rows as CSV text, every cell harmless."""
    out = io.StringIO()
    csv.writer(out).writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _query(event_id: UUID) -> Select[Any]:
    entered = (
        select(func.min(GateRecord.at_s))
        .where(GateRecord.event_id == Ticket.event_id, GateRecord.token_id == Ticket.token_id, GateRecord.admits)
        .correlate(Ticket)
        .scalar_subquery()
    )
    return (
        select(
            Ticket.id,
            Ticket.order_id,
            TicketClass.name,
            Seat.label,
            Ticket.state,
            Token.status.label("on_chain"),
            Ticket.sold_ms,
            entered.label("entered_s"),
        )
        .join(Order, Order.id == Ticket.order_id)
        .join(TicketClass, and_(TicketClass.event_id == Ticket.event_id, TicketClass.number == Ticket.class_number))
        .outerjoin(Seat, and_(Seat.event_id == Ticket.event_id, Seat.number == Ticket.seat_number))
        .outerjoin(Token, and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id))
        .where(Ticket.event_id == event_id)
    )


def _attendee(row: Any) -> Attendee:  # noqa: ANN401 - a row of the query above
    return Attendee(
        row.id,
        row.order_id,
        row.name,
        row.label,
        effective_state(row.state, row.on_chain),
        rfc3339(row.sold_ms),
        rfc3339(row.entered_s * 1000) if row.entered_s is not None else None,
    )

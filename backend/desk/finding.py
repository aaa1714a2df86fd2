"""Find an order by what somebody at the counter can say or show."""

from uuid import UUID

from sqlalchemy import Connection, Engine, and_, select

from backend.db.engine import read
from backend.db.tables.events import Seat
from backend.db.tables.orders import Order, Ticket
from backend.sales.order_list import OrderHead, order_heads

MAX_FOUND = 50
MAX_CHARACTERS = 500


def find_orders(engine: Engine, text: str) -> list[OrderHead]:
    """Orders by their number, a ticket's number, a whole receipt, or a seat ("A-12", of any event)."""
    wanted = text.strip()[:MAX_CHARACTERS]
    if not wanted:
        return []
    with read(engine) as connection:
        ids = _by_number(connection, wanted) or _by_seat(connection, wanted)
    return order_heads(engine, ids)


def event_and_order(engine: Engine, order_id: UUID) -> UUID | None:
    """The event of the order; none if there is no such order."""
    with read(engine) as connection:
        found: UUID | None = connection.scalar(select(Order.event_id).where(Order.id == order_id))
    return found


def _by_number(connection: Connection, text: str) -> list[UUID]:
    for word in text.split():  # of a receipt, only the order's number is looked at (SPEC 4.6)
        try:
            number = UUID(word)
        except ValueError:
            continue
        if connection.scalar(select(Order.id).where(Order.id == number)) is not None:
            return [number]
        order_id = connection.scalar(select(Ticket.order_id).where(Ticket.id == number))
        if order_id is not None:
            return [order_id]
    return []


def _by_seat(connection: Connection, text: str) -> list[UUID]:
    query = (
        select(Ticket.order_id)
        .join(Seat, and_(Seat.event_id == Ticket.event_id, Seat.number == Ticket.seat_number))
        .where(Seat.label == text)
        .order_by(Ticket.sold_ms.desc())
        .limit(MAX_FOUND)
    )
    return list(dict.fromkeys(connection.scalars(query)))

"""Find an owner's orders again, for a wallet restored from its phrase alone, and what others gave it (SPEC 4.9)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from backend.credentials.eip712 import recover_finder
from backend.credentials.ownership import has_moved, owner_now
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.events import Event, Platform
from backend.db.tables.orders import Order, Ticket
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.order_view import tickets_view
from credential.finding import MAX_FINDING_SECONDS

MAX_RECEIVED = 500  # tickets in an answer; whoever holds more takes these first


@dataclass(frozen=True, slots=True)
class Found:
    """`orders` were made for the owner, oldest first; the tickets of `received` are of other people's orders."""

    orders: list[UUID]
    received: list[dict[str, Any]]


def find_orders(engine: Engine, slug: str, owner: bytes, expiry: int, signature: bytes) -> Found:
    """What `owner`, who must have signed the wish, paid for or was given at an event."""
    with read(engine) as connection:
        event = connection.execute(select(Event.id, Event.tag).where(Event.slug == slug)).one_or_none()
        if event is None:
            raise refuse("unknown_event", _("There is no such event"))
        ahead = expiry - now_ms(connection) // 1000
        if not 0 < ahead <= MAX_FINDING_SECONDS:
            raise refuse("wish_expired", _("The signed wish has run out, or lasts too long; sign a new one"))
        platform_id = connection.execute(select(Platform.platform_id)).scalar_one()
        if recover_finder(platform_id, event.tag, owner, expiry, signature) != owner:
            raise refuse("owner_signature_invalid", _("The owner did not sign this; sign with the owner's wallet"))
        query = select(Order.id).where(Order.owner == owner, Order.event_id == event.id, Order.state == "paid")
        orders = list(connection.scalars(query.order_by(Order.created_ms, Order.id)))
        return Found(orders, _received(connection, event.id, owner))


def _received(connection: Connection, event_id: UUID, owner: bytes) -> list[dict[str, Any]]:
    """Two searches, since each owner has an index of its own and together they would have none."""
    by_us = select(Ticket.id).where(Ticket.owner == owner, Ticket.epoch > 0, Ticket.event_id == event_id)
    by_chain = (
        select(Ticket.id)
        .join(Token, (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id))
        .where(Token.owner == owner, Token.epoch > 0, Token.event_id == event_id)
    )
    candidates = connection.scalars(by_us.union(by_chain).limit(MAX_RECEIVED)).all()
    if not candidates:
        return []
    return tickets_view(connection, Ticket.id.in_(candidates) & (owner_now() == owner) & has_moved())

"""Several orders at a glance, for the pages of the browser that bought them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event
from backend.db.tables.orders import Order
from backend.sales.answers import rfc3339


@dataclass(frozen=True, slots=True)
class OrderHead:
    """An order in a list. `state` counts a hold whose time has come as expired; `left_ms` is of a hold."""

    order_id: UUID
    state: str
    quantity: int
    total_minor: int
    currency: str
    left_ms: int
    event_slug: str
    event_name: str
    venue: str
    time_zone: str
    starts_at: str


def order_heads(engine: Engine, order_ids: Sequence[UUID]) -> list[OrderHead]:
    """The orders with these ids, in the order given; unknown ones are left out."""
    if not order_ids:
        return []
    query = (
        select(
            Order.id,
            Order.state,
            Order.quantity,
            Order.total_minor,
            Order.currency,
            Order.hold_expires_ms,
            Event.slug,
            Event.name,
            Event.venue,
            Event.time_zone,
            Event.starts_ms,
        )
        .join(Event, Event.id == Order.event_id)
        .where(Order.id.in_(order_ids))
    )
    with read(engine) as connection:
        now = now_ms(connection)
        found = {row.id: row for row in connection.execute(query)}
    heads = []
    for order_id in order_ids:
        if (row := found.get(order_id)) is not None:
            left = max(0, row.hold_expires_ms - now) if row.state == "held" else 0
            state = "expired" if row.state == "held" and not left else row.state
            heads.append(
                OrderHead(
                    row.id,
                    state,
                    row.quantity,
                    row.total_minor,
                    row.currency,
                    left,
                    row.slug,
                    row.name,
                    row.venue,
                    row.time_zone,
                    rfc3339(row.starts_ms),
                )
            )
    return heads


def heads_opened(engine: Engine, secrets: Mapping[UUID, str]) -> list[OrderHead]:
    """The orders that these secrets open now, in the order given; one that was made anew opens nothing."""
    query = select(Order.id, Order.secret_hash).where(Order.id.in_(secrets))
    with read(engine) as connection:
        hashes = {row.id: row.secret_hash for row in connection.execute(query)}
    right = [one for one, secret in secrets.items() if hashes.get(one) == sha256(secret.encode()).digest()]
    return order_heads(engine, right)


def open_holds(engine: Engine, event_id: UUID, order_ids: Sequence[UUID]) -> list[OrderHead]:
    """Those of the orders that hold tickets of the event and are not paid yet."""
    if not order_ids:
        return []
    with read(engine) as connection:
        query = select(Order.id).where(Order.id.in_(order_ids), Order.event_id == event_id, Order.state == "held")
        held = list(connection.execute(query).scalars())
    return [head for head in order_heads(engine, held) if head.state == "held"]

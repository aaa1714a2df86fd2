"""Read what a batch needs to know, under the event's lock."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, select

from backend.db.among import among
from backend.db.models import Event, IdempotencyKey, Order, OrderLine, Payment, Stock, TicketClass
from backend.domain.selling.facts import ClassFacts, EventFacts, KeyFacts, LineFacts, OrderFacts, PaymentFacts
from backend.domain.selling.requests import Hold, Key, Request, StartPayment

MAX_EXPIRED = 256  # ended holds swept at once when a buyer would otherwise be told "sold out"

_STOCK = (
    select(
        TicketClass.number,
        TicketClass.code,
        TicketClass.zone,
        TicketClass.price_minor,
        TicketClass.seated,
        Stock.capacity,
        Stock.held,
        Stock.sold,
        Event.state,
        Event.currency,
        Event.max_per_order,
        Event.hold_seconds,
        Event.ends_ms,
        Event.custody_address,
    )
    .select_from(Stock)
    .join(TicketClass, (TicketClass.event_id == Stock.event_id) & (TicketClass.number == Stock.class_number))
    .join(Event, Event.id == Stock.event_id)
    .order_by(Stock.class_number)
)


def lock_event(connection: Connection, event_id: UUID) -> EventFacts | None:
    """The event and its stock, locked until the transaction ends: batches of an event take turns, in every process.

    The stock rows are the lock (in the order of their class, so that two batches never wait for each other). On SQLite
    the transaction holds the only write lock there is since its BEGIN.
    """
    rows = connection.execute(_locking(_STOCK.where(Stock.event_id == event_id))).all()
    if not rows:
        return None
    first = rows[0]
    return EventFacts(
        id=event_id,
        state=first.state,
        currency=first.currency,
        max_per_order=first.max_per_order,
        hold_ms=first.hold_seconds * 1000,
        ends_ms=first.ends_ms,
        custody=first.custody_address,
        classes=tuple(
            ClassFacts(row.number, row.code, row.zone, row.price_minor, row.seated, row.capacity, row.held, row.sold)
            for row in rows
        ),
    )


def _locking(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return query.with_for_update(of=Stock)


def read_keys(connection: Connection, requests: Iterable[Request]) -> dict[tuple[str, str], KeyFacts]:
    """Which of the requests' keys were used before, and for what."""
    keys = [key for request in requests if (key := key_of(request))]
    if not keys:
        return {}
    query = select(
        IdempotencyKey.scope,
        IdempotencyKey.key,
        IdempotencyKey.request_hash,
        IdempotencyKey.resource_id,
        IdempotencyKey.body,
    ).where(
        among(connection, IdempotencyKey.scope, sorted({key.scope for key in keys})),
        among(connection, IdempotencyKey.key, sorted({key.digest for key in keys})),
    )
    return {
        (row.scope, row.key): KeyFacts(row.request_hash, row.resource_id, row.body) for row in connection.execute(query)
    }


def key_of(request: Request) -> Key | None:
    return request.key if isinstance(request, Hold | StartPayment) else None


def order_ids(requests: Iterable[Request]) -> set[UUID]:
    """The existing orders that the requests are about."""
    return {request.order_id for request in requests if not isinstance(request, Hold)}


def read_orders(connection: Connection, event_id: UUID, ids: Collection[UUID]) -> dict[UUID, OrderFacts]:
    """These orders, as far as they are this event's."""
    if not ids:
        return {}
    lines: dict[UUID, list[LineFacts]] = {}
    query = (
        select(
            OrderLine.order_id,
            OrderLine.class_number,
            OrderLine.quantity,
            OrderLine.unit_price_minor,
            OrderLine.seats,
        )
        .where(among(connection, OrderLine.order_id, ids))
        .order_by(OrderLine.order_id, OrderLine.position)
    )
    for row in connection.execute(query):
        line = LineFacts(row.class_number, row.quantity, row.unit_price_minor, tuple(row.seats or ()))
        lines.setdefault(row.order_id, []).append(line)
    orders = select(Order.id, Order.state, Order.owner, Order.total_minor, Order.hold_expires_ms).where(
        among(connection, Order.id, ids), Order.event_id == event_id
    )
    return {
        row.id: OrderFacts(
            row.id, row.state, row.owner, row.total_minor, row.hold_expires_ms, tuple(lines.get(row.id, ()))
        )
        for row in connection.execute(orders)
    }


def read_payments(connection: Connection, ids: Collection[UUID]) -> dict[UUID, PaymentFacts]:
    """Every payment of these orders."""
    if not ids:
        return {}
    query = select(Payment.id, Payment.order_id, Payment.state, Payment.provider_ref).where(
        among(connection, Payment.order_id, ids)
    )
    return {
        row.id: PaymentFacts(row.id, row.order_id, row.state, row.provider_ref) for row in connection.execute(query)
    }


def expired_holds(connection: Connection, event_id: UUID, now_ms: int) -> list[UUID]:
    """Orders of the event whose hold has ended but was not swept yet."""
    query = (
        select(Order.id)
        .where(Order.state == "held", Order.hold_expires_ms <= now_ms, Order.event_id == event_id)
        .order_by(Order.hold_expires_ms)
        .limit(MAX_EXPIRED)
    )
    return list(connection.execute(query).scalars())

"""Write a decision's changes: few statements, many rows, in the transaction that read the facts."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, update

from backend.db.among import among
from backend.db.models import IdempotencyKey, Order, OrderLine, Outbox, Payment, SeatClaim, Stock, Ticket
from backend.domain.ids import ticket_id
from backend.domain.selling.facts import EventFacts
from backend.domain.selling.outcomes import Changes
from backend.domain.selling.requests import Key

CREATED = 201  # HTTP status stored with a hold's first answer


def write(connection: Connection, event: EventFacts, changes: Changes, now_ms: int, bodies: dict[UUID, str]) -> None:
    """Everything in `changes`. `bodies`: the first answer of each new hold, by order."""
    _stock(connection, event, changes)
    _holds(connection, event, changes, now_ms)
    _new_payments(connection, changes, now_ms)
    _keys(connection, changes, now_ms, bodies)
    _changed_payments(connection, changes, now_ms)
    _orders(connection, changes, now_ms)
    _seats(connection, event, changes)
    _tickets(connection, event, changes, now_ms)


def _stock(connection: Connection, event: EventFacts, changes: Changes) -> None:
    rows = [
        {"the_class": number, "more_held": held, "more_sold": sold}
        for number, (held, sold) in changes.stock.items()
        if held or sold
    ]
    # Relative, so that even without the lock the table's own check would refuse to oversell.
    statement = (
        update(Stock)
        .where(Stock.event_id == event.id, Stock.class_number == bindparam("the_class"))
        .values(held=Stock.held + bindparam("more_held"), sold=Stock.sold + bindparam("more_sold"))
    )
    _many(connection, statement, rows)


def _holds(connection: Connection, event: EventFacts, changes: Changes, now_ms: int) -> None:
    _many(
        connection,
        insert(Order),
        [
            {
                "id": held.order_id,
                "event_id": event.id,
                "state": "held",
                "secret_hash": held.secret_hash,
                "owner": held.owner,
                "quantity": sum(line.quantity for line in held.lines),
                "total_minor": held.total_minor,
                "currency": event.currency,
                "hold_expires_ms": held.hold_expires_ms,
                "created_ms": now_ms,
                "paid_ms": None,
            }
            for held in changes.held
        ],
    )
    _many(
        connection,
        insert(OrderLine),
        [
            {
                "order_id": held.order_id,
                "position": position,
                "class_number": line.class_number,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
                "seats": list(line.seats) or None,
            }
            for held in changes.held
            for position, line in enumerate(held.lines)
        ],
    )


def _new_payments(connection: Connection, changes: Changes, now_ms: int) -> None:
    _many(
        connection,
        insert(Payment),
        [
            {
                "id": started.payment_id,
                "order_id": started.order_id,
                "provider": started.provider,
                "provider_ref": None,
                "idempotency_key": str(started.payment_id),
                "amount_minor": started.amount_minor,
                "currency": started.currency,
                "state": "started",
                "reason": None,
                "created_ms": now_ms,
                "changed_ms": now_ms,
            }
            for started in changes.started
        ],
    )


def _keys(connection: Connection, changes: Changes, now_ms: int, bodies: dict[UUID, str]) -> None:
    new_keys: list[tuple[Key, UUID, int | None, str | None]]
    new_keys = [(held.key, held.order_id, CREATED, bodies[held.order_id]) for held in changes.held]
    new_keys += [(started.key, started.payment_id, None, None) for started in changes.started]
    _many(
        connection,
        insert(IdempotencyKey),
        [
            {
                "scope": key.scope,
                "key": key.digest,
                "request_hash": key.request_hash,
                "resource_id": resource,
                "status": status,
                "body": body,
                "created_ms": now_ms,
            }
            for key, resource, status, body in new_keys
        ],
    )


def _changed_payments(connection: Connection, changes: Changes, now_ms: int) -> None:
    statement = (
        update(Payment)
        .where(Payment.id == bindparam("the_id"))
        .values(
            state=bindparam("new_state"),
            provider_ref=bindparam("new_ref"),
            reason=bindparam("new_reason"),
            changed_ms=now_ms,
        )
    )
    _many(
        connection,
        statement,
        [
            {
                "the_id": change.payment_id,
                "new_state": change.state,
                "new_ref": change.reference,
                "new_reason": change.reason,
            }
            for change in changes.payments.values()
        ],
    )
    _many(
        connection,
        insert(Outbox),
        [
            {
                "topic": "payment.refund",
                "key": f"refund:{back.payment_id}",
                "payload": {"payment_id": str(back.payment_id), "order_id": str(back.order_id), "why": back.why},
                "state": "waiting",
                "attempts": 0,
                "due_ms": now_ms,
                "error": None,
                "created_ms": now_ms,
            }
            for back in changes.refunds
        ],
    )


def _orders(connection: Connection, changes: Changes, now_ms: int) -> None:
    by_state: dict[str, list[UUID]] = {}
    for order_id, state in changes.orders.items():
        by_state.setdefault(state, []).append(order_id)
    for state, ids in by_state.items():
        values: dict[str, Any] = {"state": state} | ({"paid_ms": now_ms} if state == "paid" else {})
        connection.execute(update(Order).where(among(connection, Order.id, ids)).values(**values))


def _seats(connection: Connection, event: EventFacts, changes: Changes) -> None:
    _many(
        connection,
        delete(SeatClaim).where(
            SeatClaim.event_id == event.id,
            SeatClaim.seat_number == bindparam("the_seat"),
            SeatClaim.order_id == bindparam("the_order"),
        ),
        [{"the_seat": number, "the_order": order} for number, order in changes.freed.items()],
    )
    _many(
        connection,
        insert(SeatClaim),
        [
            {"event_id": event.id, "seat_number": number, "order_id": order}
            for number, order in sorted(changes.claimed.items())
        ],
    )


def _tickets(connection: Connection, event: EventFacts, changes: Changes, now_ms: int) -> None:
    _many(
        connection,
        insert(Ticket),
        [
            {
                "id": ticket_id(ticket.order_id, ticket.position),
                "event_id": event.id,
                "order_id": ticket.order_id,
                "position": ticket.position,
                "class_number": ticket.class_number,
                "seat_number": ticket.seat_number,
                "owner": ticket.owner,
                "state": "valid",
                "batch_number": None,
                "token_id": None,
                "serial": 0,
                "epoch": 0,
                "binding_number": 0,
                "holder_key": None,
                "sold_ms": now_ms,
                "changed_ms": now_ms,
            }
            for ticket in changes.tickets
        ],
    )


def _many(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401 - any statement
    if rows:
        connection.execute(statement, rows)

"""Write a decision's changes, in the transaction that read its facts."""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, update

from backend.db.bulk import Insert, Update, Writer
from backend.db.tables.events import SeatClaim
from backend.db.tables.orders import Code
from backend.domain.ids import ticket_id
from backend.domain.ledger import Entry
from backend.domain.selling.facts import EventFacts
from backend.domain.selling.outcomes import Changes
from backend.sales.till.buyers import note_buyers

_ENTRY = tuple(one.name for one in fields(Entry))
CREATED = 201  # HTTP status stored with a hold's first answer

_ORDERS = Insert(
    "orders",
    (
        *("id", "event_id", "state", "secret_hash", "owner", "quantity", "total_minor", "currency"),
        *("hold_expires_ms", "created_ms", "extensions", "code_hash", "terms_version"),
    ),
)
_LINES = Insert("order_lines", ("order_id", "position", "class_number", "quantity", "unit_price_minor", "seats"))
_KEYS = Insert("idempotency_keys", ("scope", "key", "request_hash", "resource_id", "status", "body", "created_ms"))
_CLAIMS = Insert("seat_claims", ("event_id", "seat_number", "order_id"))
_PAYMENTS = Insert(
    "payments",
    (
        *("id", "order_id", "provider", "idempotency_key", "amount_minor", "currency", "state"),
        *("created_ms", "changed_ms"),
    ),
)
_TICKETS = Insert(
    "tickets",
    (
        *("id", "event_id", "order_id", "position", "class_number", "seat_number", "owner", "state"),
        *("serial", "epoch", "binding_number", "sold_ms", "changed_ms"),
    ),
)
_OUTBOX = Insert("outbox", ("topic", "key", "payload", "state", "attempts", "due_ms", "created_ms"))
_LEDGER = Insert(
    "ledger_entries",
    (
        *("key", "kind", "debit", "credit", "amount_minor", "currency", "event_id", "order_id", "payment_id"),
        "created_ms",
    ),
)
# Relative, so that even without the lock the table's own check would refuse to oversell.
_STOCK = Update(
    "stock",
    keys=("event_id", "class_number"),
    sets={"held": "held + v.more_held", "sold": "sold + v.more_sold"},
    types={"event_id": "uuid", "class_number": "integer", "more_held": "integer", "more_sold": "integer"},
)
_ORDER_STATES = Update(
    "orders",
    keys=("id",),
    sets={
        "state": "coalesce(v.new_state, state)",
        "paid_ms": "coalesce(v.new_paid_ms, paid_ms)",
        "hold_expires_ms": "coalesce(v.new_end_ms, hold_expires_ms)",
        "extensions": "extensions + v.more_extensions",
    },
    types={
        "id": "uuid",
        "new_state": "text",
        "new_paid_ms": "bigint",
        "new_end_ms": "bigint",
        "more_extensions": "integer",
    },
)
_PAYMENT_STATES = Update(
    "payments",
    keys=("id",),
    sets={
        "state": "v.new_state",
        "provider_ref": "v.new_ref",
        "reason": "v.new_reason",
        "changed_ms": "v.new_changed_ms",
    },
    types={"id": "uuid", "new_state": "text", "new_ref": "text", "new_reason": "text", "new_changed_ms": "bigint"},
)
WRITER = Writer(
    (
        *(_STOCK, _ORDERS, _LINES, _ORDER_STATES, _CLAIMS),
        *(_PAYMENTS, _PAYMENT_STATES, _KEYS, _TICKETS, _OUTBOX, _LEDGER),
    )
)

_FREE = delete(SeatClaim).where(
    SeatClaim.event_id == bindparam("the_event"),
    SeatClaim.seat_number == bindparam("the_seat"),
    SeatClaim.order_id == bindparam("the_order"),
)


def write_and_commit(
    connection: Connection,
    event: EventFacts,
    changes: Changes,
    now_ms: int,
    bodies: dict[UUID, str],
    written: Callable[[], None],
) -> None:
    """Everything in `changes`, and the commit. `bodies`: the first answer of each new hold, by order."""
    if changes.freed:  # first, since another order of the same batch may claim the seat
        freed = changes.freed.items()
        rows = [{"the_event": event.id, "the_seat": seat, "the_order": order} for seat, order in freed]
        connection.execute(_FREE, rows)
    for digest, more in changes.codes.items():
        mine = (Code.event_id == event.id) & (Code.hash == digest)
        connection.execute(update(Code).where(mine).values(uses=Code.uses + more))
    new_or_changed = {
        _STOCK.param: _stock(event, changes),
        _ORDERS.param: _orders(event, changes, now_ms),
        _LINES.param: _lines(changes),
        _ORDER_STATES.param: _order_states(changes, now_ms),
        _CLAIMS.param: _claims(event, changes),
        _PAYMENTS.param: _payments(changes, now_ms),
        _PAYMENT_STATES.param: _payment_states(changes, now_ms),
        _KEYS.param: _keys(changes, now_ms, bodies),
        _TICKETS.param: _tickets(event, changes, now_ms),
        _OUTBOX.param: _outbox(changes, now_ms),
        _LEDGER.param: ledger_rows(changes.ledger, event.id, now_ms),
    }
    note_buyers(connection, event.id, changes)
    WRITER.write_and_commit(connection, new_or_changed, written)


def _stock(event: EventFacts, changes: Changes) -> list[dict[str, Any]]:
    return [
        {"event_id": event.id, "class_number": number, "more_held": held, "more_sold": sold}
        for number, (held, sold) in changes.stock.items()
        if held or sold
    ]


def _orders(event: EventFacts, changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "id": held.order_id,
            "event_id": event.id,
            "state": changes.orders.get(held.order_id, "held"),
            "secret_hash": held.secret_hash,
            "owner": held.owner,
            "quantity": sum(line.quantity for line in held.lines),
            "total_minor": held.total_minor,
            "currency": event.currency,
            "hold_expires_ms": changes.extended.get(held.order_id, held.hold_expires_ms),
            "created_ms": now_ms,
            "extensions": int(held.order_id in changes.extended),
            "code_hash": held.code,
            "terms_version": held.terms,
        }
        for held in changes.held
    ]


def _lines(changes: Changes) -> list[dict[str, Any]]:
    return [
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
    ]


def _order_states(changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    new = {held.order_id for held in changes.held}  # written as they are after the batch
    return [
        {
            "id": order_id,
            "new_state": changes.orders.get(order_id),
            "new_paid_ms": now_ms if changes.orders.get(order_id) == "paid" else None,
            "new_end_ms": changes.extended.get(order_id),
            "more_extensions": int(order_id in changes.extended and order_id not in new),
        }
        for order_id in {**changes.orders, **changes.extended}
    ]


def _claims(event: EventFacts, changes: Changes) -> list[dict[str, Any]]:
    return [
        {"event_id": event.id, "seat_number": number, "order_id": order}
        for number, order in sorted(changes.claimed.items())
    ]


def _payments(changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "id": started.payment_id,
            "order_id": started.order_id,
            "provider": started.provider,
            "idempotency_key": str(started.payment_id),
            "amount_minor": started.amount_minor,
            "currency": started.currency,
            "state": "started",
            "created_ms": now_ms,
            "changed_ms": now_ms,
        }
        for started in changes.started
    ]


def _payment_states(changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "id": change.payment_id,
            "new_state": change.state,
            "new_ref": change.reference,
            "new_reason": change.reason,
            "new_changed_ms": now_ms,
        }
        for change in changes.payments.values()
    ]


def _keys(changes: Changes, now_ms: int, bodies: dict[UUID, str]) -> list[dict[str, Any]]:
    holds = [(held.key, held.order_id, CREATED, bodies[held.order_id]) for held in changes.held]
    payments = [(started.key, started.payment_id, None, None) for started in changes.started]
    return [
        {
            "scope": key.scope,
            "key": key.digest,
            "request_hash": key.request_hash,
            "resource_id": resource,
            "status": status,
            "body": body,
            "created_ms": now_ms,
        }
        for key, resource, status, body in (*holds, *payments)
    ]


def _tickets(event: EventFacts, changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "id": ticket_id(ticket.order_id, ticket.position),
            "event_id": event.id,
            "order_id": ticket.order_id,
            "position": ticket.position,
            "class_number": ticket.class_number,
            "seat_number": ticket.seat_number,
            "owner": ticket.owner,
            "state": "valid",
            "serial": 0,
            "epoch": 0,
            "binding_number": 0,
            "sold_ms": now_ms,
            "changed_ms": now_ms,
        }
        for ticket in changes.tickets
    ]


def _outbox(changes: Changes, now_ms: int) -> list[dict[str, Any]]:
    return [
        {
            "topic": "payment.refund",
            "key": f"refund:{back.payment_id}",
            "payload": {"payment_id": str(back.payment_id), "order_id": str(back.order_id), "why": back.why},
            "state": "waiting",
            "attempts": 0,
            "due_ms": now_ms,
            "created_ms": now_ms,
        }
        for back in changes.refunds
    ]


def ledger_rows(entries: Iterable[Entry], event_id: UUID, now_ms: int) -> list[dict[str, Any]]:
    """Entries as rows of the ledger."""
    # `asdict` copies deeply, which took longer than deciding.
    return [
        {**{name: getattr(entry, name) for name in _ENTRY}, "event_id": event_id, "created_ms": now_ms}
        for entry in entries
    ]

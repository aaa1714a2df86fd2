"""Who bought before, for the limits per buyer: passes of a waiting room, and marks of guests.

Read and written only where a batch has any, so that an order without them costs no statement more.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from backend.db.tables.buyers import BuyerMark, UsedPass
from backend.db.tables.orders import Order
from backend.db.upsert import insert_missing
from backend.domain.selling.outcomes import Changes


def read_passes(connection: Connection, event_id: UUID, nonces: Collection[bytes], now_ms: int) -> dict[bytes, UUID]:
    """The passes that were used for an order that is kept or was paid."""
    if not nonces:
        return {}
    live = (Order.state == "held") & (Order.hold_expires_ms > now_ms) | Order.state.in_(("paid", "refunded"))
    query = select(UsedPass.nonce, UsedPass.order_id).join(Order, Order.id == UsedPass.order_id)
    query = query.where(UsedPass.event_id == event_id, UsedPass.nonce.in_(nonces), live)
    return {row.nonce: row.order_id for row in connection.execute(query)}


def read_marked(connection: Connection, event_id: UUID, marks: Collection[bytes]) -> dict[bytes, dict[UUID, int]]:
    """The tickets that buyers with these marks keep or bought, by order."""
    if not marks:
        return {}
    query = (
        select(BuyerMark.mark, Order.id, Order.quantity)
        .join(Order, Order.id == BuyerMark.order_id)
        .where(BuyerMark.event_id == event_id, BuyerMark.mark.in_(marks), Order.state.in_(("held", "paid")))
    )
    found: dict[bytes, dict[UUID, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.mark, {})[row.id] = row.quantity
    return found


def note_buyers(connection: Connection, event_id: UUID, changes: Changes) -> None:
    """Keep which passes were used, and whose orders were paid for."""
    if changes.passes:  # a pass belongs to the last order it was used for; the one before has ended unpaid
        mine = (UsedPass.event_id == event_id) & UsedPass.nonce.in_(list(changes.passes))
        connection.execute(delete(UsedPass).where(mine))
        used = [{"event_id": event_id, "nonce": nonce, "order_id": order} for nonce, order in changes.passes.items()]
        connection.execute(insert(UsedPass), used)
    if changes.marks:
        marks = [{"order_id": order, "mark": mark, "event_id": event_id} for order, mark in sorted(changes.marks)]
        insert_missing(connection, BuyerMark, marks)

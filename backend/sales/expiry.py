"""End the holds whose time has come, by the database's clock. Run by the worker; any number of them may."""

from collections import defaultdict
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain_money import ChainCharge
from backend.db.tables.orders import Order, Payment
from backend.domain.chain_money import KEEP_SEEN_MS
from backend.domain.selling.outcomes import Ended
from backend.domain.selling.requests import Expire
from backend.sales.till.batch import run_batch
from backend.sales.till.seats import SeatMemory
from backend.sales.till.till import MAX_BATCH

AT_ONCE = 2_000  # holds ended in one run


def expire_holds(engine: Engine) -> int:
    """How many holds were ended."""
    with read(engine) as connection:
        now = now_ms(connection)
        # Paid on the chain in a block that is not final yet (SPEC 9.10).
        paid_on_chain = (
            select(ChainCharge.payment_id)
            .join(Payment, Payment.id == ChainCharge.payment_id)
            .where(Payment.order_id == Order.id, ChainCharge.seen_ms > now - KEEP_SEEN_MS)
        )
        query = (
            select(Order.id, Order.event_id)
            .where(Order.state == "held", Order.hold_expires_ms <= now, ~paid_on_chain.exists())
            .order_by(Order.hold_expires_ms)
            .limit(AT_ONCE)
        )
        by_event: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for row in connection.execute(query):
            by_event[row.event_id].append(row.id)
    ended = 0
    for event_id, orders in by_event.items():
        for first in range(0, len(orders), MAX_BATCH):
            requests = [Expire(order_id) for order_id in orders[first : first + MAX_BATCH]]
            outcomes = run_batch(engine, event_id, requests, SeatMemory(event_id))
            ended += sum(isinstance(outcome, Ended) for outcome in outcomes)
    return ended

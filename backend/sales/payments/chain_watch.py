"""Read what the market took from the index, and settle it by the same path as a notification (SPEC 9.10).

Only final blocks settle. What is in a block that may still be reorganised away keeps its order's hold, and is forgotten
with the block. Each round reads from where the last ended; a round that was cut short reads the same again, to the same
effect: a receipt is one row by its reference, and a payment is settled once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, insert, select, update

from backend.chain.apply import RAW_LOG
from backend.chain.follow import current_chain
from backend.chain.logs import RawLog
from backend.chain.market import OrderClosed, OrderPaid, Wanted, job_key, read_log
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainBlock, ChainContract, ChainJob, ChainLog
from backend.db.tables.chain_money import ChainCharge, ChainMoneyCursor, ChainReceipt
from backend.db.tables.events import Event
from backend.db.tables.orders import Payment, Refund
from backend.db.upsert import insert_missing
from backend.domain.chain_money import RELEASE_AFTER_MS, may_release
from backend.killpoints import reach
from backend.sales.charge_backs import take_charge_back
from backend.sales.payments.chain import ChainPayments, ask_back, enqueue_market_job, said_of
from backend.sales.payments.flow import find_payment, settle
from backend.sales.till.reading import lock_event
from backend.sales.till.till import Tills

BLOCKS_AT_ONCE = 500
CHARGES_COMPARED = 20_000  # of an event, the newest: in which one a payment with another amount is looked for
RELEASED_AT_ONCE = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Came:
    """A log of a market, and what it says."""

    market: bytes
    block_number: int
    said: OrderPaid | OrderClosed


def watch(engine: Engine, tills: Tills, provider: ChainPayments) -> int:
    """Settle what final blocks say; how many payments and returns were new."""
    chain = current_chain(engine)
    if chain is None:
        return 0
    with engine.begin() as connection:
        columns = (Chain.start_block, Chain.cursor_number, Chain.final_number)
        state = connection.execute(select(*columns).where(Chain.id == chain.id)).one()
        since = _cursor(connection, chain.id, state.start_block - 1, state.final_number)
        # What is final and was not settled yet counts as seen too, so that no hold ends between the two.
        _note_seen(connection, chain.id, _logs(connection, chain.id, since, state.cursor_number))
        reached = min(state.final_number, since + BLOCKS_AT_ONCE)
        logs = _logs(connection, chain.id, since, reached)
    done = 0
    for came in logs:
        if isinstance(came.said, OrderPaid):
            done += _paid(engine, tills, provider, chain.id, came)
        else:
            done += _closed(engine, chain.id, came.said)
    if reached != since:
        with engine.begin() as connection:
            _set_cursor(connection, chain.id, reached)
    return done


def watch_to_final(engine: Engine, tills: Tills, provider: ChainPayments) -> None:
    """Settle all that the index has, as after a restore."""
    while True:
        watch(engine, tills, provider)
        with read(engine) as connection:
            behind = select(Chain.id).outerjoin(ChainMoneyCursor, ChainMoneyCursor.chain == Chain.id)
            left = (ChainMoneyCursor.block_number < Chain.final_number) & (Chain.state == "active")
            if connection.execute(behind.where(left)).first() is None:
                return


def release_due(engine: Engine) -> int:
    """Let the organiser have the money of orders from the doors on; of how many orders that was asked now."""
    with read(engine) as connection:
        events = list(connection.scalars(_releasable(ChainReceipt.event_id, now_ms(connection)).distinct()))
    asked = 0
    for event_id in events:
        with engine.begin() as connection:
            lock_event(connection, event_id)  # as a refund does: of the two, only one is decided
            now = now_ms(connection)
            event = connection.execute(select(Event.state, Event.doors_ms).where(Event.id == event_id)).one()
            query = _releasable(ChainReceipt, now).where(ChainReceipt.event_id == event_id)
            for row in connection.execute(query.order_by(ChainReceipt.paid_ms).limit(RELEASED_AT_ONCE)):
                if may_release(event_state=event.state, doors_ms=event.doors_ms, paid_ms=row.paid_ms, now_ms=now):
                    enqueue_market_job(connection, "release_order", row)
                    mine = (ChainReceipt.order_ref == row.order_ref) & (ChainReceipt.chain == row.chain)
                    connection.execute(update(ChainReceipt).where(mine).values(state="releasing"))
                    asked += 1
    return asked


def _releasable(what: Any, now: int) -> Any:  # noqa: ANN401 - a column or a table; a query
    """Money of orders that stand, and whose time may have come."""
    return (
        select(what)
        .join(Event, Event.id == ChainReceipt.event_id)
        .join(Payment, Payment.id == ChainReceipt.payment_id)
        .where(ChainReceipt.state == "held", ChainReceipt.extra.is_(False), Payment.state == "succeeded")
        .where((Event.doors_ms <= now) | (ChainReceipt.paid_ms <= now - RELEASE_AFTER_MS))
        .where(Event.state != "cancelled", ~_going_back(Payment.id).exists())
    )


# --- what came --------------------------------------------------------------------------------------------------------


def _paid(engine: Engine, tills: Tills, provider: ChainPayments, chain: int, came: _Came) -> bool:
    with engine.begin() as connection:
        receipt = _store(connection, provider, chain, came)
        if receipt is None:
            return False
        if receipt.extra:
            ask_back(connection, receipt)
    reach("chain_money.stored")
    if receipt.payment_id is None:
        _log.warning("the market took order 0x%s, which nobody was asked for", receipt.order_ref.hex())
        return False
    if receipt.extra:
        return False
    payment = find_payment(engine, receipt.payment_id)
    settled = settle(engine, tills, payment, said_of(payment.id, receipt))
    return settled.state != payment.state


def _store(connection: Connection, provider: ChainPayments, chain: int, came: _Came) -> Row[Any] | None:
    """The receipt's row, made now if it is new; None if it is not about an event of ours."""
    paid = came.said
    if not isinstance(paid, OrderPaid):
        raise TypeError(paid)
    mine = (ChainReceipt.order_ref == paid.ref) & (ChainReceipt.chain == chain)
    known = connection.execute(select(ChainReceipt).where(mine)).one_or_none()
    if known is not None:
        return known
    contract = (
        (ChainContract.chain == chain) & (ChainContract.address == paid.tickets) & (ChainContract.kind == "event")
    )
    event_id = connection.scalar(select(ChainContract.event_id).where(contract))
    if event_id is None:
        return None
    payment_id = _meant(connection, provider, event_id, came.market, paid)
    before = select(ChainReceipt.order_ref).where(ChainReceipt.payment_id == payment_id).limit(1)
    at = (ChainBlock.chain == chain) & (ChainBlock.number == came.block_number)
    row = {
        "order_ref": paid.ref,
        "chain": chain,
        "market": came.market,
        "event_id": event_id,
        "payment_id": payment_id,
        "extra": payment_id is not None and connection.execute(before).one_or_none() is not None,
        "payer": paid.payer,
        "class_number": paid.class_number,
        "amount_minor": paid.amount_minor,
        "state": "held",
        "block_number": came.block_number,
        "paid_ms": 1000 * (connection.scalar(select(ChainBlock.timestamp).where(at)) or 0),
    }
    insert_missing(connection, ChainReceipt, [row])
    return connection.execute(select(ChainReceipt).where(mine)).one()


def _meant(
    connection: Connection, provider: ChainPayments, event_id: UUID, market: bytes, paid: OrderPaid
) -> UUID | None:
    """The payment that the money was for: by its reference, or, for another amount or class, by its salt."""
    exact = (ChainCharge.order_ref == paid.ref) & (ChainCharge.market == market)
    found = connection.scalar(select(ChainCharge.payment_id).where(exact))
    if found is not None:
        return UUID(str(found))
    query = (
        select(ChainCharge.payment_id)
        .where(ChainCharge.event_id == event_id, ChainCharge.market == market)
        .order_by(ChainCharge.created_ms.desc())
        .limit(CHARGES_COMPARED)
    )
    for payment_id in connection.scalars(query):
        salt = provider.salt(payment_id)
        if Wanted(paid.tickets, paid.class_number, paid.amount_minor, salt).ref == paid.ref:
            return UUID(str(payment_id))
    return None


def _closed(engine: Engine, chain: int, said: OrderClosed) -> bool:
    """The money went to payer or organiser. A payer who took it back without us has charged the order back."""
    mine = (ChainReceipt.order_ref == said.ref) & (ChainReceipt.chain == chain)
    with engine.begin() as connection:
        receipt = connection.execute(select(ChainReceipt).where(mine)).one_or_none()
        if receipt is None:
            return False
        connection.execute(update(ChainReceipt).where(mine).values(state=said.state))
        ours = select(ChainJob.id).where(ChainJob.key == job_key("refund_order", receipt.market, said.ref))
        asked = any(connection.execute(one).first() for one in (ours, _going_back(receipt.payment_id)))
    if said.state != "refunded" or asked or receipt.payment_id is None or receipt.extra:
        return bool(receipt.state != said.state)
    if take_charge_back(engine, receipt.event_id, receipt.payment_id):
        _log.warning("payment %s was taken back by who paid it", receipt.payment_id)
    return True


def _going_back(payment_id: Any) -> Any:  # noqa: ANN401 - a value or a column
    return select(Refund.id).where(Refund.payment_id == payment_id, Refund.amount_minor > 0)


# --- what may still be reorganised away -------------------------------------------------------------------------------


def _note_seen(connection: Connection, chain: int, logs: Sequence[_Came]) -> None:
    """Which offers are paid in blocks that are not final, and since when."""
    refs = {one.said.ref for one in logs if isinstance(one.said, OrderPaid)}
    mine = (ChainCharge.chain == chain) & ChainCharge.seen_ms.is_not(None)
    known = set(connection.scalars(select(ChainCharge.order_ref).where(mine)))
    for ref in known - refs:
        connection.execute(update(ChainCharge).where(ChainCharge.order_ref == ref).values(seen_ms=None))
    fresh = list(refs - known)
    if fresh:
        now = now_ms(connection)
        connection.execute(update(ChainCharge).where(ChainCharge.order_ref.in_(fresh)).values(seen_ms=now))


# --- the index --------------------------------------------------------------------------------------------------------


def _logs(connection: Connection, chain: int, above: int, up_to: int) -> list[_Came]:
    """What markets of ours said about orders in these blocks, in order."""
    markets = select(ChainContract.address).where(ChainContract.chain == chain, ChainContract.kind == "market")
    query = (
        select(*RAW_LOG)
        .where(ChainLog.chain == chain, ChainLog.block_number > above, ChainLog.block_number <= up_to)
        .where(ChainLog.address.in_(markets))
        .order_by(ChainLog.block_number, ChainLog.log_index)
    )
    logs = [RawLog(*row) for row in connection.execute(query)]
    return [_Came(log.address, log.block_number, said) for log in logs if (said := read_log(log)) is not None]


def _cursor(connection: Connection, chain: int, first: int, final: int) -> int:
    """Up to where the market was read; back to the last final block where that went back."""
    mine = ChainMoneyCursor.chain == chain
    known = connection.scalar(select(ChainMoneyCursor.block_number).where(mine))
    return min(first if known is None else known, final)


def _set_cursor(connection: Connection, chain: int, block_number: int) -> None:
    mine = ChainMoneyCursor.chain == chain
    if connection.execute(update(ChainMoneyCursor).where(mine).values(block_number=block_number)).rowcount == 0:
        connection.execute(insert(ChainMoneyCursor).values(chain=chain, block_number=block_number))

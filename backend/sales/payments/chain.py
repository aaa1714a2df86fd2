"""The chain as a payment provider: the buyer's own wallet pays the market's `payOrder` (SPEC 9.10).

A charge only writes down what is asked for; the money comes, or does not, as a final block says (`chain_watch`). Every
answer here is from our rows, so that nobody who buys waits for a node. What went back is known by the chain's word too.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, func, select

from backend.chain.jobs import NewJob, enqueue
from backend.chain.market import MAX_AMOUNT_MINOR, MAX_UNITS, Wanted, job_calldata, job_key
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainBlock, ChainContract, ChainJob
from backend.db.tables.chain_money import ChainCharge, ChainPrice, ChainReceipt
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, OrderLine, Payment
from backend.db.upsert import insert_missing
from backend.domain.chain_money import fate, why_not_back
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from backend.ops.outages import node_away_since_ms
from backend.privacy.sealing import derived_key
from backend.sales.payments.interface import Charge, Disputed, RefundRefused, Said, SentBack, Silent

NAME = "chain"
TOKEN = "wallet"  # noqa: S105 - a word: the buyer's wallet pays, we are told nothing of it
MARKET_GAS = 200_000  # of a refund or release: 60,000 to 90,000 as measured


class ChainPayments:
    """See `backend.sales.payments.interface.Provider`."""

    name = NAME
    pages: str | None = None

    def __init__(self, engine: Engine, secret: bytes) -> None:
        self._engine, self._key = engine, derived_key(secret, "chain-payments")

    def charge(self, charge: Charge) -> Said:
        """Write down what is to be paid; nothing is taken here."""
        if charge.token != TOKEN:
            raise refuse("unknown_payment_token", _('A payment on the chain takes the token "%s"') % TOKEN)
        with self._engine.begin() as connection:
            known = select(ChainCharge.payment_id).where(ChainCharge.payment_id == charge.payment_id)
            if connection.execute(known).one_or_none() is None:
                self._offer(connection, charge)
        reach("chain_money.offered")
        return Said(charge.payment_id, "unknown")

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        """As far as final blocks tell. None: nothing was ever asked for."""
        with read(self._engine) as connection:
            charge = connection.execute(
                select(ChainCharge.chain, ChainCharge.seen_ms, Order.hold_expires_ms)
                .join(Payment, Payment.id == ChainCharge.payment_id)
                .join(Order, Order.id == Payment.order_id)
                .where(ChainCharge.payment_id == payment_id)
            ).one_or_none()
            if charge is None:
                return None
            came = _receipt(connection, payment_id)
            known = fate(
                came=came is not None,
                seen=charge.seen_ms is not None,
                pay_by_ms=charge.hold_expires_ms,
                final_time_ms=_final_time_ms(connection, charge.chain),
            )
        if came is not None:
            return said_of(payment_id, came)
        return Said(payment_id, known, reason="not_paid_in_time" if known == "declined" else None)

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        """Nobody can be kept from paying a contract; late money is treated as such."""
        return self.look_up(payment_id, reference)

    def taken_since(self, since: float) -> list[Said]:
        """What the chain took and did not give back; what nobody was asked for goes by its reference's own id."""
        with read(self._engine) as connection:
            query = select(ChainReceipt).where(ChainReceipt.paid_ms >= since * 1000, ChainReceipt.state != "refunded")
            rows = connection.execute(query.where(ChainReceipt.extra.is_(False))).all()
        return [said_of(row.payment_id or stranger_id(row.order_ref), row) for row in rows]

    def sent_back_since(self, since: float) -> list[SentBack]:  # noqa: ARG002 - the chain tells that it went back, not when
        """What the market gave back, under its payment's id: an order goes back once and whole."""
        with read(self._engine) as connection:
            query = select(ChainReceipt.payment_id, ChainReceipt.amount_minor).where(ChainReceipt.state == "refunded")
            rows = connection.execute(query.where(ChainReceipt.payment_id.is_not(None))).all()
        return [SentBack(row.payment_id, row.payment_id, row.amount_minor) for row in rows]

    def disputed_since(self, since: float) -> list[Disputed]:  # noqa: ARG002 - the interface's
        """None: what a payer took back without us is in the blocks, and is booked when they are read."""
        return []

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None, reference: str | None = None) -> None:  # noqa: ARG002 - an order goes back once: its reference is the key
        """Ask the market to give the money back; returns once it did, `Silent` until then."""
        with self._engine.begin() as connection:
            receipt = _receipt(connection, payment_id) or _stranger(connection, payment_id)
            if receipt is None:
                raise Silent
            why = why_not_back(
                receipt.state,
                amount_minor=receipt.amount_minor if amount_minor is None else amount_minor,
                whole_minor=receipt.amount_minor,
            )
            if why is not None:
                raise RefundRefused(why)
            back = receipt.state == "refunded" or ask_back(connection, receipt)
        if not back:
            raise Silent

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Said:  # noqa: ARG002 - the interface's
        """The chain sends no letters; its blocks are read."""
        raise refuse("notification_forged", _("There are no notifications of payments on the chain"))

    def balance(self) -> dict[str, int]:
        """What came for payments of ours and did not go back, by currency, in minor units."""
        with read(self._engine) as connection:
            query = (
                select(Event.currency, func.sum(ChainReceipt.amount_minor))
                .join(Event, Event.id == ChainReceipt.event_id)
                .where(ChainReceipt.state != "refunded", ChainReceipt.extra.is_(False))
                .where(ChainReceipt.payment_id.is_not(None))
                .group_by(Event.currency)
            )
            return {currency: int(amount) for currency, amount in connection.execute(query)}

    def open_for(self, event_id: UUID) -> bool:
        """Whether buyers of the event can pay this way now: the contract is there, takes money, and a node answers."""
        with read(self._engine) as connection:
            return isinstance(_ground(connection, event_id), _Ground)

    def salt(self, payment_id: UUID) -> bytes:
        """32 bytes that nobody can guess before the order is paid, and that are the same each time."""
        return hmac.digest(self._key, payment_id.bytes, sha256)

    def _offer(self, connection: Connection, charge: Charge) -> None:
        order = connection.execute(
            select(Order.id, Order.event_id)
            .join(Payment, Payment.order_id == Order.id)
            .where(Payment.id == charge.payment_id)
        ).one()
        ground = _ground(connection, order.event_id)
        if isinstance(ground, Refused):
            raise ground
        units = charge.amount_minor * ground.units_per_minor
        if not 0 < charge.amount_minor <= MAX_AMOUNT_MINOR or units > MAX_UNITS:
            raise refuse("amount_not_payable", _("This amount can't be paid on the chain; pay another way"))
        first = select(func.min(OrderLine.class_number)).where(OrderLine.order_id == order.id)
        class_number = connection.execute(first).scalar_one()
        wanted = Wanted(ground.tickets, class_number, charge.amount_minor, self.salt(charge.payment_id))
        row = {
            "payment_id": charge.payment_id,
            "order_ref": wanted.ref,
            "event_id": order.event_id,
            "chain": ground.chain,
            "market": ground.market,
            "tickets": ground.tickets,
            "class_number": class_number,
            "amount_minor": charge.amount_minor,
            "created_ms": now_ms(connection),
        }
        insert_missing(connection, ChainCharge, [row])


def refuse_impossible_refund(connection: Connection, payment_id: UUID, amount_minor: int) -> None:
    """Raise `Refused` where the contract can't give `amount_minor` of this payment back."""
    receipt = _receipt(connection, payment_id)
    if receipt is None:
        return
    why = why_not_back(receipt.state, amount_minor=amount_minor, whole_minor=receipt.amount_minor)
    if why == "refund_whole_only":
        raise refuse(
            why, _("An order paid on the chain goes back whole and without a fee, or not at all; ask the organiser")
        )
    if why is not None:
        raise refuse(why, _("The order's money is with the organiser already; the organiser gives it back by hand"))


def ask_back(connection: Connection, receipt: Row[Any]) -> bool:
    """Ask for an order's money to go back to who paid it, once; whether it has."""
    job = enqueue_market_job(connection, "refund_order", receipt)
    state = connection.execute(select(ChainJob.state).where(ChainJob.id == job)).scalar_one()
    return state == "final"


def enqueue_market_job(connection: Connection, kind: str, receipt: Row[Any]) -> int:
    """The job that lets go of an order's money: `refund_order` or `release_order`."""
    job = NewJob(
        kind=kind,
        key=job_key(kind, receipt.market, receipt.order_ref),
        event_id=receipt.event_id,
        gas_limit=MARKET_GAS,
        calldata=job_calldata(kind, receipt.order_ref),
    )
    return enqueue(connection, job)


def said_of(payment_id: UUID, receipt: Row[Any]) -> Said:
    """A receipt as the provider's word."""
    return Said(payment_id, "succeeded", "0x" + receipt.order_ref.hex(), None, receipt.amount_minor)


def stranger_id(order_ref: bytes) -> UUID:
    """How money that nobody was asked for is named: by the first half of its reference."""
    return UUID(bytes=order_ref[:16])


@dataclass(frozen=True, slots=True)
class _Ground:
    """Where and in what an event's buyers pay."""

    chain: int
    market: bytes
    tickets: bytes
    units_per_minor: int


def _ground(connection: Connection, event_id: UUID) -> _Ground | Refused:
    price = connection.execute(select(ChainPrice).where(ChainPrice.event_id == event_id)).one_or_none()
    chain = connection.scalar(select(Chain.id).where(Chain.state == "active").order_by(Chain.id.desc()).limit(1))
    born = (ChainContract.chain == chain) & ChainContract.block_number.is_not(None)
    mine = born & (ChainContract.kind == "event") & (ChainContract.event_id == event_id)
    tickets = connection.scalar(select(ChainContract.address).where(mine))
    newest = select(ChainContract.address).where(born, ChainContract.kind == "market")
    market = connection.scalar(newest.order_by(ChainContract.block_number.desc()).limit(1))
    if chain is None or tickets is None or market is None or node_away_since_ms(connection) is not None:
        return refuse("chain_away", _("The chain can't be paid on just now; pay another way, or try again later"))
    if price is None:
        return refuse("not_sold_on_chain", _("Tickets of this event are not paid on the chain; pay another way"))
    return _Ground(chain, market, tickets, price.units_per_minor)


def _receipt(connection: Connection, payment_id: UUID) -> Row[Any] | None:
    mine = (ChainReceipt.payment_id == payment_id) & ChainReceipt.extra.is_(False)
    return connection.execute(select(ChainReceipt).where(mine).limit(1)).one_or_none()


def _stranger(connection: Connection, payment_id: UUID) -> Row[Any] | None:
    first = payment_id.bytes
    mine = (ChainReceipt.order_ref >= first + bytes(16)) & (ChainReceipt.order_ref <= first + b"\xff" * 16)
    query = select(ChainReceipt).where(mine, ChainReceipt.payment_id.is_(None)).limit(1)
    return connection.execute(query).one_or_none()


def _final_time_ms(connection: Connection, chain: int) -> int:
    """The time of the newest final block; 0 if we know none."""
    query = (
        select(ChainBlock.timestamp)
        .join(Chain, Chain.id == ChainBlock.chain)
        .where(ChainBlock.chain == chain, ChainBlock.number <= Chain.final_number)
        .order_by(ChainBlock.number.desc())
        .limit(1)
    )
    return 1000 * (connection.scalar(query) or 0)

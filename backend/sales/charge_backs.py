"""Money that a bank takes back without asking us, whole or in part, and money that it gives back to us (SPEC 9.6).

Decided and written under the event's lock, as refunds are. What is written already is known by the keys of its entries
in the ledger, so that each may be told twice and in any order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import LedgerEntry, Order, Payment
from backend.domain import ledger
from backend.domain.selling.refunding import NOTHING, Returned, charge_back, dispute
from backend.killpoints import reach
from backend.sales.payments.flow import find_payment
from backend.sales.payments.interface import Dispute, Disputed, Silent
from backend.sales.refunds import give_back_rest, left_of, lock, lock_order, sold_tickets, void_tickets
from backend.sales.till.writing import ledger_rows

BOOKED = ("succeeded", "refunding", "refund_failed", "refunded")  # payments whose money is in the ledger
SHOWN = 200  # disputes in one list

Outcome = Literal["known", "stopped", "undecided", "reinstated"]


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A dispute that left tickets good; the organiser decides about them."""

    order_id: UUID
    name: str  # the provider's
    provider: str
    amount_minor: int
    currency: str


def take_charge_back(engine: Engine, event_id: UUID, payment_id: UUID) -> bool:
    """The bank took a payment back; whether that was news. Unused tickets are void at once, used ones are a loss."""
    with engine.begin() as connection:
        lock(connection, event_id)
        payment = _payment(connection, payment_id)
        if payment.state == "charged_back":
            return False
        lock_order(connection, payment.order_id)
        tickets = sold_tickets(connection, payment.order_id)
        decided = charge_back(tickets) if payment.state == "succeeded" else NOTHING
        # What was used, and what went back before, is lost. Of a payment we never saw succeed nothing was booked. What
        # disputes took before is among it: no bank takes the same money twice.
        taken = payment.amount_minor - _disputed(connection, payment) if payment.state in BOOKED else 0
        void = min(decided.amount_minor, taken)
        loss = taken - void
        booked = (payment.provider, void, loss, payment.currency, payment.order_id, payment_id)
        _write(connection, event_id, ledger.taken_back(str(payment_id), *booked))
        _stop(connection, payment, decided)
        reach("refund.charged_back")
        return True


def book_dispute(engine: Engine, event_id: UUID, payment_id: UUID, told: Dispute) -> Outcome:
    """A bank took some of a payment, or gave it back to us; what that changed.

    `stopped`: it took all that was left, and what was not used is void. `undecided`: it took less, and the tickets are
    good until the organiser decides. Raises `Silent` while the payment's own money is not in the ledger yet.
    """
    with engine.begin() as connection:
        lock(connection, event_id)
        payment = _payment(connection, payment_id)
        if payment.state not in (*BOOKED, "charged_back"):
            raise Silent
        return book_locked(connection, event_id, payment, told)


def book_locked(connection: Connection, event_id: UUID, payment: Row[Any], told: Dispute) -> Outcome:
    """As `book_dispute`, for who holds the event's lock and a payment whose money is in the ledger."""
    taken = entries_of(connection, ledger.taken_back_keys(told.name))
    if not taken:
        return _book_new(connection, event_id, payment, told)
    if not told.reinstated or entries_of(connection, [ledger.reinstated_key(one.key) for one in taken]):
        return "known"
    _write(connection, event_id, ledger.reinstated(taken, told.amount_minor))
    if told.currency == payment.currency:
        give_back_rest(connection, payment)
    return "reinstated"


@dataclass(frozen=True, slots=True)
class Found:
    """What a list of disputes changed, by order; what was booked before is not in it.

    `waiting`: how many are of payments that we don't know to be paid yet; `unknown`: payments that are not in our rows
    and whose money, or some of it, is with a bank again.
    """

    stopped: tuple[UUID, ...] = ()
    undecided: tuple[UUID, ...] = ()
    reinstated: tuple[UUID, ...] = ()
    waiting: int = 0
    unknown: tuple[UUID, ...] = ()


def book_disputes(engine: Engine, told: Iterable[Disputed]) -> Found:
    """Book what a provider lists as it would have been had we heard of each; the same again books nothing."""
    orders: dict[Outcome, list[UUID]] = {"known": [], "stopped": [], "undecided": [], "reinstated": []}
    waiting, unknown = 0, list[UUID]()
    for one in told:
        try:
            payment = find_payment(engine, one.payment_id)
        except LookupError:
            unknown += [] if one.dispute.reinstated else [one.payment_id]
            continue
        try:
            orders[book_dispute(engine, payment.event_id, payment.id, one.dispute)].append(payment.order_id)
        except Silent:
            waiting += 1
    return Found(
        stopped=tuple(orders["stopped"]),
        undecided=tuple(orders["undecided"]),
        reinstated=tuple(orders["reinstated"]),
        waiting=waiting,
        unknown=tuple(dict.fromkeys(unknown)),
    )


def undecided_disputes(engine: Engine, order_id: UUID | None = None) -> list[DisputeView]:
    """Those that took less than was left and whose money is not back; of an order or of all. The oldest first."""
    back = select(LedgerEntry.key).where(LedgerEntry.kind == "reinstated")
    query = (
        select(LedgerEntry, Payment.provider)
        .join(Payment, Payment.id == LedgerEntry.payment_id)
        .join(Order, Order.id == LedgerEntry.order_id)
        .where(LedgerEntry.kind == "loss", Payment.state == "succeeded", Order.state == "paid")
        .where((ledger.reinstated_key("") + LedgerEntry.key).not_in(back))
        .order_by(LedgerEntry.id)
        .limit(SHOWN)
    )
    if order_id is not None:
        query = query.where(LedgerEntry.order_id == order_id)
    with read(engine) as connection:
        return [
            DisputeView(row.order_id, row.key.partition(":")[2], row.provider, row.amount_minor, row.currency)
            for row in connection.execute(query)
        ]


def _book_new(connection: Connection, event_id: UUID, payment: Row[Any], told: Dispute) -> Outcome:
    """Book a dispute that we had not heard of. Where its money is back already, it stops nothing."""
    decided, gone = NOTHING, 0
    if payment.state == "succeeded" and not told.reinstated and told.currency == payment.currency:
        lock_order(connection, payment.order_id)
        tickets = sold_tickets(connection, payment.order_id)
        decided = dispute(tickets, told.amount_minor, left_of(connection, payment))
        # After a restore: those that were stopped before the loss, which the chain remembered.
        gone = sum(one.price_minor for one in tickets if one.state == "revoked") if decided is not NOTHING else 0
    took = told.taken_minor or told.amount_minor
    void = min(decided.amount_minor + gone, took)  # earlier disputes may have taken some of the tickets' price
    booked = (payment.provider, void, took - void, told.currency, payment.order_id, payment.id)
    taken = ledger.taken_back(told.name, *booked)
    if told.reinstated:
        _write(connection, event_id, [*taken, *ledger.reinstated(taken, told.amount_minor)])
        return "reinstated"
    _write(connection, event_id, taken)
    if decided is NOTHING:
        return "undecided"
    _stop(connection, payment, decided)
    return "stopped"


def _payment(connection: Connection, payment_id: UUID) -> Row[Any]:
    return connection.execute(select(Payment.__table__).where(Payment.id == payment_id)).one()


def _disputed(connection: Connection, payment: Row[Any]) -> int:
    """What banks have taken of the payment before, less what they gave back."""
    query = select(LedgerEntry.kind, LedgerEntry.amount_minor).where(LedgerEntry.payment_id == payment.id)
    rows = connection.execute(query.where(LedgerEntry.currency == payment.currency))
    signs = {"charge_back": 1, "loss": 1, "reinstated": -1}
    return sum(amount * signs.get(kind, 0) for kind, amount in rows)


def entries_of(connection: Connection, keys: Iterable[str]) -> list[ledger.Entry]:
    columns = [getattr(LedgerEntry, name) for name in ledger.Entry.__slots__]
    return [ledger.Entry(*row) for row in connection.execute(select(*columns).where(LedgerEntry.key.in_(keys)))]


def _write(connection: Connection, event_id: UUID, entries: list[ledger.Entry]) -> None:
    if entries:
        connection.execute(insert(LedgerEntry), ledger_rows(entries, event_id, now_ms(connection)))


def _stop(connection: Connection, payment: Row[Any], decided: Returned) -> None:
    """The payment is gone, and the decided tickets with it."""
    now = now_ms(connection)
    gone = {"state": "charged_back", "reason": "charged_back", "changed_ms": now}
    connection.execute(update(Payment).where(Payment.id == payment.id).values(gone))
    if decided.tickets or decided.empties_order:
        order = connection.execute(select(Order.__table__).where(Order.id == payment.order_id)).one()
        void_tickets(connection, order, decided, "revoked", now)

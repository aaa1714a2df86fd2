"""Tickets that go back, and their money: decided and written under the event's lock, as the till does.

Money is sent back by the outbox. The ticket's code dies with the commit: its serial grows and no credential follows;
the chain is told by whoever reads the ticket's state (SPEC 10.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from backend.credentials.ownership import has_moved
from backend.credentials.ticket_status import stopped_on_chain
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event, SeatClaim, Stock
from backend.db.tables.orders import LedgerEntry, Order, OrderLine, Outbox, Payment, Refund, Ticket
from backend.domain import ledger
from backend.domain.ids import new_id
from backend.domain.selling.outcomes import No
from backend.domain.selling.refunding import By, Returned, SoldTicket, Terms, give_back
from backend.domain.selling.requests import Key
from backend.errors import Refused
from backend.killpoints import reach
from backend.notices.order_outbox import tell_money_back
from backend.sales.once import made_before, remember
from backend.sales.payments.chain import NAME as CHAIN
from backend.sales.payments.chain import refuse_impossible_refund
from backend.sales.payments.interface import CASH
from backend.sales.payments.outbox import REFUND
from backend.sales.till.reading import lock_event
from backend.sales.till.writing import ledger_rows
from backend.sales.words import refusal

REDEEMED = 1  # a token's status on the chain (SPEC 8.3)
MAX_REASON = 80  # characters
DISPUTE_WON = "dispute_won"  # the reason of a refund that `give_back_rest` makes
_ADDS, _TAKES = ("sale", "reinstated"), ("refund", "charge_back", "loss")  # kinds, to what is left of a payment


@dataclass(frozen=True, slots=True)
class RefundView:
    """What went back. `state`: sending, or done once the provider took note (at once for tickets that cost nothing)."""

    id: UUID
    order_id: UUID
    amount_minor: int
    kept_minor: int
    currency: str
    state: str
    tickets: tuple[UUID, ...]
    by_hand: bool = False  # paid in cash: the buyer fetches the money at the box office


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants which tickets of an order to go back, and why. `tickets` none: all that can. `key`: of a request."""

    order_id: UUID
    by: By
    reason: str
    tickets: tuple[UUID, ...] | None = None
    key: Key | None = None


def refund(engine: Engine, event_id: UUID, wish: Wish) -> RefundView:
    """Take the tickets back and owe their money; raises `Refused`. The same key again: the first answer."""
    with engine.begin() as connection:
        lock(connection, event_id)
        known = made_before(connection, wish.key) if wish.key else None
        if known is not None:
            return _view(connection, known)
        lock_order(connection, wish.order_id)
        now = now_ms(connection)
        order = connection.execute(select(Order).where(Order.id == wish.order_id, Order.event_id == event_id)).one()
        tickets = sold_tickets(connection, order.id)
        terms, left = _terms(connection, event_id), _left(connection, order.id)
        decided = give_back(order.state, tickets, wish.tickets, wish.by, terms, now, left)
        if isinstance(decided, No):
            raise Refused(refusal(decided))
        refund_id = _give_back(connection, order, decided, wish, now)
        if wish.key is not None:
            remember(connection, wish.key, refund_id)
        reach("refund.written")
        return _view(connection, refund_id)


def preview(engine: Engine, event_id: UUID, order_id: UUID, tickets: Sequence[UUID] | None = None) -> Returned | No:
    """What a buyer would get for these tickets (none: all that can go back), or why nothing; changes nothing."""
    with read(engine) as connection:
        state = connection.scalar(select(Order.state).where(Order.id == order_id, Order.event_id == event_id))
        sold, terms = sold_tickets(connection, order_id), _terms(connection, event_id)
        left = _left(connection, order_id)
        return give_back(state or "", sold, tickets, "buyer", terms, now_ms(connection), left)


def refunds_of(engine: Engine, order_id: UUID) -> list[RefundView]:
    """What went back of an order, oldest first."""
    with read(engine) as connection:
        query = select(Refund.id).where(Refund.order_id == order_id).order_by(Refund.created_ms, Refund.id)
        return [_view(connection, one) for one in connection.scalars(query).all()]


def sold_tickets(connection: Connection, order_id: UUID) -> list[SoldTicket]:
    """The tickets of an order with their prices, in their order."""
    lines = connection.execute(
        select(OrderLine.quantity, OrderLine.unit_price_minor)
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.position)
    ).all()
    prices = [price for quantity, price in lines for _ in range(quantity)]
    entered = (
        select(GateRecord.token_id)
        .where(GateRecord.event_id == Ticket.event_id, GateRecord.token_id == Ticket.token_id, GateRecord.admits)
        .exists()
    )
    query = (
        select(Ticket, Token.status, entered.label("entered"), has_moved().label("moved"))
        .join(Order, Order.id == Ticket.order_id)
        .outerjoin(Token, (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id))
        .where(Ticket.order_id == order_id)
        .order_by(Ticket.position)
    )
    return [
        SoldTicket(
            row.id,
            row.position,
            row.class_number,
            row.seat_number,
            prices[row.position],
            row.state,
            bool(row.entered) or row.status == REDEEMED,
            bool(row.moved),
            stopped_on_chain(row.status),
        )
        for row in connection.execute(query)
    ]


def _give_back(connection: Connection, order: Row[Any], decided: Returned, wish: Wish, now: int) -> UUID:
    """Write a refund and what follows from it; its id."""
    payment = connection.execute(
        select(Payment).where(Payment.order_id == order.id, Payment.state == "succeeded")
    ).one_or_none()
    refund_id = new_id(now)
    sends = payment is not None and decided.amount_minor > 0
    if sends and payment is not None and payment.provider == CHAIN:
        refuse_impossible_refund(connection, payment.id, decided.amount_minor)
    connection.execute(
        insert(Refund).values(
            id=refund_id,
            order_id=order.id,
            payment_id=payment.id if payment is not None else None,
            asked_by=wish.by,
            reason=wish.reason[:MAX_REASON],
            tickets=[one.position for one in decided.tickets],
            amount_minor=decided.amount_minor,
            kept_minor=decided.kept_minor,
            currency=order.currency,
            state="sending" if sends else "done",
            created_ms=now,
            changed_ms=now,
        )
    )
    void_tickets(connection, order, decided, "refunded", now)
    tell_money_back(connection, "refund", order.id, refund_id)
    if payment is not None and sends:
        _owe(connection, order, payment.id, refund_id, decided.amount_minor, wish.reason[:MAX_REASON], now)
    return refund_id


def _owe(
    connection: Connection, order: Row[Any], payment_id: UUID, refund_id: UUID, amount: int, why: str, now: int
) -> None:
    """Book the money of a refund, and have it sent."""
    entry = ledger.refund(refund_id, amount, order.currency, order.id, payment_id)
    connection.execute(insert(LedgerEntry), ledger_rows([entry], order.event_id, now))
    payload = {
        "payment_id": str(payment_id),
        "order_id": str(order.id),
        "refund_id": str(refund_id),
        "amount_minor": amount,
        "why": why,
    }
    row = {"topic": REFUND, "key": f"refund:{refund_id}", "payload": payload, "state": "waiting", "attempts": 0}
    connection.execute(insert(Outbox).values(**row, due_ms=now, created_ms=now))


def give_back_rest(connection: Connection, payment: Row[Any]) -> None:
    """Of tickets given back while a bank had some of their money: what it returned to us is the buyer's."""
    made = select(Refund.tickets, Refund.amount_minor, Refund.kept_minor).where(Refund.payment_id == payment.id)
    price = {one.position: one.price_minor for one in sold_tickets(connection, payment.order_id)}
    short = sum(
        sum(price[position] for position in one.tickets) - one.amount_minor - one.kept_minor
        for one in connection.execute(made).all()
    )
    amount = min(short, left_of(connection, payment))
    if amount <= 0:
        return
    order = connection.execute(select(Order).where(Order.id == payment.order_id)).one()
    now = now_ms(connection)
    refund_id = new_id(now)
    row = {"id": refund_id, "order_id": order.id, "payment_id": payment.id, "asked_by": "organiser", "tickets": []}
    money = {"amount_minor": amount, "kept_minor": 0, "currency": order.currency}
    times = {"created_ms": now, "changed_ms": now}
    connection.execute(insert(Refund).values(**row, **money, **times, reason=DISPUTE_WON, state="sending"))
    tell_money_back(connection, "refund", order.id, refund_id)
    _owe(connection, order, payment.id, refund_id, amount, DISPUTE_WON, now)


def void_tickets(connection: Connection, order: Row[Any], decided: Returned, state: str, now: int) -> None:
    """The tickets' codes die and their places are free."""
    ids = [one.id for one in decided.tickets]
    dead = {"state": state, "serial": Ticket.serial + 1, "changed_ms": now}
    connection.execute(update(Ticket).where(Ticket.id.in_(ids)).values(dead))
    for number in {one.class_number for one in decided.tickets}:
        count = sum(one.class_number == number for one in decided.tickets)
        mine = (Stock.event_id == order.event_id) & (Stock.class_number == number)
        connection.execute(update(Stock).where(mine).values(sold=Stock.sold - count))
    seats = [one.seat_number for one in decided.tickets if one.seat_number]
    if seats:
        mine = (SeatClaim.event_id == order.event_id) & (SeatClaim.order_id == order.id)
        connection.execute(delete(SeatClaim).where(mine, SeatClaim.seat_number.in_(seats)))
    if decided.empties_order:
        connection.execute(update(Order).where(Order.id == order.id).values(state="refunded"))


def lock(connection: Connection, event_id: UUID) -> None:
    if lock_event(connection, event_id) is None:
        raise LookupError(f"no event {event_id}")


def lock_order(connection: Connection, order_id: UUID) -> None:
    """Before its tickets are looked at: who gives them away or binds them holds this lock, and not the event's."""
    connection.execute(select(Order.id).where(Order.id == order_id).with_for_update(key_share=True))


def left_of(connection: Connection, payment: Row[Any]) -> int:
    """What we still have of a payment: refunds that are on their way are gone."""
    query = select(LedgerEntry.kind, LedgerEntry.amount_minor)
    rows = connection.execute(
        query.where(LedgerEntry.payment_id == payment.id, LedgerEntry.currency == payment.currency)
    )
    return sum(amount * ((kind in _ADDS) - (kind in _TAKES)) for kind, amount in rows)


def _left(connection: Connection, order_id: UUID) -> int | None:
    """`left_of` the payment that refunds of the order go back by; none if there is none."""
    paid = select(Payment.__table__).where(Payment.order_id == order_id, Payment.state == "succeeded")
    payment = connection.execute(paid).one_or_none()
    return None if payment is None else left_of(connection, payment)


def _terms(connection: Connection, event_id: UUID) -> Terms:
    query = select(Event.state, Event.doors_ms, Event.refund_until_ms, Event.refund_keep_bps)
    return Terms(*connection.execute(query.where(Event.id == event_id)).one())


def _view(connection: Connection, refund_id: UUID) -> RefundView:
    row = connection.execute(select(Refund).where(Refund.id == refund_id)).one()
    query = select(Ticket.id).where(Ticket.order_id == row.order_id, Ticket.position.in_(row.tickets))
    tickets = tuple(connection.scalars(query.order_by(Ticket.position)))
    provider = connection.scalar(select(Payment.provider).where(Payment.id == row.payment_id))
    money = (row.amount_minor, row.kept_minor, row.currency)
    return RefundView(row.id, row.order_id, *money, row.state, tickets, by_hand=provider == CASH)

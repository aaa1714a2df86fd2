"""Money that a provider sent back and that a restored database knows nothing of: booked as if we had asked for it.

What the provider knows is payment, amount and the refund's own id; not which tickets were given back for it. The chain
may: what it revoked was given back. Where it does not, the order's last tickets that would still go in are void, and
the order is named, since its buyer may have given back others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.db.clock import now_ms
from backend.db.tables.events import Event
from backend.db.tables.orders import LedgerEntry, Order, Payment, Refund, Ticket
from backend.domain import ledger
from backend.domain.selling.refunding import BASIS_POINTS, GOOD, Returned, SoldTicket
from backend.sales.payments.failed import provider_key
from backend.sales.payments.interface import SentBack
from backend.sales.payments.outbox import note_refund_sent
from backend.sales.refunds import sold_tickets, void_tickets
from backend.sales.till.reading import lock_event
from backend.sales.till.writing import ledger_rows

REASON = "told by the provider"
TRIES = 100  # of one refund, each of which has an id of its own


@dataclass(frozen=True, slots=True)
class Booked:
    """What was booked. `guessed`: orders of which nobody knows which tickets went back; `unfit`: refunds not booked."""

    refunds: int = 0
    guessed: tuple[UUID, ...] = ()
    unfit: tuple[UUID, ...] = ()


def book_sent_back(connection: Connection, told: Iterable[SentBack]) -> Booked:
    """Book what is not in our rows, in the caller's transaction; the same again books nothing."""
    refunds, guessed, unfit = 0, list[UUID](), list[UUID]()
    for one in told:
        payment = connection.execute(select(Payment).where(Payment.id == one.payment_id)).one_or_none()
        if payment is None or payment.state != "succeeded" or _is_known(connection, one):
            continue  # what bought nothing goes back by itself, under its payment's id
        order = connection.execute(select(Order).where(Order.id == payment.order_id)).one()
        lock_event(connection, order.event_id)
        chosen, sure = _tickets_of(connection, order, one.amount_minor)
        if chosen is None:
            unfit.append(one.refund_id)
            continue
        _book(connection, order, payment, one, chosen)
        refunds += 1
        guessed += [] if sure else [order.id]
    return Booked(refunds, tuple(dict.fromkeys(guessed)), tuple(unfit))


def _is_known(connection: Connection, one: SentBack) -> bool:
    """By its id, or that of a later try; a provider without ids of refunds gives a payment back once."""
    known = connection.scalars(select(Refund.id).where(Refund.payment_id == one.payment_id)).all()
    if one.refund_id == one.payment_id:
        return bool(known)
    return any(provider_key(refund, tries) == one.refund_id for refund in known for tries in range(TRIES))


def _tickets_of(connection: Connection, order: Row[Any], amount: int) -> tuple[list[SoldTicket] | None, bool]:
    """The tickets that went back for that money, and whether that is certain; none: no tickets can make so much."""
    tickets = sold_tickets(connection, order.id)
    listed = connection.scalars(select(Refund.tickets).where(Refund.order_id == order.id)).all()
    paid = {position for positions in listed for position in positions}
    gone = [one for one in tickets if one.state == "revoked" and one.position not in paid]
    here = [one for one in reversed(tickets) if one.state in GOOD and not one.entered]
    keep_bps = connection.scalar(select(Event.refund_keep_bps).where(Event.id == order.event_id)) or 0
    count = _how_many([one.price_minor for one in (*gone, *here)], amount, keep_bps)
    if count is None:
        return None, False
    chosen = [*gone, *here][:count]
    return chosen, count <= len(gone) or count == len(gone) + len(here)


def _how_many(prices: Sequence[int], amount: int, keep_bps: int) -> int | None:
    """So many tickets of these, from the first, that they make the amount: exactly, less what is kept, or at least."""
    whole = list(accumulate(prices))
    less = list(accumulate(price - price * keep_bps // BASIS_POINTS for price in prices))
    exact = [number for number, sums in enumerate(zip(whole, less, strict=True), 1) if amount in sums]
    enough = [number for number, price in enumerate(whole, 1) if price >= amount]
    return next(iter([*exact, *enough]), None)


def _book(
    connection: Connection, order: Row[Any], payment: Row[Any], one: SentBack, chosen: Sequence[SoldTicket]
) -> None:
    now = now_ms(connection)
    row = {
        "id": one.refund_id,
        "order_id": order.id,
        "payment_id": payment.id,
        "asked_by": "bank",
        "reason": REASON,
        "tickets": [ticket.position for ticket in chosen],
        "amount_minor": one.amount_minor,
        "kept_minor": sum(ticket.price_minor for ticket in chosen) - one.amount_minor,
        "currency": order.currency,
        "state": "sending",
    }
    connection.execute(insert(Refund).values(**row, created_ms=now, changed_ms=now))
    entry = ledger.refund(one.refund_id, one.amount_minor, order.currency, order.id, payment.id)
    connection.execute(insert(LedgerEntry), ledger_rows([entry], order.event_id, now))
    _void(connection, order, chosen, now)
    note_refund_sent(connection, payment.provider, payment.id, one.refund_id, 0)


def _void(connection: Connection, order: Row[Any], chosen: Sequence[SoldTicket], now: int) -> None:
    """Codes die and places are free; those of tickets that the chain revoked are already."""
    ids = {one.id for one in chosen}
    left = select(func.count()).where(Ticket.order_id == order.id, Ticket.state.in_(GOOD), Ticket.id.not_in(ids))
    empties = not connection.scalar(left)
    here = tuple(one for one in chosen if one.state in GOOD)
    void_tickets(connection, order, Returned(here, 0, 0, empties_order=empties), "refunded", now)
    gone = [one.id for one in chosen if one.state not in GOOD]
    connection.execute(update(Ticket).where(Ticket.id.in_(gone)).values(state="refunded", changed_ms=now))

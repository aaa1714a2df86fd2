"""Disputes that somebody at the desk books, since no provider told us of them: checked, and then as any other.

A dispute's number, as the provider names it, is its idempotency key: a form sent twice, or a provider that tells later
after all, books nothing again. Decided under the event's lock, so that two at once can't take more than there is.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select

from backend.db.engine import read
from backend.db.tables.orders import LedgerEntry, Order, Payment
from backend.domain import ledger
from backend.domain.money import as_decimal
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.charge_backs import BOOKED, Outcome, book_locked, entries_of
from backend.sales.payments.interface import CASH, Dispute
from backend.sales.refunds import left_of, lock

MAX_NAME = 50  # characters of a dispute's number: it is part of a ledger key
UNDISPUTABLE = (CASH, "chain")  # nobody takes these back: there is no bank
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Booked:
    """A dispute in the ledger. `back_minor`: what came back of `taken_minor`; none: nothing was said of that yet."""

    name: str
    taken_minor: int
    back_minor: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Disputable:
    """What a bank can still take of an order's payment, and what disputes were booked."""

    left_minor: int
    currency: str
    disputes: tuple[Booked, ...]


def disputable(engine: Engine, order_id: UUID) -> Disputable | None:
    """How it stands; none for an order whose money no bank can take back."""
    with read(engine) as connection:
        payment = _payment(connection, order_id)
        if payment is None:
            return None
        left = max(0, left_of(connection, payment))
        return Disputable(left, payment.currency, _booked(connection, payment.id))


def book_by_hand(engine: Engine, order_id: UUID, told: Dispute) -> Outcome:
    """Book what a bank took of the order's payment, or gave back to us (`told.reinstated`); twice is once.

    Raises `Refused`: `nothing_to_dispute`, `bad_dispute_number`, `dispute_too_large` (more than is left, or than was
    taken), `dispute_differs` (the number is booked with another amount, or for another order).
    """
    checked_number(told.name)
    with engine.begin() as connection:
        event_id = connection.scalar(select(Order.event_id).where(Order.id == order_id))
        if event_id is None:
            raise refuse("unknown_order", _("There is no such order"))
        lock(connection, event_id)
        payment = _payment(connection, order_id)
        if payment is None:
            raise refuse("nothing_to_dispute", _("No bank holds money of this order that it could take back"))
        _check(connection, payment, told)
        return book_locked(connection, event_id, payment, told)


def checked_number(text: str) -> str:
    """A dispute's number as the provider names it; refuses (`bad_dispute_number`) what can't be one."""
    number = text.strip()
    if len(number) > MAX_NAME or not _NAME.fullmatch(number):
        sentence = _("Write the dispute's number as the provider shows it: at most %d letters, digits, - _ and .")
        raise refuse("bad_dispute_number", sentence % MAX_NAME, key="dispute")
    return number


def _payment(connection: Connection, order_id: UUID) -> Row[Any] | None:
    """The payment that bought the order, if a bank can take it back."""
    bought = select(LedgerEntry.payment_id).where(LedgerEntry.order_id == order_id, LedgerEntry.kind == "sale")
    query = select(Payment.__table__).where(
        Payment.id.in_(bought), Payment.state.in_((*BOOKED, "charged_back")), Payment.provider.not_in(UNDISPUTABLE)
    )
    return connection.execute(query).one_or_none()


def _check(connection: Connection, payment: Row[Any], told: Dispute) -> None:
    taken = entries_of(connection, ledger.taken_back_keys(told.name))
    back = entries_of(connection, [ledger.reinstated_key(one.key) for one in taken])
    if any((one.payment_id, one.currency) != (payment.id, told.currency) for one in taken):
        raise refuse("dispute_differs", _("This number is that of another order's dispute"), key="dispute")
    if not told.amount_minor > 0:
        raise refuse("bad_amount", _("Write an amount above zero"), key="amount")
    before = back if told.reinstated else taken
    if before:
        if _sum(before) != told.amount_minor:
            sentence = _("This dispute is booked already, with %(amount)s; nothing was booked again")
            words = {"amount": as_decimal(_sum(before), payment.currency)}
            raise refuse("dispute_differs", sentence % words, key="amount")
        return
    most = _sum(taken) if taken else left_of(connection, payment)
    if told.amount_minor > most:
        raise _too_large(most, payment.currency, taken=bool(taken))


def _too_large(most: int, currency: str, *, taken: bool) -> Refused:
    sentence = (
        _("The bank took %(most)s; it can't give back more")
        if taken
        else _("Only %(most)s of this payment can still be disputed; the rest was given or taken back")
    )
    return refuse("dispute_too_large", sentence % {"most": as_decimal(max(0, most), currency)}, key="amount")


def _booked(connection: Connection, payment_id: UUID) -> tuple[Booked, ...]:
    """By the names in the entries' keys, the oldest first."""
    query = select(LedgerEntry.key, LedgerEntry.kind, LedgerEntry.amount_minor, LedgerEntry.currency)
    mine = (LedgerEntry.payment_id == payment_id) & LedgerEntry.kind.in_(("charge_back", "loss", "reinstated"))
    found: dict[str, Booked] = {}
    for row in connection.execute(query.where(mine).order_by(LedgerEntry.id)):
        name = row.key.rpartition(":")[2]
        one = found.setdefault(name, Booked(name, 0, None, row.currency))
        if row.kind == "reinstated":
            found[name] = Booked(name, one.taken_minor, (one.back_minor or 0) + row.amount_minor, row.currency)
        else:
            found[name] = Booked(name, one.taken_minor + row.amount_minor, one.back_minor, row.currency)
    return tuple(found.values())


def _sum(entries: list[ledger.Entry]) -> int:
    return sum(one.amount_minor for one in entries)

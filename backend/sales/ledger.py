"""Does the money add up? The ledger beside the rows it was written with, and beside the providers' own books.

The rules of booking are `backend.domain.ledger`; entries can't be changed or deleted (triggers in the database).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Engine, func, select, union_all

from backend.db.engine import read
from backend.db.tables.orders import LedgerEntry, Order, Payment, Refund
from backend.domain.ledger import OWED, SALES, provider_account

OPEN = ("started", "unknown")


class Book(Protocol):
    """A provider that lets its own book be looked at."""

    def balance(self) -> dict[str, int]:
        """What it holds for us by currency, in minor units."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two sums that should be the same, in minor units."""

    what: str  # machine word
    currency: str
    ledger: int
    other: int


def balances(connection: Connection) -> dict[tuple[str, str], int]:
    """Every account's balance by account and currency, in minor units. All of a currency together are 0."""
    both = union_all(
        select(LedgerEntry.debit.label("account"), LedgerEntry.currency, LedgerEntry.amount_minor.label("amount")),
        select(LedgerEntry.credit.label("account"), LedgerEntry.currency, -LedgerEntry.amount_minor),
    ).subquery()
    query = select(both.c.account, both.c.currency, func.sum(both.c.amount)).group_by(both.c.account, both.c.currency)
    return {(account, currency): int(amount) for account, currency, amount in connection.execute(query)}


def check_ledger(engine: Engine, books: Mapping[str, Book]) -> list[Difference]:
    """Where the money does not add up; empty is good. Reconcile first: payments under way are in no ledger yet.

    `books`: providers by name whose own books are compared as well.
    """
    with read(engine) as connection:
        known = balances(connection)
        sums = {
            "sales": (SALES, -1, _sales(connection)),
            "owed": (OWED, -1, _owed(connection)),
        }
    found = [
        Difference(what, currency, sign * known.get((account, currency), 0), rows.get(currency, 0))
        for what, (account, sign, rows) in sums.items()
        for currency in {*rows, *(one for name, one in known if name == account)}
    ]
    for name, book in books.items():
        held = book.balance()
        account = provider_account(name)
        found += [
            Difference(account, currency, known.get((account, currency), 0), held.get(currency, 0))
            for currency in {*held, *(one for known_name, one in known if known_name == account)}
        ]
    return [one for one in found if one.ledger != one.other]


def open_payments(engine: Engine) -> int:
    """How many payments we do not know the fate of: the reconciler asks the providers about them."""
    with read(engine) as connection:
        return connection.scalar(select(func.count()).where(Payment.state.in_(OPEN))) or 0


def _sales(connection: Connection) -> dict[str, int]:
    """What paid orders cost, less what was given back, less what a bank took and keeps for unused tickets."""
    sold = select(Order.currency, func.sum(Order.total_minor)).where(Order.paid_ms.is_not(None))
    back = select(Refund.currency, func.sum(Refund.amount_minor)).where(Refund.payment_id.is_not(None))
    void = select(LedgerEntry.currency, func.sum(LedgerEntry.amount_minor)).where(LedgerEntry.kind == "charge_back")
    again = select(LedgerEntry.currency, func.sum(-LedgerEntry.amount_minor)).where(
        LedgerEntry.kind == "reinstated", LedgerEntry.credit == SALES
    )
    booked = (one.group_by(LedgerEntry.currency) for one in (void, again))
    return _less(connection, sold.group_by(Order.currency), back.group_by(Refund.currency), *booked)


def _owed(connection: Connection) -> dict[str, int]:
    """Refunds that are being sent or failed, and money that bought nothing and is not back yet."""
    sending = select(Refund.currency, func.sum(Refund.amount_minor)).where(
        Refund.state.in_(("sending", "failed")), Refund.payment_id.is_not(None)
    )
    stray = (
        select(LedgerEntry.currency, func.sum(-LedgerEntry.amount_minor))
        .join(Payment, Payment.id == LedgerEntry.payment_id)
        .where(LedgerEntry.kind == "stray", Payment.state.in_(("refunding", "refund_failed")))
    )
    return _less(connection, sending.group_by(Refund.currency), stray.group_by(LedgerEntry.currency))


def _less(connection: Connection, first: object, *others: object) -> dict[str, int]:
    """The sums of the first query by currency, less those of the others."""
    total = {currency: int(amount) for currency, amount in connection.execute(first)}  # type: ignore[call-overload]
    for query in others:
        for currency, amount in connection.execute(query):  # type: ignore[call-overload]
            total[currency] = total.get(currency, 0) - int(amount)
    return total

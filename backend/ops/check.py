"""The promises, checked after the fact, from rows and from the chain's own logs; nothing of the indexer is used.

P1 sold <= capacity; P2 a token for each ticket whose mint is on the chain, and no other; P3 each paid order has its
tickets; money taken = tickets paid for + what is on its way back + what banks took. Queries read whole tables but
return only offenders.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from backend.db.tables.chain import Batch, ChainContract, ChainJob, Token
from backend.db.tables.events import Stock
from backend.db.tables.orders import LedgerEntry, Order, OrderLine, Payment, Refund, Ticket

TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # ERC-721
NAMED = 5  # offenders that are named
ON_CHAIN = ("included", "final")
GOOD = ("valid", "suspended")  # states of tickets that hold a place

Logs = Callable[[str], Iterable[Mapping[str, Any]]]  # a contract's address -> its Transfer logs, by eth_getLogs


@dataclass(frozen=True, slots=True)
class Checked:
    """What broke a promise (empty is good), and what was counted."""

    problems: tuple[str, ...]
    counts: Mapping[str, int]


def check_rows(connection: Connection) -> Checked:
    """What rows alone can show."""
    problems = [
        *_stock(connection),
        *_tickets(connection),
        *_money(connection),
        *_disputed(connection),
        *_seats(connection),
        *_index(connection),
    ]
    counts = {
        "orders_paid": select(func.count()).where(Order.state == "paid"),
        "tickets": select(func.count()).select_from(Ticket),
        "tokens": select(func.count()).select_from(Token),
        "batches": select(func.count()).select_from(Batch),
    }
    return Checked(tuple(problems), {name: connection.scalar(query) or 0 for name, query in counts.items()})


def check_chain(connection: Connection, logs_of: Logs) -> Checked:
    """Every ticket with a token id was minted once, every token is a ticket's, and the index has the chain's owners."""
    problems: list[str] = []
    count = 0
    contracts = select(ChainContract.address, ChainContract.event_id).where(ChainContract.kind == "event")
    for address, event_id in connection.execute(contracts).all():
        minted, owners = _from_logs(logs_of("0x" + address.hex()))
        tickets = connection.execute(select(Ticket.token_id).where(Ticket.event_id == event_id)).scalars().all()
        expected = {token for token in tickets if token is not None}
        index = select(Token.token_id, Token.owner).where(Token.event_id == event_id)
        indexed = {row.token_id: row.owner for row in connection.execute(index)}
        count += len(minted)
        found = (
            ("a paid ticket has no token id", [token for token in tickets if token is None]),
            ("two tickets share a token id", [] if len(expected) == len(tickets) else [len(tickets) - len(expected)]),
            ("paid but not minted", expected - set(minted)),
            ("minted but not paid", set(minted) - expected),
            ("minted more than once", [token for token, times in minted.items() if times != 1]),
            (
                "index and chain differ",
                [token for token in owners.keys() | indexed if owners.get(token) != indexed.get(token)],
            ),
        )
        problems += [_told(what, sorted(who, key=str)) for what, who in found if who]
    return Checked(tuple(problems), {"minted": count})


def _stock(connection: Connection) -> list[str]:
    """Stock adds up, and nothing is oversold."""
    tickets = (
        select(Ticket.event_id, Ticket.class_number, func.count().label("sold"))
        .where(Ticket.state.in_(GOOD))
        .group_by(Ticket.event_id, Ticket.class_number)
        .subquery()
    )
    orders = (
        select(Order.event_id, OrderLine.class_number, func.sum(OrderLine.quantity).label("held"))
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.state == "held")
        .group_by(Order.event_id, OrderLine.class_number)
        .subquery()
    )
    sold, held = func.coalesce(tickets.c.sold, 0), func.coalesce(orders.c.held, 0)
    query = select(Stock.class_number, Stock.sold, sold.label("tickets"), Stock.held, held.label("orders_held"))
    for part in (tickets, orders):
        same = and_(part.c.event_id == Stock.event_id, part.c.class_number == Stock.class_number)
        query = query.outerjoin(part, same)
    query = query.where(or_(Stock.sold != sold, Stock.held != held, Stock.sold + Stock.held > Stock.capacity))
    return [
        f"class {row.class_number}: stock says {row.sold} sold and {row.held} held, "
        f"tickets say {row.tickets} and orders {row.orders_held}"
        for row in connection.execute(query)
    ]


def _tickets(connection: Connection) -> list[str]:
    """Each paid order has as many tickets as were bought."""
    counted = select(Ticket.order_id, func.count().label("number")).group_by(Ticket.order_id).subquery()
    number = func.coalesce(counted.c.number, 0)
    query = (
        select(Order.id)
        .outerjoin(counted, counted.c.order_id == Order.id)
        .where(Order.state == "paid", number != Order.quantity)
        .limit(NAMED)
    )
    return _problem("paid orders without their tickets", connection.scalars(query).all())


def _money(connection: Connection) -> list[str]:
    """A paid order's money was taken once; money taken for anything else went back, or is on its way."""
    taken = (
        select(LedgerEntry.order_id, func.sum(LedgerEntry.amount_minor).label("amount"))
        .join(Payment, Payment.id == LedgerEntry.payment_id)
        .where(LedgerEntry.kind == "sale", Payment.state.in_(("succeeded", "charged_back", "refunded")))
        .group_by(LedgerEntry.order_id)
        .subquery()
    )
    kept = (
        select(Payment.order_id, func.sum(Payment.amount_minor).label("amount"))
        .where(Payment.state == "succeeded")
        .group_by(Payment.order_id)
        .subquery()
    )
    back = (
        select(Refund.order_id, func.sum(Refund.amount_minor + Refund.kept_minor).label("amount"))
        .group_by(Refund.order_id)
        .subquery()
    )
    signs = {"charge_back": 1, "loss": 1, "reinstated": -1}
    lost = (  # to banks
        select(
            LedgerEntry.order_id,
            func.sum(LedgerEntry.amount_minor * case(signs, value=LedgerEntry.kind)).label("amount"),
        )
        .join(Payment, (Payment.id == LedgerEntry.payment_id) & (Payment.currency == LedgerEntry.currency))
        .where(LedgerEntry.kind.in_(signs))
        .group_by(LedgerEntry.order_id)
        .subquery()
    )
    bought, left, gone, away = (func.coalesce(one.c.amount, 0) for one in (taken, kept, back, lost))
    unpaid = select(Order.id).outerjoin(taken, taken.c.order_id == Order.id)
    unpaid = unpaid.where(Order.state == "paid", bought != Order.total_minor).limit(NAMED)
    idle = select(Order.id).outerjoin(kept, kept.c.order_id == Order.id).outerjoin(back, back.c.order_id == Order.id)
    idle = idle.outerjoin(lost, lost.c.order_id == Order.id)
    idle = idle.where(Order.state != "paid", left > gone + away).limit(NAMED)
    return [
        *_problem("tickets given for other money than asked", connection.scalars(unpaid).all()),
        *_problem("money kept without tickets", connection.scalars(idle).all()),
    ]


def _disputed(connection: Connection) -> list[str]:
    """Tickets are stopped only by banks that took all that was left; no bank gives back more than banks took."""

    def total(*kinds: str) -> ColumnElement[int]:
        return func.sum(case((LedgerEntry.kind.in_(kinds), LedgerEntry.amount_minor), else_=0))

    sums = (
        select(LedgerEntry.payment_id)
        .join(Payment, Payment.id == LedgerEntry.payment_id)
        .group_by(LedgerEntry.payment_id, LedgerEntry.currency)
        .limit(NAMED)
    )
    taken = total("charge_back", "loss")
    early = sums.where(Payment.state == "charged_back", Payment.currency == LedgerEntry.currency)
    early = early.having(total("sale") > taken + total("refund"))
    return [
        *_problem("tickets stopped for a part of their money", connection.scalars(early).all()),
        *_problem(
            "more came back from banks than they took",
            connection.scalars(sums.having(total("reinstated") > taken)).all(),
        ),
    ]


def _seats(connection: Connection) -> list[str]:
    doubled = (
        select(Ticket.seat_number)
        .where(Ticket.seat_number > 0, Ticket.state == "valid")
        .group_by(Ticket.event_id, Ticket.class_number, Ticket.seat_number)
        .having(func.count() > 1)
        .limit(NAMED)
    )
    return _problem("seats sold twice", connection.scalars(doubled).all())


def _index(connection: Connection) -> list[str]:
    """The index and the tickets are the same tokens, as far as the chain was applied."""
    same = and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id)
    strange = select(Token.token_id).outerjoin(Ticket, same).where(Ticket.id.is_(None)).limit(NAMED)
    applied = and_(
        ChainJob.event_id == Ticket.event_id,
        ChainJob.batch_number == Ticket.batch_number,
        ChainJob.kind == "mint",
        ChainJob.state.in_(ON_CHAIN),
    )
    missing = (
        select(Ticket.token_id)
        .join(ChainJob, applied)
        .outerjoin(Token, same)
        .where(Token.token_id.is_(None))
        .limit(NAMED)
    )
    return [
        *_problem("tokens without a ticket", connection.scalars(strange).all()),
        *_problem("tickets minted but not in the index", connection.scalars(missing).all()),
    ]


def _from_logs(logs: Iterable[Mapping[str, Any]]) -> tuple[dict[int, int], dict[int, bytes]]:
    minted: dict[int, int] = {}
    owners: dict[int, bytes] = {}
    for log in logs:
        token = int(log["topics"][3], 16)
        if int(log["topics"][1], 16) == 0:
            minted[token] = minted.get(token, 0) + 1
        owners[token] = bytes.fromhex(log["topics"][2][-40:])
    return minted, owners


def _problem(what: str, who: Sequence[Any]) -> list[str]:
    return [_told(what, who)] if who else []


def _told(what: str, who: Sequence[Any]) -> str:
    return f"{what}: {', '.join(map(str, who[:NAMED]))}"

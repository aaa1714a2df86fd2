"""Tickets that the chain has and a restored database lacks: found again, so that their places are not sold twice.

What the database sold and had not yet numbered is given the numbers that the chain shows, class by class and owner by
owner in the order of sale, as the batcher did; by the owner that a token was minted to, whoever has it since. What is
left was sold after the backup: it becomes a recovered order without money, buyer's secret or seat, whose tickets count
as sold.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, delete, insert, select, update

from backend.chain.apply import RAW_LOG, minted
from backend.chain.logs import BATCH_MINTED, WORD, RawLog, decode
from backend.db.clock import now_ms
from backend.db.tables.chain import Batch, ChainContract, ChainLog, Token
from backend.db.tables.events import Event, SeatClaim, Stock, TicketClass
from backend.db.tables.orders import Order, OrderLine, Ticket
from backend.domain.ids import new_id, ticket_id
from credential.tickets import Status

_INDEX_BITS = 16


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many tickets got their numbers back, and how many were made anew."""

    numbered: int = 0
    made: int = 0
    seated: int = 0  # of those made: in classes with seats, whose seats nobody knows
    revoked: int = 0  # given back after the backup: the chain knows, and their codes are dead


def recover(connection: Connection) -> Recovered:
    """Bring every token of the index that has no ticket back; in the caller's transaction."""
    same = and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id)
    query = (
        select(Token.event_id, Token.token_id, Token.owner, Token.epoch, Token.minted_block)
        .outerjoin(Ticket, same)
        .where(Ticket.id.is_(None))
        .order_by(Token.event_id, Token.token_id)
    )
    batches: dict[tuple[UUID, int], list[Any]] = {}
    for row in connection.execute(query):
        batches.setdefault((row.event_id, row.token_id >> _INDEX_BITS), []).append(row)
    found = [_batch(connection, event_id, number, rows) for (event_id, number), rows in batches.items()]
    return Recovered(
        sum(one.numbered for one in found),
        sum(one.made for one in found),
        sum(one.seated for one in found),
        _void_revoked(connection),
    )


def _void_revoked(connection: Connection) -> int:
    """Tickets that were given back after the backup: the chain revoked them for good, so their codes are dead here too.

    Their places are free again; how many.
    """
    same = and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id)
    gone = connection.execute(
        select(Ticket.id, Ticket.event_id, Ticket.order_id, Ticket.class_number, Ticket.seat_number)
        .join(Token, same)
        .where(Ticket.state.in_(("valid", "suspended")), Token.status == Status.REVOKED)
    ).all()
    now = now_ms(connection)
    for row in gone:
        dead = {"state": "revoked", "serial": Ticket.serial + 1, "changed_ms": now}
        connection.execute(update(Ticket).where(Ticket.id == row.id).values(dead))
        stock = (Stock.event_id == row.event_id) & (Stock.class_number == row.class_number)
        connection.execute(update(Stock).where(stock).values(sold=Stock.sold - 1))
        seat = (SeatClaim.event_id == row.event_id) & (SeatClaim.order_id == row.order_id)
        connection.execute(delete(SeatClaim).where(seat, SeatClaim.seat_number == row.seat_number))
    return len(gone)


def _batch(connection: Connection, event_id: UUID, number: int, rows: Sequence[Any]) -> Recovered:
    now = now_ms(connection)
    class_number = _class_of(connection, event_id, number)
    minted_to = {row.token_id: row.owner for row in rows}
    for block in {row.minted_block for row in rows if row.epoch}:
        minted_to |= _minted_to(connection, event_id, block, minted_to)
    known = select(Batch.number).where(Batch.event_id == event_id, Batch.number == number)
    if connection.execute(known).one_or_none() is None:
        connection.execute(
            insert(Batch).values(
                event_id=event_id,
                number=number,
                class_number=class_number,
                count=len(rows),
                owners=b"".join(minted_to[row.token_id] for row in rows),
                closed_ms=now,
            )
        )
    left = []
    for row in rows:
        ticket = _unnumbered(connection, event_id, class_number, minted_to[row.token_id])
        if ticket is None:
            left.append(row)
            continue
        numbers = {"batch_number": number, "token_id": row.token_id, "changed_ms": now}
        connection.execute(update(Ticket).where(Ticket.id == ticket).values(**numbers))
    if left:
        _order(connection, event_id, class_number, number, left, now)
    return Recovered(
        len(rows) - len(left), len(left), len(left) if _is_seated(connection, event_id, class_number) else 0
    )


def _minted_to(connection: Connection, event_id: UUID, block: int, tokens: Collection[int]) -> dict[int, bytes]:
    """The first owners of these tokens, as far as they were minted in the block."""
    query = (
        select(*RAW_LOG)
        .join(ChainContract, and_(ChainContract.chain == ChainLog.chain, ChainContract.address == ChainLog.address))
        .where(ChainContract.event_id == event_id, ChainLog.block_number == block)
    )
    changes = (decode(RawLog(*row)) for row in connection.execute(query))
    return {token: owner for change in changes for token, owner in minted(change) if token in tokens}


def _unnumbered(connection: Connection, event_id: UUID, class_number: int, owner: bytes) -> UUID | None:
    query = (
        select(Ticket.id)
        .where(
            Ticket.event_id == event_id,
            Ticket.class_number == class_number,
            Ticket.owner == owner,
            Ticket.batch_number.is_(None),
        )
        .order_by(Ticket.sold_ms, Ticket.order_id, Ticket.position)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _order(
    connection: Connection, event_id: UUID, class_number: int, number: int, rows: Sequence[Any], now: int
) -> None:
    event = connection.execute(select(Event.currency).where(Event.id == event_id)).one()
    order_id, count = new_id(now), len(rows)
    connection.execute(
        insert(Order).values(
            id=order_id,
            event_id=event_id,
            state="paid",
            secret_hash=bytes(32),  # no secret has this hash: the buyer's wallet opens it by its own key (SPEC 4.6)
            quantity=count,
            total_minor=0,
            currency=event.currency,
            hold_expires_ms=now,
            created_ms=now,
            paid_ms=now,
        )
    )
    connection.execute(
        insert(OrderLine).values(
            order_id=order_id, position=0, class_number=class_number, quantity=count, unit_price_minor=0
        )
    )
    connection.execute(
        insert(Ticket),
        [
            {
                "id": ticket_id(order_id, position),
                "event_id": event_id,
                "order_id": order_id,
                "position": position,
                "class_number": class_number,
                "seat_number": 0,
                "owner": row.owner,
                "state": "valid",
                "batch_number": number,
                "token_id": row.token_id,
                "serial": 0,
                "epoch": 0,
                "binding_number": 0,
                "sold_ms": now,
                "changed_ms": now,
            }
            for position, row in enumerate(rows)
        ],
    )
    stock = update(Stock).where(Stock.event_id == event_id, Stock.class_number == class_number)
    connection.execute(stock.values(sold=Stock.sold + count))


def _class_of(connection: Connection, event_id: UUID, number: int) -> int:
    """The class that the chain's own BatchMinted(number, class, ...) names; both are indexed."""
    batch = select(Batch.class_number).where(Batch.event_id == event_id, Batch.number == number)
    stored = connection.execute(batch).scalar_one_or_none()
    if stored is not None:
        return stored
    query = (
        select(ChainLog.topics)
        .join(ChainContract, and_(ChainContract.chain == ChainLog.chain, ChainContract.address == ChainLog.address))
        .where(ChainContract.event_id == event_id)
    )
    wanted = BATCH_MINTED + number.to_bytes(WORD, "big")
    for topics in connection.scalars(query):
        if topics[: 2 * WORD] == wanted:
            return int.from_bytes(topics[2 * WORD : 3 * WORD], "big") + 1  # the contract counts from 0
    raise LookupError(f"no BatchMinted of batch {number}")


def _is_seated(connection: Connection, event_id: UUID, class_number: int) -> bool:
    query = select(TicketClass.seated).where(TicketClass.event_id == event_id, TicketClass.number == class_number)
    return bool(connection.scalar(query))

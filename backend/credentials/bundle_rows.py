"""The rows of a bundle, read from one snapshot and packed into columns (SPEC 5.2)."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from backend.credentials.ownership import final_block
from backend.credentials.ticket_status import bundle_status
from backend.db.tables.chain import Batch, Chain, ChainBlock, ChainContract, Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import TicketClass
from backend.db.tables.orders import Ticket
from credential.bundle import Batch as BundleBatch
from credential.bundle import Status, Tickets
from credential.ids import INDEX_BITS
from credential.tickets import KEY_BYTES

ADDRESS_BYTES = 20
_INDEX_MASK = (1 << INDEX_BITS) - 1


def read_batches(connection: Connection, event_id: UUID) -> tuple[BundleBatch, ...]:
    """Every closed batch; their numbers run from 1 without gaps."""
    query = select(Batch.number, Batch.count, Batch.class_number).where(Batch.event_id == event_id)
    rows = connection.execute(query.order_by(Batch.number)).all()
    if [number for number, _count, _class in rows] != list(range(1, len(rows) + 1)):
        raise ValueError("batch numbers have a gap")
    return tuple(BundleBatch(count, class_number) for _number, count, class_number in rows)


def read_tickets(connection: Connection, event_id: UUID, counts: Sequence[int]) -> Tickets:
    """Every ticket of the batches with these counts, by rank.

    Packed here, without an object for each ticket: keys and numbers were checked when they were stored. A place for
    which there is no ticket row (there is none such in a sound database) is suspended: a gate must not admit it.
    """
    starts = [0, 0, *accumulate(counts)]  # of batch n at n; there is no batch 0
    total = starts[-1]
    states, serials = bytearray([Status.SUSPENDED]) * total, bytearray(2 * total)
    places, keys = bytearray(4 * total), bytearray(KEY_BYTES * total)
    zone_of_class = select(TicketClass.number, TicketClass.zone).where(TicketClass.event_id == event_id)
    zones = dict(connection.execute(zone_of_class).all())
    final = final_block(connection)
    entered = _entered(connection, event_id)
    has_keys = False
    for row in _rows(connection, event_id):
        token_id, state, serial, class_number, seat, key, epoch, token_status, token_epoch, changed_block = row
        rank = starts[token_id >> INDEX_BITS] + (token_id & _INDEX_MASK)
        states[rank] = bundle_status(state, token_status, token_id in entered)
        if token_epoch is not None and token_epoch > epoch and changed_block <= final:
            serial, key = serial + 1, None  # moved: what the seller had is superseded, and the buyer's is to come
        serials[2 * rank : 2 * rank + 2] = serial.to_bytes(2)
        places[4 * rank] = zones[class_number]
        places[4 * rank + 1 : 4 * rank + 4] = seat.to_bytes(3)
        if key is not None:
            has_keys = True
            keys[KEY_BYTES * rank : KEY_BYTES * (rank + 1)] = key
    return Tickets(total, _packed(states), bytes(serials), bytes(places), bytes(keys) if has_keys else b"")


def read_contract(connection: Connection, event_id: UUID) -> tuple[int, bytes]:
    """Chain id and the event's contract; zeros while nothing is deployed."""
    found = connection.execute(
        select(Chain.chain_id, ChainContract.address)
        .join(Chain, Chain.id == ChainContract.chain)
        .where(ChainContract.event_id == event_id, ChainContract.kind == "event", Chain.state != "retired")
        .order_by(Chain.id.desc())
        .limit(1)
    ).one_or_none()
    return (found.chain_id, found.address) if found else (0, bytes(ADDRESS_BYTES))


def read_index_through(connection: Connection) -> int:
    """The time of the last final block that the index has applied, in Unix seconds; 0 if there is none."""
    query = (
        select(ChainBlock.timestamp)
        .join(Chain, Chain.id == ChainBlock.chain)
        .where(Chain.state != "retired", ChainBlock.number <= final_block(connection))
        .order_by(Chain.id.desc(), ChainBlock.number.desc())
        .limit(1)
    )
    return connection.scalar(query) or 0


def _entered(connection: Connection, event_id: UUID) -> set[int]:
    """The tickets that gates have let in, as far as they handed it over (SPEC 7.4)."""
    query = select(GateRecord.token_id).where(GateRecord.event_id == event_id, GateRecord.admits)
    return set(connection.scalars(query))


def _rows(connection: Connection, event_id: UUID) -> Iterable[tuple[Any, ...]]:
    same_token = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
    query = (
        select(
            Ticket.token_id,
            Ticket.state,
            Ticket.serial,
            Ticket.class_number,
            Ticket.seat_number,
            Ticket.holder_key,
            Ticket.epoch,
            Token.status,
            Token.epoch,
            Token.changed_block,
        )
        .outerjoin(Token, same_token)
        .where(Ticket.event_id == event_id, Ticket.token_id.is_not(None))
    )
    return (tuple(row) for row in connection.execute(query))


def _packed(states: bytearray) -> bytes:
    """Two bits a ticket, the first in the lowest bits."""
    padded = states + bytes(-len(states) % 4)
    columns = (padded[offset::4] for offset in range(4))
    return bytes(a | b << 2 | c << 4 | d << 6 for a, b, c, d in zip(*columns, strict=True))

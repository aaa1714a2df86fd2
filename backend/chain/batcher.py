"""Close batches: paid tickets get their numbers and a mint job, in one transaction, without the chain (design 7).

Safe to run twice at once: the batch's primary key lets one win, and the loser's transaction leaves nothing.
"""

from typing import cast
from uuid import UUID

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, Table, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.chain.jobs import NewJob, create_event_key, enqueue, job_id
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Batch, Event, Ticket
from backend.domain.batching import MAX_BATCH, Sold, Waiting, in_batch_order, is_due, mint_gas
from backend.killpoints import reach

_MINT_SELECTOR = keccak(b"mint(uint32,uint8,bytes)")[:4]
_INDEX_BITS = 16
_TICKETS = cast(Table, Ticket.__table__)  # Core: one statement, many parameters


def close_batches(engine: Engine, wait_seconds: int) -> int:
    """Close every batch that is due; how many tickets got their token ids. Events without a contract job wait."""
    closed = 0
    for event_id, class_number in _classes_that_wait(engine):
        try:
            while count := _close_one(engine, event_id, class_number, wait_seconds * 1000):
                reach("batcher.closed")
                closed += count
        except IntegrityError:
            continue  # another batcher took this number; it goes on from here
    return closed


def contract_class(class_number: int) -> int:
    """The contract counts classes from 0, event files and credentials from 1."""
    return class_number - 1


def mint_calldata(number: int, class_number: int, owners: bytes) -> bytes:
    """`mint(uint32 number, uint8 class, bytes owners)`, packed by hand: web3's encoder is most of a batch's cost."""
    padding = bytes(-len(owners) % 32)
    head = (number, contract_class(class_number), 96, len(owners))
    return _MINT_SELECTOR + b"".join(word.to_bytes(32) for word in head) + owners + padding


def _classes_that_wait(engine: Engine) -> list[tuple[UUID, int]]:
    query = select(Ticket.event_id, Ticket.class_number).where(Ticket.batch_number.is_(None)).distinct()
    with read(engine) as connection:
        return [(event_id, number) for event_id, number in connection.execute(query)]


def _close_one(engine: Engine, event_id: UUID, class_number: int, wait_ms: int) -> int:
    with engine.begin() as connection:
        parent = job_id(connection, create_event_key(event_id))
        if parent is None:
            return 0
        now = now_ms(connection)
        highest = connection.scalar(select(func.max(Batch.number)).where(Batch.event_id == event_id)) or 0
        if not is_due(_waiting(connection, event_id, class_number, highest), now, wait_ms):
            return 0
        found = _oldest(connection, event_id, class_number)
        if not found:
            return 0  # another batcher took them while this one waited for their rows
        tickets = in_batch_order(found)
        _write(connection, event_id, class_number, highest + 1, tickets, now, parent)
        reach("batcher.written")
        return len(tickets)


def _waiting(connection: Connection, event_id: UUID, class_number: int, batches: int) -> Waiting:
    mine = (Ticket.event_id == event_id) & (Ticket.class_number == class_number) & Ticket.batch_number.is_(None)
    count, oldest = connection.execute(select(func.count(), func.min(Ticket.sold_ms)).where(mine)).one()
    doors = connection.scalar(select(Event.doors_ms).where(Event.id == event_id)) or 0
    return Waiting(count, oldest or 0, batches, doors)


def _oldest(connection: Connection, event_id: UUID, class_number: int) -> list[Sold]:
    query = (
        select(Ticket.id, Ticket.owner)
        .where(Ticket.event_id == event_id, Ticket.class_number == class_number, Ticket.batch_number.is_(None))
        .order_by(Ticket.sold_ms, Ticket.order_id, Ticket.position)
        .limit(MAX_BATCH)
        .with_for_update()
    )
    return [Sold(ticket_id, owner) for ticket_id, owner in connection.execute(query)]


def _write(
    connection: Connection,
    event_id: UUID,
    class_number: int,
    number: int,
    tickets: list[Sold],
    now: int,
    parent: int,
) -> None:
    owners = b"".join(ticket.owner for ticket in tickets)
    connection.execute(
        insert(Batch).values(
            event_id=event_id,
            number=number,
            class_number=class_number,
            count=len(tickets),
            owners=owners,
            closed_ms=now,
        )
    )
    connection.execute(
        update(_TICKETS)
        .where(_TICKETS.c.id == bindparam("ticket"))
        .values(batch_number=number, token_id=bindparam("token"), changed_ms=now),
        [{"ticket": ticket.ticket_id, "token": number << _INDEX_BITS | index} for index, ticket in enumerate(tickets)],
    )
    enqueue(
        connection,
        NewJob(
            kind="mint",
            key=f"mint:{event_id}:{number}",
            event_id=event_id,
            gas_limit=mint_gas(len(tickets)),
            calldata=mint_calldata(number, class_number, owners),
            batch_number=number,
            tickets=len(tickets),
            depends_on=parent,
        ),
    )

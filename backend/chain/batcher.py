"""Close batches: paid tickets get their numbers and a mint job, in one transaction, without the chain (design 7).

Safe to run twice at once: the batch's primary key lets one win, and the loser's transaction leaves nothing.
"""

from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import IntegrityError

from backend.chain.calldata import mint_calldata
from backend.chain.jobs import NewJob, create_event_key, enqueue, job_id
from backend.chain.marks import enqueue_marks
from backend.db.bulk import Update, Writer
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Batch, ChainMark
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import Ticket
from backend.domain.batching import MAX_BATCH, Sold, Waiting, in_batch_order, is_due, mint_gas
from backend.killpoints import reach
from credential.tickets import Status

_INDEX_BITS = 16
VOID = ("refunded", "revoked")  # states of tickets that are minted only to be revoked
_TYPES = {"id": "uuid", "batch_number": "int", "token_id": "bigint", "owner": "bytea", "changed_ms": "bigint"}
_NUMBERED = Writer((Update("tickets", ("id",), {name: f"v.{name}" for name in _TYPES if name != "id"}, _TYPES),))


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
        room, freeing = _room(connection, event_id, class_number)
        found, void = _oldest(connection, event_id, class_number, min(room, MAX_BATCH))
        if not found:
            return 0  # another batcher took them while this one waited for their rows, or the class is full for now
        tickets = in_batch_order(found)
        _write(connection, event_id, class_number, highest + 1, tickets, now, freeing or parent)
        if void:
            refunded = [highest + 1 << _INDEX_BITS | at for at, one in enumerate(tickets) if one.ticket_id in void]
            enqueue_marks(connection, event_id, refunded, Status.REVOKED)
        reach("batcher.written")
        return len(tickets)


def _waiting(connection: Connection, event_id: UUID, class_number: int, batches: int) -> Waiting:
    mine = (Ticket.event_id == event_id) & (Ticket.class_number == class_number) & Ticket.batch_number.is_(None)
    count, oldest = connection.execute(select(func.count(), func.min(Ticket.sold_ms)).where(mine)).one()
    doors = connection.scalar(select(Event.doors_ms).where(Event.id == event_id)) or 0
    return Waiting(count, oldest or 0, batches, doors)


def _room(connection: Connection, event_id: UUID, class_number: int) -> tuple[int, int | None]:
    """How many tickets the contract takes more of this class, and the job that must be done first, if one must.

    Tickets refunded before they were minted are minted and then revoked, so a class that was sold out may have more
    tickets than capacity for a moment: the replacing ones wait for the revocation.
    """
    mine = (Ticket.event_id == event_id) & (Ticket.class_number == class_number)
    where = (Stock.event_id == event_id) & (Stock.class_number == class_number)
    capacity = connection.scalar(select(Stock.capacity).where(where)) or 0
    of_class = (Batch.event_id == event_id) & (Batch.class_number == class_number)
    batched = connection.scalar(select(func.coalesce(func.sum(Batch.count), 0)).where(of_class)) or 0
    if batched + MAX_BATCH <= capacity:
        return capacity - batched, None
    last = (
        select(ChainMark.token_id, func.max(ChainMark.job_id).label("job"))
        .join(Ticket, (Ticket.event_id == ChainMark.event_id) & (Ticket.token_id == ChainMark.token_id))
        .where(mine, ChainMark.status == Status.REVOKED, ChainMark.overlapped.is_(False))
        .group_by(ChainMark.token_id)
        .subquery()
    )
    freed, newest = connection.execute(select(func.count(), func.max(last.c.job))).one()
    return capacity - batched + freed, newest


def _oldest(connection: Connection, event_id: UUID, class_number: int, limit: int) -> tuple[list[Sold], set[UUID]]:
    """Tickets to be minted, and those among them that were refunded before: they are minted to custody."""
    query = (
        select(Ticket.id, Ticket.owner, Ticket.state)
        .where(Ticket.event_id == event_id, Ticket.class_number == class_number, Ticket.batch_number.is_(None))
        .order_by(Ticket.sold_ms, Ticket.order_id, Ticket.position)
        .limit(max(0, limit))
        .with_for_update()
    )
    custody = connection.scalar(select(Event.custody_address).where(Event.id == event_id))
    rows = connection.execute(query).all()
    void = {row.id for row in rows if row.state in VOID}
    return [Sold(row.id, custody if row.id in void and custody else row.owner) for row in rows], void


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
    _NUMBERED.write(
        connection,
        {
            _NUMBERED.parts[0].param: [
                {
                    "id": ticket.ticket_id,
                    "batch_number": number,
                    "token_id": number << _INDEX_BITS | index,
                    "owner": ticket.owner,
                    "changed_ms": now,
                }
                for index, ticket in enumerate(tickets)
            ]
        },
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

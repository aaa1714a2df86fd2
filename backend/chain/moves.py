"""Moves as jobs: a ticket's new owner on the chain, by the holder's signature and our sending it (SPEC 8.5, 10.8).

The database puts moves in order and the ticket's row has the new owner at once; the chain follows. What the chain will
never take is taken back: the ticket is its giver's again, under a higher serial.
"""

from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from backend.chain.calldata import claim_calldata, move_calldata
from backend.chain.jobs import NewJob, enqueue
from backend.credentials.ownership import Owner, final_block
from backend.db.clock import now_ms
from backend.db.tables.chain import ChainJob, Token
from backend.db.tables.moves import ChainMove
from backend.db.tables.orders import Ticket
from credential.tickets import Status

MOVE_GAS = 250_000  # a first move takes 101,000 (SPEC 8, gas table); a receiver's books may grow
# Of the contract: time, the ticket's own state or its class's rules forbid it, and none of them comes back.
NEVER = (
    *("deadline_passed", "ticket_not_valid", "cancelled_event", "moves_closed", "path_not_allowed"),
    *("move_limit_reached", "custody_only", "erc721_invalid_receiver"),
)
OVERTAKEN = "overtaken"


def enqueue_move(
    connection: Connection,
    ticket: Row[Any],
    holder: Owner,
    to: bytes,
    deadline: int,
    signature: bytes,
    step: int,
    *,
    is_claim: bool = False,
) -> None:
    """Give a ticket (a locked row) to `to`, as its effective owner signed: the job, the evidence, the row's new owner.

    The serial grows by `step` and no credential follows, so the holder's code is superseded. A claim is a move out of
    custody (SPEC 10.9).
    """
    digest = sha256(to + deadline.to_bytes(8) + signature).hexdigest()[:16]
    key = f"move:{ticket.event_id}:{ticket.token_id}:{holder.epoch}:{digest}"
    calldata = (claim_calldata if is_claim else move_calldata)(ticket.token_id, to, deadline, signature)
    parent = _waits_for(connection, ticket)
    job = enqueue(connection, NewJob("move", key, ticket.event_id, MOVE_GAS, calldata, tickets=1, depends_on=parent))
    now = now_ms(connection)
    move = {"job_id": job, "ticket_id": ticket.id, "epoch": holder.epoch, "from_owner": holder.address}
    rest = {"to_owner": to, "deadline": deadline, "signature": signature, "taken_back": None, "created_ms": now}
    connection.execute(insert(ChainMove).values(move | rest))
    _hand_over(connection, ticket.id, to, holder.epoch + 1, step)


def mend_move(connection: Connection, job: Row[Any], reason: str) -> bool:
    """What to do about a move that the chain refuses for `reason` now; whether it is still to be done.

    It is taken back only for what can't change any more; everything else may be the moment's, and is tried again.
    """
    if _is_under_way(connection, job.depends_on):
        return True  # it can't be asked yet
    move = connection.execute(select(ChainMove.__table__).where(ChainMove.job_id == job.id)).one()
    if move.taken_back is not None:  # with the one before it
        _end(connection, [job.id], move.taken_back)
        return False
    ticket = connection.execute(select(Ticket).where(Ticket.id == move.ticket_id).with_for_update()).one()
    mine = (Token.event_id == ticket.event_id) & (Token.token_id == ticket.token_id)
    token = connection.execute(select(Token.__table__).where(mine)).one_or_none()
    if token is None or (token.status == Status.SUSPENDED and reason == "ticket_not_valid"):
        return True
    if token.epoch > move.epoch and token.changed_block <= final_block(connection):
        _take_back(connection, move, OVERTAKEN, token.owner, token.epoch)
        return False
    if reason not in NEVER:
        return True
    _take_back(connection, move, reason, move.from_owner, move.epoch)
    return False


def are_queued(connection: Connection, event_id: UUID, batch_number: int) -> bool:
    """Whether a ticket of this batch has changed hands in our rows: then its id and its minted owner stay."""
    mine = (Ticket.event_id == event_id) & (Ticket.batch_number == batch_number)
    moved = select(ChainMove.job_id).join(Ticket, Ticket.id == ChainMove.ticket_id).where(mine)
    return connection.scalar(moved.limit(1)) is not None


def _take_back(connection: Connection, move: Row[Any], why: str, owner: bytes, epoch: int) -> None:
    """The move and those that stand on it are off, and the ticket is `owner`'s."""
    later = (ChainMove.ticket_id == move.ticket_id) & (ChainMove.epoch >= move.epoch) & ChainMove.taken_back.is_(None)
    jobs = list(connection.scalars(select(ChainMove.job_id).where(later)))
    connection.execute(update(ChainMove).where(later).values(taken_back=why))
    _end(connection, jobs, why)
    _hand_over(connection, move.ticket_id, owner, epoch, step=1)


def _end(connection: Connection, jobs: list[int], why: str) -> None:
    """What is under way already comes to nothing, and ends when it has."""
    values = {"state": "final", "error": f"taken_back:{why}", "changed_ms": now_ms(connection)}
    waiting = ChainJob.id.in_(jobs) & (ChainJob.state == "queued")
    connection.execute(update(ChainJob).where(waiting).values(values))


def _hand_over(connection: Connection, ticket_id: UUID, owner: bytes, epoch: int, step: int) -> None:
    values = {"owner": owner, "epoch": epoch, "serial": Ticket.serial + step, "holder_key": None}
    connection.execute(update(Ticket).where(Ticket.id == ticket_id).values(**values, changed_ms=now_ms(connection)))


def _waits_for(connection: Connection, ticket: Row[Any]) -> int | None:
    """The move before this one, else the ticket's mint."""
    before = select(ChainMove.job_id).where(ChainMove.ticket_id == ticket.id).order_by(ChainMove.job_id.desc()).limit(1)
    last = connection.scalar(before)
    if last is not None:
        return int(last)
    minted = (ChainJob.event_id == ticket.event_id) & (ChainJob.batch_number == ticket.batch_number)
    return connection.scalar(select(ChainJob.id).where(minted, ChainJob.kind == "mint"))


def _is_under_way(connection: Connection, job: int | None) -> bool:
    """Whether what this waits for is not on the chain yet, or not any more."""
    state = connection.scalar(select(ChainJob.state).where(ChainJob.id == job))
    return state is not None and state not in ("included", "final")

"""What can be mended about a job that would revert: under its own key, and a batch under its own number (design 7).

Token ids are written once. A batch that the contract does not take is therefore never renumbered: it gets more gas, the
owners it was closed with, or, if those themselves can't be minted, its own tickets in an order that can.
"""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from backend.chain.calldata import mint_calldata
from backend.chain.market import MARKET_JOBS
from backend.chain.marks import MARKS, mend_marks
from backend.chain.moves import are_queued, mend_move
from backend.db.clock import now_ms
from backend.db.tables.chain import Batch, ChainJob
from backend.db.tables.orders import Ticket
from backend.domain.batching import Sold, in_batch_order

MORE_GAS_PERCENT = 100
MAX_GAS = 16_777_216  # of a transaction (EIP-7825)
OWNERS_REFUSED = ("owners_not_sorted", "owners_length_invalid", "erc721_invalid_receiver")
NO_REASON = "no_reason"  # how a contract behind a clone runs out of gas: a revert without data
WAITS_FOR_OTHERS = ("stopped", "cancelled_event", "capacity_exceeded", "batch_too_far_ahead", "missing_role")


def repair(connection: Connection, job: Row[Any], reason: str) -> bool:
    """Mend a queued job that fails for `reason`, as far as that can be done; whether it is still to be done.

    What waits for others (an operator's resume, an admin's new capacity, a revocation) is not touched. `batch_taken`
    can't be mended by anybody: the chain has other owners under this number, which the operator is told.
    """
    if job.kind in MARKS:
        return mend_marks(connection, job)
    if job.kind == "move":
        return mend_move(connection, job, reason)
    if job.kind in MARKET_JOBS and reason == "order_state_invalid":
        # Its money went already, by another transaction: the market's own events say where to.
        _change(connection, job.id, state="final", error="nothing_left_to_do", changed_ms=now_ms(connection))
        return False
    if reason in WAITS_FOR_OTHERS:
        return True
    if job.kind == "mint" and _mend_batch(connection, job, reason):
        return True
    if (reason == NO_REASON or "gas" in reason.lower()) and job.gas_limit < MAX_GAS:
        more = min(MAX_GAS, job.gas_limit * (100 + MORE_GAS_PERCENT) // 100)
        _change(connection, job.id, gas_limit=more)
    return True


def _mend_batch(connection: Connection, job: Row[Any], reason: str) -> bool:
    mine = (Batch.event_id == job.event_id) & (Batch.number == job.batch_number)
    columns = (Batch.event_id, Batch.number, Batch.class_number, Batch.count.label("size"), Batch.owners)
    batch = connection.execute(select(*columns).where(mine)).one_or_none()
    if batch is None:
        return False
    closed = mint_calldata(batch.number, batch.class_number, batch.owners)
    if closed != job.calldata:
        _change(connection, job.id, calldata=closed)  # what was to be sent is not what was closed
        return True
    owners = _reorder(connection, batch) if reason in OWNERS_REFUSED else None
    if owners is None:
        return False
    connection.execute(update(Batch).where(mine).values(owners=owners))
    _change(connection, job.id, calldata=mint_calldata(batch.number, batch.class_number, owners))
    return True


def _reorder(connection: Connection, batch: Any) -> bytes | None:  # noqa: ANN401 - a row of batches
    """Give the batch's tickets its ids in an order the contract takes; the owners in that order.

    Nothing of the batch is on the chain. A ticket whose id changes gets a higher serial, so that a credential issued
    for its old id is superseded. Holders sign moves for an id: a batch with moves is left for a person to look at.
    """
    if are_queued(connection, batch.event_id, batch.number):
        return None
    mine = (Ticket.event_id == batch.event_id) & (Ticket.batch_number == batch.number)
    rows = connection.execute(
        select(Ticket.id, Ticket.owner, Ticket.token_id, Ticket.serial).where(mine).order_by(Ticket.token_id)
    ).all()
    if len(rows) != batch.size or any(len(row.owner) != 20 or not any(row.owner) for row in rows):
        return None  # the rows themselves are damaged: for a person to look at
    now = now_ms(connection)
    known = {row.id: row for row in rows}
    ordered = in_batch_order([Sold(row.id, row.owner) for row in rows])
    changed = [
        (one.ticket_id, batch.number << 16 | index)
        for index, one in enumerate(ordered)
        if known[one.ticket_id].token_id != batch.number << 16 | index
    ]
    for ticket, token in changed:  # out of the way first: ids are unique
        connection.execute(update(Ticket).where(Ticket.id == ticket).values(token_id=-token))
    for ticket, token in changed:
        serial = known[ticket].serial
        values = {"token_id": token, "serial": serial + 1 if serial else 0, "holder_key": None, "changed_ms": now}
        connection.execute(update(Ticket).where(Ticket.id == ticket).values(values))
    return b"".join(one.owner for one in ordered)


def _change(connection: Connection, job: int, **values: Any) -> None:  # noqa: ANN401 - columns of chain_jobs
    connection.execute(update(ChainJob).where(ChainJob.id == job).values(values))

"""T3: write a run of blocks into the index, with the cursor and the fate of our jobs, in one transaction (SPEC 10.4).

A job has succeeded when its transaction has status 1 *and* left the expected log in the pinned contract: on a wiped
chain a call to an address without code has status 1 too.
"""

import gc
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, insert, select, update

from backend.chain.apply import apply_logs
from backend.chain.cancelled import pause_cancelled
from backend.chain.fetch import Known, Run, fetch_run
from backend.chain.jobs import put_off
from backend.chain.leases import HeldLease, require_held
from backend.chain.logs import BATCH_ALREADY_MINTED, BATCH_MINTED, EVENT_CREATED, WORD, RawLog, overlapped
from backend.chain.marks import note_overlaps
from backend.chain.rpc import Node
from backend.db.among import parts_of
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import (
    Chain,
    ChainAttempt,
    ChainBlock,
    ChainContract,
    ChainJob,
    ChainLog,
    ChainNonce,
    ChainTransaction,
)
from backend.killpoints import reach

AT_ONCE_SECONDS = 2.0  # of catching up between two looks at the node; a lease lasts longer
BLOCKS_KEPT = 20_000  # below the last final one; how far back a rolled-back node can be told from another chain


LOGGED = ("factory", "event", "market", "registry")  # kinds of contracts whose logs we keep


class CursorMovedError(Exception):
    """Another process advanced the index meanwhile; nothing was written."""


def advance(engine: Engine, node: Node, held: HeldLease, chain: int, head: int, finality: int) -> int:
    """Apply the next runs of blocks up to `head`, for `AT_ONCE_SECONDS`; how many blocks.

    While a run is written the next is fetched. Raises `NodeError`, `LeaseLostError`, `CursorMovedError`.
    """
    with read(engine) as connection:
        row = connection.execute(select(Chain.cursor_number, Chain.cursor_hash).where(Chain.id == chain)).one()
        addresses = pinned(connection, chain)
    if head <= row.cursor_number:
        return 0

    def fetch(number: int, hash_: bytes) -> Run:
        return fetch_run(node, number, hash_, head, addresses, lambda all_: ours(engine, chain, all_))

    number, hash_ = row.cursor_number, row.cursor_hash
    deadline = time.monotonic() + AT_ONCE_SECONDS
    with _no_collecting(), ThreadPoolExecutor(1, "fetch") as ahead:
        run: Run | None = fetch(number, hash_)
        while run is not None and run.blocks:
            last = run.blocks[-1]
            more = last.number < head and time.monotonic() < deadline
            coming = ahead.submit(fetch, last.number, last.hash) if more else None
            _write(engine, held, chain, (number, hash_), run, head, finality)
            number, hash_ = last.number, last.hash
            run = coming.result() if coming is not None else None
    return int(number - row.cursor_number)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Keep the cycle collector off: it would look again and again at ten thousands of logs that have no cycles.

    Measured: a fifth of the time. It lasts as long as `AT_ONCE_SECONDS`.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _write(
    engine: Engine, held: HeldLease, chain: int, cursor: tuple[int, bytes], run: Run, head: int, finality: int
) -> None:
    with engine.begin() as connection:
        require_held(connection, held)
        where = select(Chain.cursor_number, Chain.cursor_hash).where(Chain.id == chain).with_for_update()
        if tuple(connection.execute(where).one()) != cursor:
            raise CursorMovedError
        write_run(connection, chain, run, head, finality)
        reach("indexer.written")
    reach("indexer.applied")


def write_run(connection: Connection, chain: int, run: Run, head: int, finality: int) -> None:
    """Write a run that follows the cursor; the caller's transaction, lease and check of the cursor."""
    if not run.blocks:
        return
    now = now_ms(connection)
    connection.execute(
        insert(ChainBlock),
        [
            {
                "chain": chain,
                "number": block.number,
                "hash": block.hash,
                "parent_hash": block.parent_hash,
                "timestamp": block.timestamp,
            }
            for block in run.blocks
        ],
    )
    _store_logs(connection, chain, run.logs)
    _store_transactions(connection, chain, run)
    by_event = _by_event(connection, chain, run.logs)
    for event_id, logs in by_event.items():
        apply_logs(connection, event_id, logs)
    pause_cancelled(connection, by_event)
    _settle_jobs(connection, chain, run, now)
    last = run.blocks[-1]
    final = max(0, min(last.number, head - finality))
    connection.execute(
        update(Chain)
        .where(Chain.id == chain)
        .values(cursor_number=last.number, cursor_hash=last.hash, final_number=final, seen_ms=now)
    )
    connection.execute(
        update(ChainJob)
        .where(ChainJob.chain == chain, ChainJob.state == "included", ChainJob.block_number <= final)
        .values(state="final")  # as of its block: that it got deeper is no news of the chain
    )
    # The block we began after stays: whoever reads the chain anew begins there.
    start = select(Chain.start_block).where(Chain.id == chain).scalar_subquery()
    old = (ChainBlock.number < final - BLOCKS_KEPT) & (ChainBlock.number != start)
    connection.execute(delete(ChainBlock).where(ChainBlock.chain == chain, old))


def pinned(connection: Connection, chain: int) -> dict[bytes, UUID | None]:
    """The contracts whose logs we keep, with their events."""
    query = select(ChainContract.address, ChainContract.event_id).where(
        ChainContract.chain == chain, ChainContract.kind.in_(LOGGED)
    )
    return {address: event_id for address, event_id in connection.execute(query)}  # noqa: C416 - rows, not pairs


def ours(engine: Engine, chain: int, hashes: Iterable[bytes]) -> dict[bytes, Known]:
    """Which of the hashes are attempts we signed, and what we know of them without asking the node."""
    wanted = list(hashes)
    found: dict[bytes, Known] = {}
    with read(engine) as connection:
        for part in parts_of(wanted, 500):
            query = (
                select(ChainAttempt.hash, ChainAttempt.signer, ChainAttempt.nonce, ChainAttempt.raw, ChainJob.kind)
                .join(ChainNonce, _same_nonce())
                .join(ChainJob, ChainJob.id == ChainNonce.job_id)
                .where(ChainAttempt.chain == chain, ChainAttempt.hash.in_(part))
            )
            rows = connection.execute(query)
            found |= {row.hash: Known(row.signer, row.nonce, row.raw, row.kind == "deploy") for row in rows}
    return found


def _same_nonce() -> ColumnElement[bool]:
    return and_(
        ChainAttempt.chain == ChainNonce.chain,
        ChainAttempt.signer == ChainNonce.signer,
        ChainAttempt.nonce == ChainNonce.nonce,
    )


def _store_logs(connection: Connection, chain: int, logs: Collection[RawLog]) -> None:
    if logs:
        connection.execute(
            insert(ChainLog),
            [
                {
                    "chain": chain,
                    "block_number": log.block_number,
                    "log_index": log.log_index,
                    "block_hash": log.block_hash,
                    "tx_hash": log.tx_hash,
                    "address": log.address,
                    "topics": log.topics,
                    "data": log.data,
                    "count": log.count,
                }
                for log in logs
            ],
        )


def _store_transactions(connection: Connection, chain: int, run: Run) -> None:
    if not run.transactions:
        return
    hashes = [one.hash for one in run.transactions]
    # One that a rewind left behind, to be sent again, is back on the chain.
    connection.execute(
        delete(ChainTransaction).where(ChainTransaction.chain == chain, ChainTransaction.hash.in_(hashes))
    )
    connection.execute(
        insert(ChainTransaction),
        [
            {
                "chain": chain,
                "hash": one.hash,
                "block_number": one.block_number,
                "position": one.position,
                "timestamp": one.timestamp,
                "sender": one.sender,
                "nonce": one.nonce,
                "raw": one.raw,
                "orphaned_ms": None,
            }
            for one in run.transactions
        ],
    )


def _by_event(connection: Connection, chain: int, logs: Collection[RawLog]) -> dict[UUID, list[RawLog]]:
    events = pinned(connection, chain)
    found: dict[UUID, list[RawLog]] = defaultdict(list)
    for log in logs:
        event_id = events.get(log.address)
        if event_id is not None:
            found[event_id].append(log)
    return found


def _settle_jobs(connection: Connection, chain: int, run: Run, now: int) -> None:
    """Say of each of our transactions in the run whether it did what its job wanted."""
    by_hash: dict[bytes, list[RawLog]] = defaultdict(list)
    for log in run.logs:
        by_hash[log.tx_hash].append(log)
    for one in run.transactions:
        job = connection.execute(
            select(ChainJob.__table__)
            .join(ChainNonce, ChainNonce.job_id == ChainJob.id)
            .join(ChainAttempt, _same_nonce())
            .where(ChainAttempt.hash == one.hash, ChainAttempt.chain == chain)
        ).one_or_none()
        if job is None:
            continue
        error = _failure(job, one.succeeded, one.created, by_hash[one.hash])
        if error is not None and not _is_born(connection, chain, job):
            put_off(connection, job.id, error)
            continue
        connection.execute(
            update(ChainJob)
            .where(ChainJob.id == job.id)
            .values(state="included", error=None, block_number=one.block_number, tx_hash=one.hash, changed_ms=now)
        )
        if job.kind == "redeem":
            note_overlaps(connection, job.id, overlapped(by_hash[one.hash]))
        if error is None and job.kind in ("deploy", "create_event"):
            _born(connection, chain, one.created or _created_by(by_hash[one.hash]), one.block_number)


def _failure(job: Row[Any], succeeded: bool, created: bytes | None, logs: list[RawLog]) -> str | None:
    """None if the job's effect is there; else a machine code of what is missing."""
    if not succeeded:
        return "reverted"
    if job.kind == "fill":
        return None
    if job.kind == "deploy":
        return None if created else "nothing_created"
    if job.kind == "create_event":
        return None if _created_by(logs) else "expected_log_missing"
    if job.kind == "mint":
        number = job.batch_number.to_bytes(WORD)
        wanted = {BATCH_MINTED + number, BATCH_ALREADY_MINTED + number}
        there = any(log.address == job.to_address and log.topics[: 2 * WORD] in wanted for log in logs)
        return None if there else "expected_log_missing"
    return None if any(log.address == job.to_address for log in logs) else "expected_log_missing"


def _created_by(logs: list[RawLog]) -> bytes | None:
    """The tickets contract that a factory's log names."""
    return next((log.topics[-20:] for log in logs if log.topics[:WORD] == EVENT_CREATED), None)


def _is_born(connection: Connection, chain: int, job: Row[Any]) -> bool:
    """Whether an event's contract is there already, made by an attempt we had given up on; then this one reverts."""
    mine = (ChainContract.chain == chain) & (ChainContract.event_id == job.event_id) & (ChainContract.kind == "event")
    born = select(ChainContract.address).where(mine, ChainContract.block_number.is_not(None))
    return job.kind == "create_event" and connection.execute(born).first() is not None


def _born(connection: Connection, chain: int, address: bytes | None, block_number: int) -> None:
    connection.execute(
        update(ChainContract)
        .where(ChainContract.chain == chain, ChainContract.address == address)
        .values(block_number=block_number)
    )

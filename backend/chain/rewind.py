"""Answer a chain that went back: swap our branch for the node's, in one transaction (design 8, SPEC 10.5).

The replacement is fetched first; then tokens, logs and blocks above the common ancestor are taken back, the replacement
is applied, and every job of ours that it lacks waits to be sent again: the relayer does that with the very same bytes.
Other people's transactions that were lost are kept, marked as orphaned, for replay.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, select, update

from backend.chain import diagnoses
from backend.chain.apply import take_back
from backend.chain.diagnosis import Kind
from backend.chain.fetch import Run, fetch_run
from backend.chain.indexer import ours, pinned, write_run
from backend.chain.leases import HeldLease, require_held
from backend.chain.rpc import Node
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
    Token,
)
from backend.killpoints import reach

NAMED_TOKENS = 1_000  # that a diagnosis lists one by one


@dataclass(frozen=True, slots=True)
class Rewound:
    """What a rewind found lost. Hashes are 32 bytes."""

    ancestor: int
    tokens_lost: tuple[int, ...]
    send_again: tuple[bytes, ...]  # our transactions that the node's branch lacks, in order of nonces
    orphans: tuple[bytes, ...]  # other people's, likewise
    jobs: tuple[int, ...]

    def as_detail(self) -> dict[str, Any]:
        """For the diagnosis's row: JSON, hashes as 0x-hex."""
        return {
            "ancestor": self.ancestor,
            "replayed_from": None,  # what was replayed is swapped in; another fall to this block is another matter
            "tokens_lost": list(self.tokens_lost[:NAMED_TOKENS]),
            "tokens_lost_count": len(self.tokens_lost),
            "hashes_sent_again": ["0x" + hash_.hex() for hash_ in self.send_again],
            "others_lost": ["0x" + hash_.hex() for hash_ in self.orphans],
            "jobs": list(self.jobs),
        }


def rewind(
    engine: Engine, node: Node, held: HeldLease, chain: int, ancestor: int, head: int, finality: int, kind: Kind
) -> Rewound:
    """Swap everything above the block `ancestor` for the node's branch up to `head`; tell it in the open diagnosis."""
    with read(engine) as connection:
        hash_ = _hash_of(connection, chain, ancestor)
        addresses = pinned(connection, chain)
    run = fetch_run(node, ancestor, hash_, head, addresses, lambda hashes: ours(engine, chain, hashes))
    with engine.begin() as connection:
        require_held(connection, held)
        rewound = _swap(connection, chain, ancestor, hash_, run, head, finality)
        diagnoses.add_detail(connection, kind, rewound.as_detail())
        reach("rewind.written")
    reach("rewind.swapped")
    return rewound


def _hash_of(connection: Connection, chain: int, number: int) -> bytes:
    if number == 0:
        return connection.execute(select(Chain.genesis_hash).where(Chain.id == chain)).scalar_one()
    stored = select(ChainBlock.hash).where(ChainBlock.chain == chain, ChainBlock.number == number)
    return connection.execute(stored).scalar_one()


def _swap(
    connection: Connection, chain: int, ancestor: int, hash_: bytes, run: Run, head: int, finality: int
) -> Rewound:
    now = now_ms(connection)
    gone: set[tuple[UUID, int]] = set()
    for address, event_id in pinned(connection, chain).items():
        if event_id is not None:
            gone |= {(event_id, token) for token in take_back(connection, chain, address, event_id, ancestor)}
    final = connection.scalars(select(Chain.final_number).where(Chain.id == chain)).one()
    above = (
        delete(ChainLog).where(ChainLog.chain == chain, ChainLog.block_number > ancestor),
        delete(ChainBlock).where(ChainBlock.chain == chain, ChainBlock.number > ancestor),
        update(ChainTransaction)
        .where(ChainTransaction.chain == chain, ChainTransaction.block_number > ancestor)
        .where(ChainTransaction.orphaned_ms.is_(None))
        .values(orphaned_ms=now),
        update(ChainContract)
        .where(ChainContract.chain == chain, ChainContract.block_number > ancestor)
        .values(block_number=None),
        update(Chain)
        .where(Chain.id == chain)
        .values(cursor_number=ancestor, cursor_hash=hash_, final_number=min(ancestor, final)),
    )
    for statement in above:
        connection.execute(statement)
    jobs = _forget_inclusion(connection, chain, ancestor, now)
    write_run(connection, chain, run, head, finality)
    return _lost(connection, chain, ancestor, gone, jobs)


def _forget_inclusion(connection: Connection, chain: int, ancestor: int, now: int) -> list[int]:
    """Jobs that were on the lost branch are signed, not sent: the relayer sends their stored bytes at once."""
    lost = (ChainJob.chain == chain) & (ChainJob.block_number > ancestor)
    jobs = list(connection.scalars(select(ChainJob.id).where(lost).order_by(ChainJob.id)))
    connection.execute(
        update(ChainJob)
        .where(ChainJob.id.in_(jobs))
        .values(state="signed", block_number=None, tx_hash=None, error=None, changed_ms=now)
    )
    nonces = select(ChainNonce.nonce).where(ChainNonce.chain == chain, ChainNonce.job_id.in_(jobs))
    connection.execute(
        update(ChainAttempt)
        .where(ChainAttempt.chain == chain, ChainAttempt.nonce.in_(nonces))
        .values(accepted_ms=None, error=None)
    )
    return jobs


def _lost(connection: Connection, chain: int, ancestor: int, gone: set[tuple[UUID, int]], jobs: list[int]) -> Rewound:
    waiting = select(ChainJob.id).where(ChainJob.id.in_(jobs), ChainJob.state == "signed")
    hashes = connection.scalars(
        select(ChainAttempt.hash)
        .join(
            ChainNonce,
            (ChainAttempt.chain == ChainNonce.chain)
            & (ChainAttempt.signer == ChainNonce.signer)
            & (ChainAttempt.nonce == ChainNonce.nonce),
        )
        .where(ChainNonce.chain == chain, ChainNonce.job_id.in_(waiting))
        .order_by(ChainAttempt.nonce, ChainAttempt.max_fee)
    ).all()
    known = set(connection.scalars(select(ChainAttempt.hash).where(ChainAttempt.chain == chain)))
    orphans = connection.scalars(
        select(ChainTransaction.hash)
        .where(ChainTransaction.chain == chain, ChainTransaction.orphaned_ms.is_not(None))
        .order_by(ChainTransaction.block_number, ChainTransaction.position)
    ).all()
    rows = connection.execute(select(Token.event_id, Token.token_id).where(Token.minted_block > ancestor))
    lost = gone - {(event_id, token) for event_id, token in rows}
    return Rewound(
        ancestor=ancestor,
        tokens_lost=tuple(sorted(token for _, token in lost)),
        send_again=tuple(hashes),
        orphans=tuple(hash_ for hash_ in orphans if hash_ not in known),
        jobs=tuple(connection.scalars(waiting.order_by(ChainJob.id))),
    )

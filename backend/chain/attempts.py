"""Rows of nonces and signed transactions: the memory from which anything is sent (design 8).

A nonce is allotted by its row, and the row is written with the signed bytes in one transaction; there is no counter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.chain.keys import Fees, RelayerKey
from backend.db.clock import now_ms
from backend.db.tables.chain import Chain, ChainAttempt, ChainJob, ChainNonce

UNDER_WAY = ("signed", "sent")  # job states between allotted and included


@dataclass(frozen=True, slots=True)
class Account:
    """One of our accounts on one chain instance."""

    chain: int  # row of `chains`
    chain_id: int
    key: RelayerKey

    @property
    def address(self) -> bytes:
        """20 bytes."""
        return self.key.address


def active(connection: Connection, chain: int) -> Row[Any] | None:
    """The chain instance, unless it is frozen or retired: then nothing is signed and nothing is sent."""
    return connection.execute(select(Chain.__table__).where(Chain.id == chain, Chain.state == "active")).one_or_none()


def next_nonce(connection: Connection, account: Account) -> int:
    """One above the highest nonce we allotted; 0 if there is none."""
    highest = connection.scalar(select(func.max(ChainNonce.nonce)).where(*_nonces(account)))
    return 0 if highest is None else highest + 1


def missing_nonces(connection: Connection, account: Account, mined: int) -> list[int]:
    """Nonces that the chain waits for and we never allotted, below one that we did: they hold up all above."""
    query = select(ChainNonce.nonce).where(*_nonces(account), ChainNonce.nonce >= mined)
    known = set(connection.scalars(query))
    return [nonce for nonce in range(mined, max(known, default=mined)) if nonce not in known]


def allot(
    connection: Connection, account: Account, nonce: int, job: Row[Any], target: tuple[bytes | None, bytes], fees: Fees
) -> None:
    """T2: the nonce, the signed bytes and the job's new state, in the caller's transaction."""
    to_address, calldata = target
    row = {"chain": account.chain, "signer": account.address, "nonce": nonce, "job_id": job.id}
    connection.execute(insert(ChainNonce).values(row))
    connection.execute(
        update(ChainJob)
        .where(ChainJob.id == job.id)
        .values(
            state="signed",
            chain=account.chain,
            to_address=to_address,
            calldata=calldata,
            error=None,
            changed_ms=now_ms(connection),
        )
    )
    add_attempt(connection, account, nonce, fees, job.gas_limit, target)


def add_attempt(
    connection: Connection,
    account: Account,
    nonce: int,
    fees: Fees,
    gas_limit: int,
    target: tuple[bytes | None, bytes],
) -> None:
    """Sign and store a transaction for a nonce that is allotted."""
    made = account.key.sign(account.chain_id, nonce, fees, gas_limit, *target)
    connection.execute(
        insert(ChainAttempt).values(
            hash=made.hash,
            chain=account.chain,
            signer=account.address,
            nonce=nonce,
            raw=made.raw,
            max_fee=fees.max_fee,
            priority_fee=fees.priority_fee,
            signed_ms=now_ms(connection),
            sends=0,
        )
    )


def best_attempts(connection: Connection, account: Account, from_nonce: int, limit: int) -> Sequence[Row[Any]]:
    """The highest-paying attempt of each nonce from one on, in order of nonces."""
    mine = (ChainAttempt.chain == account.chain) & (ChainAttempt.signer == account.address)
    best = (
        select(ChainAttempt.nonce, func.max(ChainAttempt.max_fee).label("fee"))
        .where(mine, ChainAttempt.nonce >= from_nonce)
        .group_by(ChainAttempt.nonce)
        .order_by(ChainAttempt.nonce)
        .limit(limit)
        .subquery()
    )
    query = (
        select(ChainAttempt.__table__)
        .join(best, (ChainAttempt.nonce == best.c.nonce) & (ChainAttempt.max_fee == best.c.fee))
        .where(mine)
        .order_by(ChainAttempt.nonce)
    )
    return connection.execute(query).all()


def job_at(connection: Connection, account: Account, nonce: int) -> Row[Any]:
    """The job that got this nonce."""
    query = (
        select(ChainJob.__table__)
        .join(ChainNonce, ChainNonce.job_id == ChainJob.id)
        .where(*_nonces(account), ChainNonce.nonce == nonce)
    )
    return connection.execute(query).one()


def mark_sent(connection: Connection, account: Account, nonces: Sequence[int]) -> None:
    """The jobs of these nonces are with a node."""
    jobs = select(ChainNonce.job_id).where(*_nonces(account), ChainNonce.nonce.in_(nonces))
    connection.execute(
        update(ChainJob)
        .where(ChainJob.id.in_(jobs), ChainJob.state == "signed")
        .values(state="sent", changed_ms=now_ms(connection))
    )


def displaced_jobs(connection: Connection, account: Account, spent: int, before_ms: int) -> list[int]:
    """Jobs under way since before `before_ms` all of whose nonces are below `spent`: used up by somebody else."""
    newest = (
        select(ChainNonce.job_id, func.max(ChainNonce.nonce).label("nonce"))
        .where(*_nonces(account))
        .group_by(ChainNonce.job_id)
        .subquery()
    )
    query = (
        select(ChainJob.id)
        .join(newest, newest.c.job_id == ChainJob.id)
        .where(ChainJob.state.in_(UNDER_WAY), newest.c.nonce < spent, ChainJob.changed_ms < before_ms)
    )
    return list(connection.scalars(query))


def _nonces(account: Account) -> tuple[Any, Any]:
    return ChainNonce.chain == account.chain, ChainNonce.signer == account.address

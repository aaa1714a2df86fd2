"""The chain: what we want done, what we signed, what we saw."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Address, BigId, Hash32, Millis


class Chain(Base):
    """A chain instance: chain id and genesis. A wiped node is another instance under the same chain id."""

    __tablename__ = "chains"
    id: Mapped[int] = mapped_column(primary_key=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    genesis_hash: Mapped[bytes] = mapped_column(Hash32)
    state: Mapped[str] = mapped_column(String(16))  # active | frozen | retired
    start_block: Mapped[int] = mapped_column(BigInteger)  # nothing of ours is below it
    cursor_number: Mapped[int] = mapped_column(BigInteger)  # last block applied to the index
    cursor_hash: Mapped[bytes] = mapped_column(Hash32)
    final_number: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int] = mapped_column(Millis)  # when the node last answered
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (UniqueConstraint("chain_id", "genesis_hash"),)


class ChainContract(Base):
    """A contract of ours, pinned by code hash: an address alone proves nothing (design 8)."""

    __tablename__ = "chain_contracts"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    address: Mapped[bytes] = mapped_column(Address, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # factory | implementation | event | ...
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey("events.id"))
    code_hash: Mapped[bytes | None] = mapped_column(Hash32)  # none until the deployment was seen
    block_number: Mapped[int | None] = mapped_column(BigInteger)


class Batch(Base):
    """A closed batch: owners sorted, number and ids allotted without the chain. Write-once."""

    __tablename__ = "batches"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    class_number: Mapped[int]
    count: Mapped[int]
    owners: Mapped[bytes]  # 20 bytes each, non-decreasing
    closed_ms: Mapped[int] = mapped_column(Millis)


class ChainJob(Base):
    """One transaction we want on the chain: the outbox of the chain. `key` is its idempotency key."""

    __tablename__ = "chain_jobs"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    chain: Mapped[int | None] = mapped_column(ForeignKey("chains.id"))  # set when a nonce is allotted
    kind: Mapped[str] = mapped_column(String(16))  # deploy | create_event | mint | redeem | revoke | ...
    key: Mapped[str] = mapped_column(String(160), unique=True)
    event_id: Mapped[UUID | None] = mapped_column(ForeignKey("events.id"), index=True)
    batch_number: Mapped[int | None]
    tickets: Mapped[int]  # how many tickets wait for it; for people who ask
    to_address: Mapped[bytes | None] = mapped_column(Address)  # none: a contract creation
    calldata: Mapped[bytes]
    gas_limit: Mapped[int] = mapped_column(BigInteger)
    depends_on: Mapped[int | None] = mapped_column(ForeignKey("chain_jobs.id"))
    state: Mapped[str] = mapped_column(String(16))  # queued | signed | sent | included | final
    tries: Mapped[int] = mapped_column(server_default="0")  # that came to nothing: refused in simulation, or reverted
    due_ms: Mapped[int] = mapped_column(Millis, server_default="0")  # not signed before
    block_number: Mapped[int | None] = mapped_column(BigInteger)
    tx_hash: Mapped[bytes | None] = mapped_column(Hash32)  # the attempt that was included
    error: Mapped[str | None] = mapped_column(Text)
    created_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "state", "id"),)


class ChainMark(Base):
    """A status that a job gives to a token. The newest row of a token is the last that was asked for (SPEC 10.7)."""

    __tablename__ = "chain_marks"
    job_id: Mapped[int] = mapped_column(ForeignKey("chain_jobs.id"), primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    status: Mapped[int]  # 0 valid, 1 redeemed, 2 revoked, 3 suspended (SPEC 8.3)
    overlapped: Mapped[bool] = mapped_column(server_default=text("false"))  # it was not valid any more
    __table_args__ = (Index(None, "event_id", "token_id"), Index(None, "status"))


class ChainNonce(Base):
    """The allotment of a nonce is this row; there is no counter to drift (design 8)."""

    __tablename__ = "chain_nonces"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    signer: Mapped[bytes] = mapped_column(Address, primary_key=True)
    nonce: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[int] = mapped_column(ForeignKey("chain_jobs.id"), index=True)


class ChainAttempt(Base):
    """A signed transaction, stored before it is sent; only what is stored here is ever sent."""

    __tablename__ = "chain_attempts"
    hash: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    chain: Mapped[int]
    signer: Mapped[bytes] = mapped_column(Address)
    nonce: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes]
    max_fee: Mapped[int] = mapped_column(BigInteger)  # wei per gas
    priority_fee: Mapped[int] = mapped_column(BigInteger)  # wei per gas
    signed_ms: Mapped[int] = mapped_column(Millis)
    accepted_ms: Mapped[int | None] = mapped_column(Millis)  # a node said yes, or said it knew it
    sends: Mapped[int]
    error: Mapped[str | None] = mapped_column(Text)
    __table_args__ = (
        ForeignKeyConstraint(
            ["chain", "signer", "nonce"], ["chain_nonces.chain", "chain_nonces.signer", "chain_nonces.nonce"]
        ),
        UniqueConstraint("chain", "signer", "nonce", "max_fee"),
    )


class ChainBlock(Base):
    """A block we applied; kept to beyond finality, so that another block at its height is noticed."""

    __tablename__ = "chain_blocks"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(Hash32)
    parent_hash: Mapped[bytes] = mapped_column(Hash32)
    timestamp: Mapped[int] = mapped_column(BigInteger)  # seconds, as the chain says


class ChainLog(Base):
    """A log of one of our contracts, raw: what the index is derived from and can be derived from again.

    The Transfers of a mint follow one another and differ in owner and id only; `count` of them share a row, whose
    topics are the first's without its owner, and whose data are the owners, 20 bytes each (SPEC 10.4).
    """

    __tablename__ = "chain_logs"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    log_index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    block_hash: Mapped[bytes] = mapped_column(Hash32)
    tx_hash: Mapped[bytes] = mapped_column(Hash32)
    address: Mapped[bytes] = mapped_column(Address)
    topics: Mapped[bytes]  # 32 bytes each
    data: Mapped[bytes]
    count: Mapped[int] = mapped_column(server_default="1")


class ChainTransaction(Base):
    """A transaction that touched our contracts, ours or other people's, with its bytes, for replay."""

    __tablename__ = "chain_transactions"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[int]
    timestamp: Mapped[int] = mapped_column(BigInteger)
    sender: Mapped[bytes] = mapped_column(Address)
    nonce: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes | None]
    orphaned_ms: Mapped[int | None] = mapped_column(Millis)  # lost to a rewind, and to be sent again
    given_up: Mapped[str | None] = mapped_column(String(80))  # why it can't be sent again
    __table_args__ = (Index(None, "chain", "block_number", "position"),)


class Token(Base):
    """The off-chain index: what the chain says of a token, as of the cursor."""

    __tablename__ = "tokens"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    owner: Mapped[bytes] = mapped_column(Address)
    epoch: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int]  # 0 valid, 1 redeemed, 2 revoked, 3 suspended (SPEC 8.3)
    minted_block: Mapped[int] = mapped_column(BigInteger)
    changed_block: Mapped[int] = mapped_column(BigInteger)
    __table_args__ = (
        Index(None, "changed_block"),
        Index("ix_tokens_given", "owner", postgresql_where=text("epoch > 0"), sqlite_where=text("epoch > 0")),
    )


class Diagnosis(Base):
    """What we found the node to be, since when, and what was done about it."""

    __tablename__ = "chain_diagnoses"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    chain: Mapped[int | None]
    kind: Mapped[str] = mapped_column(String(16))  # unreachable | behind | reorganised | rolled_back | wiped
    detail: Mapped[dict[str, Any]]
    opened_ms: Mapped[int] = mapped_column(Millis)
    closed_ms: Mapped[int | None] = mapped_column(Millis)


class Lease(Base):
    """One leader by name, with a fencing number that only grows: a stalled leader that wakes writes nothing."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    fence: Mapped[int] = mapped_column(BigInteger)
    expires_ms: Mapped[int] = mapped_column(Millis)

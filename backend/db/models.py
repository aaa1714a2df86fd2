"""Every table of the platform, by room of use: events, sales, chain, index, credentials, gates.

Hot paths use these through SQLAlchemy Core (`Model.__table__`); the ORM is for cold paths. Times are integers in
milliseconds (`_ms`), money is integer minor units, addresses and hashes are raw bytes. States are short words; the
rules that move them live in `backend.domain`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.db.types import Address, BigId, Hash32, Millis, PublicKey


class Base(DeclarativeBase):
    """Common base; names every constraint so that migrations can find it again."""

    type_annotation_map = {dict[str, Any]: JSON, bytes: LargeBinary, UUID: Uuid}  # noqa: RUF012 - SQLAlchemy's API


Base.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


# --- the platform and its events -----------------------------------------------------------------------------------


class Platform(Base):
    """One row: who this installation is."""

    __tablename__ = "platform"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    platform_id: Mapped[bytes] = mapped_column(LargeBinary(16))
    created_ms: Mapped[int] = mapped_column(Millis)
    # Set while a restored database waits for its reconciliation: no sales, no worker (backend.ops.reconcile).
    restored: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Event(Base):
    """An event on sale. `number` is the 12-bit event index of compact codes (SPEC 3)."""

    __tablename__ = "events"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    number: Mapped[int] = mapped_column(unique=True)
    tag: Mapped[bytes] = mapped_column(LargeBinary(8), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    venue: Mapped[str] = mapped_column(String(200))
    time_zone: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16))  # preparing | on_sale | paused | cancelled | over
    doors_ms: Mapped[int] = mapped_column(Millis)
    starts_ms: Mapped[int] = mapped_column(Millis)
    ends_ms: Mapped[int] = mapped_column(Millis)
    freeze_ms: Mapped[int] = mapped_column(Millis)
    max_per_order: Mapped[int]
    hold_seconds: Mapped[int]
    offline_policy: Mapped[str] = mapped_column(String(8))  # local | home | refuse
    refund_until_ms: Mapped[int | None] = mapped_column(Millis)  # none: only the organiser refunds
    refund_keep_bps: Mapped[int] = mapped_column(server_default="0")  # of the price, when a buyer gives back
    sale_starts_ms: Mapped[int | None] = mapped_column(Millis)  # before it a presale code is needed; none: at once
    max_per_buyer: Mapped[int | None]  # tickets of one address, chain or mail, held and bought; none: no limit
    custody_address: Mapped[bytes | None] = mapped_column(Address)  # set once the signer has made its key
    file_hash: Mapped[bytes] = mapped_column(Hash32)
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (CheckConstraint("number >= 0 AND number < 4096", name="number_is_12_bit"),)


class WaitingRoom(Base):
    """The waiting room of an on-sale. Its row is written when people come, never when they ask how they stand."""

    __tablename__ = "waiting_rooms"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    opens_ms: Mapped[int] = mapped_column(Millis)
    starts_ms: Mapped[int] = mapped_column(Millis)
    rate_per_minute: Mapped[int]
    seed: Mapped[bytes] = mapped_column(Hash32)  # of the draw; nobody sees it before the start
    early_count: Mapped[int] = mapped_column(server_default="0")
    late_count: Mapped[int] = mapped_column(server_default="0")


class TicketClass(Base):
    """A class of tickets and what the contract must know of it."""

    __tablename__ = "ticket_classes"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(120))
    zone: Mapped[int]
    price_minor: Mapped[int] = mapped_column(BigInteger)
    seated: Mapped[bool]
    policy: Mapped[str] = mapped_column(String(16))  # open | market_only | frozen | soulbound
    resale_cap_bps: Mapped[int]
    royalty_bps: Mapped[int]
    __table_args__ = (UniqueConstraint("event_id", "code"),)


class Stock(Base):
    """What is left of a class: the hot row. The database itself refuses to oversell (P1)."""

    __tablename__ = "stock"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    class_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    capacity: Mapped[int]
    held: Mapped[int]
    sold: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["event_id", "class_number"], ["ticket_classes.event_id", "ticket_classes.number"]),
        CheckConstraint("held >= 0 AND sold >= 0", name="not_negative"),
        CheckConstraint("held + sold <= capacity", name="never_oversold"),
    )


class Seat(Base):
    """A seat of the plan. `number` is the 24-bit seat of a credential; 0 means none."""

    __tablename__ = "seats"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    class_number: Mapped[int]
    label: Mapped[str] = mapped_column(String(40))
    __table_args__ = (UniqueConstraint("event_id", "label"), Index(None, "event_id", "class_number"))


class SeatClaim(Base):
    """A seat that an order holds or owns; its primary key is what keeps a seat from being sold twice."""

    __tablename__ = "seat_claims"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    seat_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    order_id: Mapped[UUID] = mapped_column(index=True)


# --- sales ------------------------------------------------------------------------------------------------------------


class Order(Base):
    """The truth about a sale (design 7). `owner` is the buyer's chain address; none means custody."""

    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    state: Mapped[str] = mapped_column(String(16))  # held | paid | expired | cancelled | refunded
    secret_hash: Mapped[bytes] = mapped_column(Hash32)  # SHA-256 of the bearer secret given once to the buyer
    owner: Mapped[bytes | None] = mapped_column(Address)
    quantity: Mapped[int]
    total_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    hold_expires_ms: Mapped[int] = mapped_column(Millis)
    created_ms: Mapped[int] = mapped_column(Millis)
    paid_ms: Mapped[int | None] = mapped_column(Millis)
    extensions: Mapped[int] = mapped_column(server_default="0")  # of the hold
    code_hash: Mapped[bytes | None] = mapped_column(Hash32)  # of the code that was used (`codes`)
    terms_version: Mapped[str | None] = mapped_column(String(20))  # in force when it was held; none: given away
    secret_number: Mapped[int] = mapped_column(server_default="0")  # how often its secret was made anew
    __table_args__ = (
        Index(
            "ix_orders_holds",
            "hold_expires_ms",
            postgresql_where=text("state = 'held'"),
            sqlite_where=text("state = 'held'"),
        ),
        Index(None, "event_id", "created_ms"),
        Index(
            "ix_orders_owner",  # a restored wallet looks for its orders
            "owner",
            postgresql_where=text("owner IS NOT NULL"),
            sqlite_where=text("owner IS NOT NULL"),
        ),
    )


class Code(Base):
    """A presale code or voucher of an event, by the hash of its text. The database itself refuses one use too many."""

    __tablename__ = "codes"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    hash: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    class_number: Mapped[int | None]  # it is good for; none: for every class
    discount_bps: Mapped[int]  # off the price; 10,000: free
    presale: Mapped[bool]  # it opens the sale before `sale_starts_ms`
    until_ms: Mapped[int | None] = mapped_column(Millis)
    max_uses: Mapped[int | None]  # orders; none: any number
    uses: Mapped[int] = mapped_column(server_default="0")  # orders that hold it or were paid with it
    label: Mapped[str] = mapped_column(String(80))  # for people, such as "Fan club"
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (
        CheckConstraint("uses >= 0 AND (max_uses IS NULL OR uses <= max_uses)", name="never_overused"),
        CheckConstraint("discount_bps >= 0 AND discount_bps <= 10000", name="discount_is_a_share"),
    )


class OrderLine(Base):
    """So many tickets of one class, at the all-in price the buyer saw."""

    __tablename__ = "order_lines"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    class_number: Mapped[int]
    quantity: Mapped[int]
    unit_price_minor: Mapped[int] = mapped_column(BigInteger)
    seats: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))  # numbers; stay when the claims go


class Ticket(Base):
    """A paid ticket. Without `token_id` it waits for its batch; serial, epoch and binding are the effective ones."""

    __tablename__ = "tickets"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    position: Mapped[int]
    class_number: Mapped[int]
    seat_number: Mapped[int]
    owner: Mapped[bytes] = mapped_column(Address)  # minted to: the buyer's address or the event's custody
    state: Mapped[str] = mapped_column(String(16))  # valid | refunded | revoked | suspended
    batch_number: Mapped[int | None]
    token_id: Mapped[int | None] = mapped_column(BigInteger)
    serial: Mapped[int]  # of the last credential issued; 0: none yet
    epoch: Mapped[int]
    binding_number: Mapped[int]
    holder_key: Mapped[bytes | None] = mapped_column(PublicKey)
    sold_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (
        ForeignKeyConstraint(["event_id", "class_number"], ["ticket_classes.event_id", "ticket_classes.number"]),
        UniqueConstraint("event_id", "token_id"),
        UniqueConstraint("order_id", "position"),
        Index(
            "ix_tickets_unbatched",
            "event_id",
            "class_number",
            "sold_ms",
            postgresql_where=text("batch_number IS NULL"),
            sqlite_where=text("batch_number IS NULL"),
        ),
        Index(
            "ix_tickets_not_valid",  # what the chain is to be told
            "event_id",
            "token_id",
            postgresql_where=text("state <> 'valid'"),
            sqlite_where=text("state <> 'valid'"),
        ),
    )


class Waiter(Base):
    """Somebody on a class's waiting list. `id` sorts by time; `order_id` is what was offered."""

    __tablename__ = "waiting_list"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    class_number: Mapped[int]
    quantity: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))  # waiting | offered | done | lapsed | left
    order_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders.id"))
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (
        ForeignKeyConstraint(["event_id", "class_number"], ["ticket_classes.event_id", "ticket_classes.number"]),
        CheckConstraint("quantity > 0", name="wants_something"),
        Index(
            "ix_waiting_list_open",
            "event_id",
            "class_number",
            "quantity",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(None, "state", "id"),
    )


class Payment(Base):
    """One attempt to take money for an order; written before the provider is asked."""

    __tablename__ = "payments"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    provider: Mapped[str] = mapped_column(String(16))
    provider_ref: Mapped[str | None] = mapped_column(String(120))
    idempotency_key: Mapped[str] = mapped_column(String(120), unique=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    # started | succeeded | declined | unknown | refunding | refunded | charged_back
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(80))
    created_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (UniqueConstraint("provider", "provider_ref"), Index(None, "state", "changed_ms"))


class Refund(Base):
    """Tickets given back, and the money for them. `amount_minor` 0: they had cost nothing."""

    __tablename__ = "refunds"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"))
    asked_by: Mapped[str] = mapped_column(String(16))  # buyer | organiser | bank
    reason: Mapped[str] = mapped_column(String(80))
    tickets: Mapped[list[int]] = mapped_column(JSON)  # their positions in the order
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    kept_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16))  # sending | done
    created_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "state"),)


class LedgerEntry(Base):
    """Money moved from one account to another (backend.domain.ledger). Triggers refuse every change and deletion."""

    __tablename__ = "ledger_entries"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(80), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    debit: Mapped[str] = mapped_column(String(40))
    credit: Mapped[str] = mapped_column(String(40))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    event_id: Mapped[UUID]
    order_id: Mapped[UUID]
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="positive"),
        CheckConstraint("debit <> credit", name="moves"),
    )


class Outbox(Base):
    """What the world outside must be told, written in the transaction that decided it. `key` makes it idempotent."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic: Mapped[str] = mapped_column(String(32))  # payment.refund | ...
    key: Mapped[str] = mapped_column(String(160), unique=True)
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16))  # waiting | done | failed
    attempts: Mapped[int]
    due_ms: Mapped[int] = mapped_column(Millis)
    error: Mapped[str | None] = mapped_column(Text)
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "state", "topic", "due_ms"),)


class IdempotencyKey(Base):
    """The first answer to a keyed request, given again to every repeat (draft-ietf-httpapi-idempotency-key-header)."""

    __tablename__ = "idempotency_keys"
    scope: Mapped[str] = mapped_column(String(120), primary_key=True)
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(Hash32)
    resource_id: Mapped[UUID | None]
    status: Mapped[int | None]  # HTTP status of the stored answer; none while the work is under way
    body: Mapped[str | None] = mapped_column(Text)
    created_ms: Mapped[int] = mapped_column(Millis)


# --- chain: what we want done, what we signed, what we saw ------------------------------------------------------------


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
    __table_args__ = (Index(None, "changed_block"),)


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


# --- credentials and gates --------------------------------------------------------------------------------------------


class SigningKey(Base):
    """Public half of a key that the signer holds (SPEC 5)."""

    __tablename__ = "signing_keys"
    public_key: Mapped[bytes] = mapped_column(PublicKey, primary_key=True)
    key_id: Mapped[bytes] = mapped_column(LargeBinary(4), unique=True)
    role: Mapped[str] = mapped_column(String(8))  # issuing | bundle
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    created_ms: Mapped[int] = mapped_column(Millis)


class KeyList(Base):
    """A root-signed key list; gates take the newest (SPEC 5)."""

    __tablename__ = "key_lists"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]
    created_ms: Mapped[int] = mapped_column(Millis)


class Binding(Base):
    """Who bound which device to a ticket, with the signatures: evidence, kept (SPEC 4)."""

    __tablename__ = "bindings"
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    device_key: Mapped[bytes] = mapped_column(PublicKey)
    expiry: Mapped[int] = mapped_column(BigInteger)
    owner: Mapped[bytes] = mapped_column(Address)
    owner_signature: Mapped[bytes]
    possession_signature: Mapped[bytes]
    created_ms: Mapped[int] = mapped_column(Millis)


class Credential(Base):
    """A credential, stored before it is handed out. Serials of a ticket only grow (design 3)."""

    __tablename__ = "credentials"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    serial: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("tickets.id"), index=True)
    data: Mapped[bytes]  # 135 bytes (SPEC 2)
    device_key: Mapped[bytes] = mapped_column(PublicKey)
    issued_ms: Mapped[int] = mapped_column(Millis)


class Bundle(Base):
    """A signed bundle as gates were given it (SPEC 5)."""

    __tablename__ = "bundles"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # Unix seconds, about
    data: Mapped[bytes]
    rows_through_ms: Mapped[int] = mapped_column(Millis)
    index_through: Mapped[int] = mapped_column(BigInteger)  # chain time, seconds
    fingerprint: Mapped[bytes] = mapped_column(Hash32)  # of the rows it was built from: has anything changed since?
    created_ms: Mapped[int] = mapped_column(Millis)


class Gate(Base):
    """An enrolled gate of an event; its bearer token is stored hashed."""

    __tablename__ = "gates"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(80))
    public_key: Mapped[bytes | None] = mapped_column(PublicKey)
    token_hash: Mapped[bytes] = mapped_column(Hash32, unique=True)
    created_ms: Mapped[int] = mapped_column(Millis)


class GateLog(Base):
    """The log of one device at a gate, as far as it was handed over (SPEC 7.4). Its row is the lock for taking more."""

    __tablename__ = "gate_logs"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    gate_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    log_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    next: Mapped[int]  # the number of the first record that is still missing
    head: Mapped[bytes] = mapped_column(Hash32)  # the chain's hash before it


class GateRecord(Base):
    """A record of a gate's log as it came: whom it let in, with the code that was shown as evidence."""

    __tablename__ = "gate_records"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    gate_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    log_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    admits: Mapped[bool]  # else it only saw a newer serial
    token_id: Mapped[int] = mapped_column(BigInteger)
    at_s: Mapped[int] = mapped_column(BigInteger)  # the gate's clock, Unix seconds
    payload: Mapped[bytes]
    received_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "event_id", "token_id"),)


# --- what people are told ---------------------------------------------------------------------------------------------


class Incident(Base):
    """Something that people are told of: a fault we noticed, a word of the operators, or work they announced."""

    __tablename__ = "incidents"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))  # fault | posted | maintenance
    component: Mapped[str] = mapped_column(String(16))  # see backend.ops.incidents.GROUP
    cause: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(8))  # waits | down
    facts: Mapped[dict[str, Any]]  # of its sentence, as last seen
    opened_ms: Mapped[int] = mapped_column(Millis)  # of maintenance: when the work begins
    until_ms: Mapped[int | None] = mapped_column(Millis)  # when announced work ends
    closed_ms: Mapped[int | None] = mapped_column(Millis)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # written after it closed
    __table_args__ = (
        Index(
            "uq_incidents_open_fault",  # one at a time, whoever watches
            "component",
            unique=True,
            postgresql_where=text("closed_ms IS NULL AND kind = 'fault'"),
            sqlite_where=text("closed_ms IS NULL AND kind = 'fault'"),
        ),
        Index(None, "opened_ms"),
    )


class IncidentNote(Base):
    """What happened in an incident, in order: its timeline, and what subscribers are sent."""

    __tablename__ = "incident_notes"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"), index=True)
    at_ms: Mapped[int] = mapped_column(Millis)
    what: Mapped[str] = mapped_column(String(12))  # opened | changed | said | closed
    cause: Mapped[str] = mapped_column(String(40))
    facts: Mapped[dict[str, Any]]
    text_en: Mapped[str | None] = mapped_column(Text)  # operators' own words
    text_zh: Mapped[str | None] = mapped_column(Text)


class Subscriber(Base):
    """Who asked to be told of incidents. The address is personal: encrypted, and gone when they unsubscribe."""

    __tablename__ = "subscribers"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(8))  # mail | webhook
    address_mark: Mapped[bytes] = mapped_column(Hash32)  # keyed hash: the same address is found again
    address_box: Mapped[bytes]  # encrypted with a key of the installation (backend.notices.subscribers)
    language: Mapped[str] = mapped_column(String(2))
    state: Mapped[str] = mapped_column(String(10))  # asked | confirmed
    asked_ms: Mapped[int] = mapped_column(Millis)
    confirmed_ms: Mapped[int | None] = mapped_column(Millis)
    __table_args__ = (UniqueConstraint("channel", "address_mark"), Index(None, "state", "id"))


class SensorReading(Base):
    """What a sensor of the machine room said last, and what it should say (backend.ops.sensors)."""

    __tablename__ = "sensor_readings"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[float | None] = mapped_column(Float)  # none: there is a fault
    fault: Mapped[str | None] = mapped_column(String(10))  # of the sensor itself: quiet | bad_answer
    unit: Mapped[str] = mapped_column(String(12))
    low: Mapped[float | None] = mapped_column(Float)
    high: Mapped[float | None] = mapped_column(Float)
    read_ms: Mapped[int] = mapped_column(Millis)
    outside_ms: Mapped[int | None] = mapped_column(Millis)  # since when it is outside its limits, or silent

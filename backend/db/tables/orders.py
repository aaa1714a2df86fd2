"""Orders, tickets and their money."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
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
from backend.db.types import Address, BigId, Hash32, Millis, PublicKey


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
            "ix_tickets_given",  # to whom
            "owner",
            postgresql_where=text("epoch > 0"),
            sqlite_where=text("epoch > 0"),
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

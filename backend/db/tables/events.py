"""The platform, its events, their classes and places."""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Address, Hash32, Millis


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
    # The freeze in the event's contract, which stays when the event is moved; none: there is no contract yet.
    chain_freeze_ms: Mapped[int | None] = mapped_column(Millis)
    max_per_order: Mapped[int]
    hold_seconds: Mapped[int]
    offline_policy: Mapped[str] = mapped_column(String(8))  # local | home | refuse
    refund_until_ms: Mapped[int | None] = mapped_column(Millis)  # none: only the organiser refunds
    refund_keep_bps: Mapped[int] = mapped_column(server_default="0")  # of the price, when a buyer gives back
    sale_starts_ms: Mapped[int | None] = mapped_column(Millis)  # before it a presale code is needed; none: at once
    max_per_buyer: Mapped[int | None]  # tickets of one address, chain or mail, held and bought; none: no limit
    custody_address: Mapped[bytes | None] = mapped_column(Address)  # set once the signer has made its key
    moved_from_ms: Mapped[int | None] = mapped_column(Millis)  # its start before it was last moved; none: never moved
    moved_ms: Mapped[int | None] = mapped_column(Millis)  # when that was decided
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

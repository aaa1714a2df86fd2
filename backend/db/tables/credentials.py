"""Signing keys, credentials, bundles, and gates with what they handed over."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Address, Hash32, Millis, PublicKey


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

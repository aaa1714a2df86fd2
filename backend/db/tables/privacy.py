"""Tables of personal data. What is personal is sealed with its person's key; deleting that key erases it everywhere."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Hash32, Millis


class Person(Base):
    """Somebody who left personal data: the key of it, itself sealed with a key that is not in the database."""

    __tablename__ = "people"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)  # sealed (backend.privacy.sealing)
    mail_index: Mapped[bytes | None] = mapped_column(Hash32, unique=True)  # keyed hash, to find a person by address
    keep_until_ms: Mapped[int] = mapped_column(Millis)  # then it is erased by itself
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "keep_until_ms"),)


class PersonalField(Base):
    """One personal value of one row. Its table, row and column are what it is sealed to."""

    __tablename__ = "personal_fields"
    table_name: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    column_name: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_ms: Mapped[int] = mapped_column(Millis)


class OrderConsent(Base):
    """What a buyer agreed to with an order: which terms, and whether news may be sent. Not personal by itself."""

    __tablename__ = "order_consents"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    terms_version: Mapped[str] = mapped_column(String(20))
    news: Mapped[bool]
    agreed_ms: Mapped[int] = mapped_column(Millis)


class RecoveryCode(Base):
    """A code that opens the orders of an address once: its hash, and the address's keyed hash (backend.privacy)."""

    __tablename__ = "recovery_codes"
    hash: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    mail_index: Mapped[bytes] = mapped_column(Hash32, index=True)
    expires_ms: Mapped[int] = mapped_column(Millis)

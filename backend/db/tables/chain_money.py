"""Tables of primary sales that are paid on the chain (SPEC 9.10): prices, what was offered, what came."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Address, Hash32, Millis


class ChainPrice(Base):
    """The token in which an event's contract takes money, as written into that contract for good. No row: none."""

    __tablename__ = "chain_prices"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    token: Mapped[bytes] = mapped_column(Address)  # ERC-20; zero: the native coin
    units_per_minor: Mapped[int] = mapped_column(BigInteger)  # of the token, for one minor unit of the currency


class ChainCharge(Base):
    """What a buyer was asked to pay to the market: one offer for each payment."""

    __tablename__ = "chain_charges"
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    order_ref: Mapped[bytes] = mapped_column(Hash32, unique=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"))
    market: Mapped[bytes] = mapped_column(Address)
    tickets: Mapped[bytes] = mapped_column(Address)  # the event's contract
    class_number: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    seen_ms: Mapped[int | None] = mapped_column(Millis)  # since when it is in a block that is not final
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (
        Index(None, "event_id", "created_ms"),
        Index(None, "chain", "seen_ms"),
    )


class ChainReceipt(Base):
    """Money that the market took for an event of ours, in a final block. `payment_id` none: nobody was asked for it."""

    __tablename__ = "chain_receipts"
    order_ref: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    market: Mapped[bytes] = mapped_column(Address)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    extra: Mapped[bool]  # a further receipt of the same payment: it goes back, whatever became of the first
    payer: Mapped[bytes] = mapped_column(Address)
    class_number: Mapped[int]
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))  # held | releasing | released | refunded
    block_number: Mapped[int] = mapped_column(BigInteger)
    paid_ms: Mapped[int] = mapped_column(Millis)  # the block's time
    __table_args__ = (Index(None, "state", "paid_ms"),)


class ChainMoneyCursor(Base):
    """Up to which block the market's events were read."""

    __tablename__ = "chain_money_cursors"
    chain: Mapped[int] = mapped_column(ForeignKey("chains.id"), primary_key=True)
    block_number: Mapped[int] = mapped_column(BigInteger)

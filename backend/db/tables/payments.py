"""Of payments, beside the till's own (orders): refunds that a provider would not send."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Millis


class FailedRefund(Base):
    """Money that is owed to a buyer and that the provider refused to send, until it is sent or paid another way."""

    __tablename__ = "failed_refunds"
    refund_id: Mapped[UUID] = mapped_column(
        primary_key=True
    )  # of `refunds`; the payment's, if its money bought nothing
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str] = mapped_column(String(60))  # the provider's machine word
    state: Mapped[str] = mapped_column(String(16))  # failed | again | done | settled
    tries: Mapped[int]  # how often the provider was asked anew
    settled_how: Mapped[str | None] = mapped_column(String(16))
    failed_ms: Mapped[int] = mapped_column(Millis)
    changed_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "state"),)

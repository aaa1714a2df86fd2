"""What keeps limits per buyer: which order a waiting room's pass was used for, and who is the same buyer.

Neither names anybody: a pass is 16 random bytes, a mark is a keyed hash that is another one for every event.
"""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Hash32


class UsedPass(Base):
    """A pass of a waiting room and the order it was last used for."""

    __tablename__ = "used_passes"
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"), primary_key=True)
    nonce: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    order_id: Mapped[UUID]


class BuyerMark(Base):
    """Orders with the same mark are the same buyer's. Gone when the event is over, or with the buyer's data."""

    __tablename__ = "buyer_marks"
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    mark: Mapped[bytes] = mapped_column(Hash32, primary_key=True)
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id"))
    __table_args__ = (Index(None, "event_id", "mark"),)

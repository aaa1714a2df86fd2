"""What a class's contract says where the organiser has changed it here since."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class ClassOnChain(Base):
    """Price and number of tickets as the event was created with: in its contract, and the most there can be."""

    __tablename__ = "classes_on_chain"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    class_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    price_minor: Mapped[int] = mapped_column(BigInteger)
    capacity: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(["event_id", "class_number"], ["ticket_classes.event_id", "ticket_classes.number"]),
    )

"""Moves of tickets that their holders signed and that we put in order."""

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Address, Millis


class ChainMove(Base):
    """A ticket's way to another owner, by a job of its own; kept as evidence of who gave it to whom."""

    __tablename__ = "chain_moves"
    job_id: Mapped[int] = mapped_column(ForeignKey("chain_jobs.id"), primary_key=True)
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("tickets.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)  # that was signed for: one below the ticket's after it
    from_owner: Mapped[bytes] = mapped_column(Address)
    to_owner: Mapped[bytes] = mapped_column(Address)
    deadline: Mapped[int] = mapped_column(BigInteger)  # Unix seconds
    signature: Mapped[bytes] = mapped_column(LargeBinary(65))
    taken_back: Mapped[str | None] = mapped_column(String(40))  # why it can never be; the ticket is the giver's again
    created_ms: Mapped[int] = mapped_column(Millis)
    __table_args__ = (Index(None, "ticket_id", "epoch"),)

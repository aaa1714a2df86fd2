"""How fast backlogs went, remembered beyond a restart of the worker: what estimates are made of."""

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.types import Millis

MINTS = "mints"


class DrainRate(Base):
    """The rate of one kind of backlog, as the newest drain that lasted showed it."""

    __tablename__ = "drain_rates"
    name: Mapped[str] = mapped_column(primary_key=True)
    per_s: Mapped[float]
    seen_ms: Mapped[int] = mapped_column(Millis)


def remembered_rate(connection: Connection, name: str) -> float | None:
    """Things done in a second; none if no drain lasted long enough to show it."""
    return connection.scalar(select(DrainRate.per_s).where(DrainRate.name == name))


def remember_rate(connection: Connection, name: str, per_s: float, now: int) -> None:
    """In the caller's transaction."""
    connection.execute(delete(DrainRate).where(DrainRate.name == name))
    connection.execute(insert(DrainRate).values(name=name, per_s=per_s, seen_ms=now))

"""How the last backup and the last drill went: told by doctor and metrics, wherever they were made."""

from dataclasses import dataclass

from sqlalchemy import Connection, Text, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.clock import now_ms
from backend.db.tables.base import Base
from backend.db.tables.events import Platform
from backend.db.types import Millis

BACKUP, DRILL = "backup", "drill"
MAX_PROBLEM = 200  # characters that are kept


class UpkeepRow(Base):
    """The last time that one kind of work was tried. `problem`: what was wrong then; none if it was good."""

    __tablename__ = "upkeep"
    name: Mapped[str] = mapped_column(primary_key=True)
    tried_ms: Mapped[int] = mapped_column(Millis)
    good_ms: Mapped[int | None] = mapped_column(Millis)  # the last time that it was good
    problem: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """As it is told. `since_ms`: the last good one, else the installation's beginning; none if there is neither."""

    ever: bool = False
    since_ms: int | None = None
    problem: str | None = None


def book_upkeep(connection: Connection, name: str, problem: str | None) -> None:
    """Note how it went, in the caller's transaction; `problem`: what was wrong, none if nothing."""
    now = now_ms(connection)
    good = connection.scalar(select(UpkeepRow.good_ms).where(UpkeepRow.name == name)) if problem else now
    connection.execute(delete(UpkeepRow).where(UpkeepRow.name == name))
    row = {"name": name, "tried_ms": now, "good_ms": good, "problem": problem and problem[:MAX_PROBLEM]}
    connection.execute(insert(UpkeepRow).values(row))


def upkeep_of(connection: Connection, name: str) -> Upkeep:
    """How it went last."""
    query = select(Platform.created_ms, UpkeepRow.name, UpkeepRow.good_ms, UpkeepRow.problem)
    found = connection.execute(query.outerjoin(UpkeepRow, UpkeepRow.name == name)).first()
    if found is None:
        return Upkeep()
    since = found.created_ms if found.good_ms is None else found.good_ms
    return Upkeep(found.name is not None, since, found.problem)

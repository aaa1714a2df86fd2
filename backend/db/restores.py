"""When this database was put back from an older copy: what was numbered since is not known here (SPEC 4.3)."""

from sqlalchemy.orm import Mapped, mapped_column

from backend.db.models import Base
from backend.db.types import Millis


class Restore(Base):
    """One restore. Numbers of codes that were given between `made_ms` and `at_ms` are lost, and are stepped over."""

    __tablename__ = "restores"
    at_ms: Mapped[int] = mapped_column(Millis, primary_key=True, autoincrement=False)
    made_ms: Mapped[int] = mapped_column(Millis)  # when the copy was made
    done_ms: Mapped[int | None] = mapped_column(Millis)  # reconciled: tickets that only the chain knew are back

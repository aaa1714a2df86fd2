"""When this database was put back from an older copy: what was numbered since is not known here (SPEC 4.3)."""

from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base
from backend.db.tables.events import Platform
from backend.db.types import Millis
from backend.errors import refuse
from backend.i18n import gettext as _


class Restore(Base):
    """One restore. Numbers of codes that were given between `made_ms` and `at_ms` are lost, and are stepped over."""

    __tablename__ = "restores"
    at_ms: Mapped[int] = mapped_column(Millis, primary_key=True, autoincrement=False)
    made_ms: Mapped[int] = mapped_column(Millis)  # when the copy was made
    done_ms: Mapped[int | None] = mapped_column(Millis)  # reconciled: tickets that only the chain knew are back


def waiting(connection: Connection) -> dict[str, Any] | None:
    """What is known of a restore that waits for its reconciliation; none otherwise."""
    found: dict[str, Any] | None = connection.scalar(select(Platform.restored))
    return found


def require_reconciled(connection: Connection) -> None:
    """Refuse (`not_reconciled`) to work on a restored database: what it says waits may have been done since."""
    if waiting(connection) is not None:
        raise refuse("not_reconciled", _("This database was restored; run first: truestub reconcile"))

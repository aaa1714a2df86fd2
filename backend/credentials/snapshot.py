"""Read many rows as of one moment, and know up to which time nothing is missing (SPEC 5.5).

A snapshot alone does not say that. A transaction may look at the clock, then wait, and commit after the snapshot was
taken: its rows carry an earlier time and are not in it. So `rows_through` is not the time of the snapshot but one
before which no unseen transaction can have looked at the clock. Every time in the database is taken from the
database's clock inside the transaction that writes it, after it began; hence:

* PostgreSQL: first note the clock, then list the transactions under way, then take the snapshot. What the snapshot
  misses either was on the list, and its times are no earlier than its start, or it began later, and its times are no
  earlier than the clock was. `rows_through` is the smallest of all these. Nobody is held up. (All processes of the
  platform share one database role: the list shows the starts of one's own role's transactions only.)
* SQLite: take the write lock, note the clock, open the snapshot in another connection, let go of the lock. While the
  lock is held no writer is under way, and each later one looks at the clock after it got the lock. It is held for as
  long as it takes to open a file, not for the reading.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, bindparam, text

from backend.db.clock import now_ms
from backend.db.engine import read

# Only ever read, for hours: they would hold `rows_through` back for nothing.
_READERS = ("pg_dump", "pg_basebackup")
_OLDEST_START = text(
    "SELECT CAST(extract(epoch FROM min(xact_start)) * 1000 AS bigint) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    " AND coalesce(application_name, '') NOT IN :readers"
).bindparams(bindparam("readers", _READERS, expanding=True))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows as of one moment. Every row whose time is before `rows_through_ms` is in it, as it was written."""

    connection: Connection
    rows_through_ms: int
    taken_ms: int


@contextmanager
def snapshot(engine: Engine) -> Iterator[Snapshot]:
    """A snapshot, good until the end of the `with` block."""
    if engine.dialect.name == "sqlite":
        with engine.begin() as lock, read(engine) as connection:
            taken = now_ms(lock)
            connection.execute(text("SELECT 1 FROM platform LIMIT 1")).all()  # SQLite's snapshot begins here
            lock.rollback()
            yield Snapshot(connection, taken, taken)
        return
    with engine.connect() as connection:
        taken = now_ms(connection)
        connection.rollback()  # each statement by itself: the clock, then the list, then the snapshot
        oldest = connection.scalar(_OLDEST_START)
        connection.rollback()
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield Snapshot(connection, min(taken, oldest) if oldest is not None else taken, taken)

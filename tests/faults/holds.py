"""What a stopped process would keep from everybody else: a write lock of SQLite, rows and locks of PostgreSQL."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, text

from backend.db.engine import read

BUSY_SECONDS = 1.0  # a write takes milliseconds; who holds on for longer stands still
LOOK_SECONDS = 0.05


def held(engine: Engine, bank: Path) -> str:
    """What somebody holds who does not go on; empty: nothing."""
    if is_locked(bank):
        return "the bank's write lock"
    if engine.dialect.name != "sqlite":
        return _open_transaction(engine)
    return "the database's write lock" if is_locked(Path(str(engine.url.database))) else ""


def is_locked(file: Path) -> bool:
    """Whether nobody else may write to this SQLite file."""
    if not file.exists():
        return False
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return True
        connection.execute("ROLLBACK")
    return False


def _open_transaction(engine: Engine) -> str:
    """A transaction that wrote, is open and does nothing: its client stands still."""
    query = text(
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%' "
        "AND backend_xid IS NOT NULL AND clock_timestamp() - state_change > make_interval(secs => :idle)"
    )
    deadline = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < deadline:
        with read(engine) as connection:  # each look is a transaction of its own: within one the answer stays the same
            found = connection.scalar(query, {"idle": BUSY_SECONDS / 2})
        if found:
            return f"a transaction after {found[:100]}"
        time.sleep(LOOK_SECONDS)
    return ""

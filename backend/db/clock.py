"""The database's clock: holds and leases expire by it, so that web processes with wrong clocks agree (design 7)."""

from sqlalchemy import ColumnElement, Connection, or_, text
from sqlalchemy.orm import InstrumentedAttribute

# Milliseconds since 1970, UTC, as SQL. julianday is exact to below a millisecond here; unixepoch('subsec') needs
# SQLite 3.42.
NOW_MS = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}
_STATEMENTS = {dialect: text(f"SELECT {expression}") for dialect, expression in NOW_MS.items()}


LONGEST_WAIT_MS = 1_800_000  # of anything put off; what is due later was put off by a clock that was ahead


def is_due(due_ms: ColumnElement[int] | InstrumentedAttribute[int], now: int) -> ColumnElement[bool]:
    """Whether something put off is due now, as SQL; also when the clock was set back since."""
    return or_(due_ms <= now, due_ms > now + LONGEST_WAIT_MS)


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970, UTC, as the database says now (not as of the transaction's start)."""
    return int(connection.execute(_STATEMENTS[connection.dialect.name]).scalar_one())

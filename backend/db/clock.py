"""The database's clock: holds and leases expire by it, so that web processes with wrong clocks agree (design 7)."""

from sqlalchemy import Connection, text

# Milliseconds since 1970, UTC, as SQL. julianday is exact to below a millisecond here; unixepoch('subsec') needs
# SQLite 3.42.
NOW_MS = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
}
_STATEMENTS = {dialect: text(f"SELECT {expression}") for dialect, expression in NOW_MS.items()}


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970, UTC, as the database says now (not as of the transaction's start)."""
    return int(connection.execute(_STATEMENTS[connection.dialect.name]).scalar_one())

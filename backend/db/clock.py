"""The database's clock: holds and leases expire by it, so that web processes with wrong clocks agree (design 7)."""

from sqlalchemy import BigInteger, Connection, cast, func, select
from sqlalchemy.sql.elements import ColumnElement


def now_ms(connection: Connection) -> int:
    """Milliseconds since 1970, UTC, as the database says now (not as of the transaction's start)."""
    return int(connection.execute(select(_expression(connection.dialect.name))).scalar_one())


def _expression(dialect: str) -> ColumnElement[int]:
    if dialect == "sqlite":
        # julianday is exact to below a millisecond here; unixepoch('subsec') needs SQLite 3.42.
        return cast((func.julianday("now") - 2440587.5) * 86400000.0, BigInteger)
    return cast(func.extract("epoch", func.clock_timestamp()) * 1000, BigInteger)

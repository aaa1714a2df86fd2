"""Several statements in one round trip: PostgreSQL's pipeline, which SQLAlchemy has no words for.

Each wait for the database gives the interpreter away, and a busy process gets it back milliseconds later: in the till a
batch of five round trips took five times that. On SQLite there is no way to go, and nothing to spare.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, TextClause
from sqlalchemy.exc import DBAPIError


@contextmanager
def round_trip(connection: Connection) -> Iterator["psycopg.Connection[Any]"]:
    """The driver's own connection; what is executed on it is sent together when the block ends.

    Raises what SQLAlchemy would raise: its `DBAPIError`s, with the pool told of a connection that is gone.
    """
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        with raw.pipeline():
            yield raw
    except psycopg.Error as error:
        gone = bool(raw.closed or raw.broken)
        told = DBAPIError.instance(
            None,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=gone,
            dialect=connection.dialect,
        )
        if gone:
            connection.invalidate(error)
        raise told from error


@lru_cache(maxsize=64)
def driver_sql(statement: TextClause, dialect: Dialect) -> str:
    """The statement as the driver takes it, its parameters by name."""
    return str(statement.compile(dialect=dialect))

"""Insert what is not there yet, alike on SQLite and PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from backend.db.tables.base import Base


def insert_missing(connection: Connection, model: type[Base], rows: Sequence[dict[str, Any]]) -> int:
    """Insert `rows` into the model's table, leaving out those that break a unique constraint. How many went in."""
    if not rows:
        return 0
    make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    inserting = make(model).values(rows).on_conflict_do_nothing()
    # Without the option, PostgreSQL's answer is not counted (-1).
    return connection.execute(inserting.execution_options(preserve_rowcount=True)).rowcount

"""Write many rows of many tables with few statements.

PostgreSQL gets everything in one statement, whose parts read their rows from JSON parameters: one round trip, one plan.
SQLite lives in our own process; there each table has a statement that is run once for each row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, TextClause, text

from backend.db.roundtrip import driver_sql, round_trip

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Insert:
    """New rows for `table`, of exactly these columns."""

    table: str
    columns: tuple[str, ...]

    @property
    def param(self) -> str:
        return f"new_{self.table}"

    @property
    def postgresql(self) -> str:
        columns = ", ".join(self.columns)
        return (
            f"INSERT INTO {self.table} ({columns}) SELECT {columns} "  # noqa: S608 - names of ours
            f"FROM json_populate_recordset(NULL::{self.table}, CAST(:{self.param} AS json))"
        )

    @property
    def sqlite(self) -> str:
        marks = ", ".join(f":{column}" for column in self.columns)
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - names of ours


@dataclass(frozen=True)
class Update:
    """Changes to rows of `table` found by `keys`. `sets`: column -> expression, in which `v.x` is the row's own x."""

    table: str
    keys: tuple[str, ...]
    sets: Mapping[str, str]
    types: Mapping[str, str]  # of every `v.x`, as PostgreSQL names them

    @property
    def param(self) -> str:
        return f"changed_{self.table}"

    @property
    def postgresql(self) -> str:
        sets = ", ".join(f"{column} = {expression}" for column, expression in self.sets.items())
        where = " AND ".join(f"{self.table}.{key} = v.{key}" for key in self.keys)
        types = ", ".join(f"{name} {kind}" for name, kind in self.types.items())
        return (
            f"UPDATE {self.table} SET {sets} "  # noqa: S608 - names of ours
            f"FROM json_to_recordset(CAST(:{self.param} AS json)) AS v({types}) WHERE {where}"
        )

    @property
    def sqlite(self) -> str:
        sets = ", ".join(f"{column} = {expression.replace('v.', ':')}" for column, expression in self.sets.items())
        where = " AND ".join(f"{key} = :{key}" for key in self.keys)
        return f"UPDATE {self.table} SET {sets} WHERE {where}"  # noqa: S608 - names of ours


@dataclass(frozen=True)
class Writer:
    """A set of inserts and updates that are made together, in this order on SQLite and at once on PostgreSQL."""

    parts: tuple[Insert | Update, ...]

    def write(self, connection: Connection, rows: Mapping[str, Rows]) -> None:
        """`rows`: by `param` of the part they belong to."""
        if connection.dialect.name == "postgresql":
            document = {part.param: _json(rows.get(part.param, ())) for part in self.parts}
            connection.execute(self._at_once, document)
            return
        for part in self.parts:
            if rows.get(part.param):
                connection.exec_driver_sql(part.sqlite, [_plain(row) for row in rows[part.param]])

    def write_and_commit(self, connection: Connection, rows: Mapping[str, Rows], written: Callable[[], None]) -> None:
        """Write, as the last of a transaction, and commit it; on PostgreSQL in one round trip.

        `written` is called between the two.
        """
        if connection.dialect.name == "postgresql":
            with round_trip(connection) as raw:
                if any(rows.values()):
                    document = {part.param: _json(rows.get(part.param, ())) for part in self.parts}
                    raw.execute(driver_sql(self._at_once, connection.dialect).encode(), document)
                written()
                raw.commit()
        else:
            self.write(connection, rows)
            written()
        connection.commit()

    @cached_property
    def _at_once(self) -> TextClause:
        parts = ", ".join(f"p{at} AS ({part.postgresql})" for at, part in enumerate(self.parts))
        return text(f"WITH {parts} SELECT 1")


def _json(rows: Rows) -> str:
    return orjson.dumps(rows, default=_hex).decode() if rows else "[]"


def _hex(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()  # how PostgreSQL reads bytes
    raise TypeError(type(value))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:  # noqa: ANN401 - what SQLite's driver takes
    match value:
        case UUID():
            return value.hex  # as SQLAlchemy's Uuid stores it where there is no such type
        case dict() | list():
            return orjson.dumps(value).decode()
        case _:
            return value

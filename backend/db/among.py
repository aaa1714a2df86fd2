"""`column IN (values)` with one statement text for any number of values, so that PostgreSQL prepares it once."""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import ColumnElement

T = TypeVar("T")


def among(connection: Connection, column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """The condition that `column` is one of `values`."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    return column.in_(values)


def parts_of(values: Sequence[T], size: int) -> list[Sequence[T]]:
    """The values in portions of at most `size`: databases limit the parameters of a statement."""
    return [values[start : start + size] for start in range(0, len(values), size)]

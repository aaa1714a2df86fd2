"""What every table has in common.

Hot paths use tables through SQLAlchemy Core (`Model.__table__`); the ORM is for cold paths. Times are integers in
milliseconds (`_ms`), money is integer minor units, addresses and hashes are raw bytes. States are short words; the
rules that move them live in `backend.domain`.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, LargeBinary, Uuid
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Common base; names every constraint so that migrations can find it again."""

    type_annotation_map = {dict[str, Any]: JSON, bytes: LargeBinary, UUID: Uuid}  # noqa: RUF012 - SQLAlchemy's API


Base.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

"""What a database's exception means to us: may we try again, is the disk full, is it away?

SQLite says so by its result code, PostgreSQL by SQLSTATE (PostgreSQL documentation, appendix A).
"""

import sqlite3
from typing import Literal

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

Failure = Literal["storage_full", "read_only", "unreachable", "conflict"]

UNWRITABLE = ("storage_full", "read_only")  # it answers and takes nothing

_STORAGE_FULL = ("53100",)
_READ_ONLY = ("25006",)  # also a standby that clients were left with
_CONFLICT = ("40001", "40P01", "55P03")  # serialization, deadlock, lock not available
_UNREACHABLE_CLASSES = ("08", "57", "53")  # connection, operator's intervention, resources


def failure_of(error: BaseException) -> Failure | None:
    """None: the statement or the data was wrong, and trying again will not help."""
    if isinstance(error, PoolTimeout):
        return "unreachable"
    if isinstance(error, sqlite3.Error):  # of a file of our own that has no engine
        return _sqlite(error)
    if not isinstance(error, DBAPIError):
        return None
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause)
    if isinstance(cause, psycopg.Error):
        return _postgresql(error, cause)
    return "unreachable" if error.connection_invalidated else None


def problem_code(failure: Failure) -> str:
    """The code by which a buyer is told (SPEC 9.4)."""
    match failure:
        case "storage_full":
            return "storage_full"
        case "read_only":
            return "storage_read_only"
        case _:
            return "database_unreachable"


def _sqlite(cause: sqlite3.Error) -> Failure | None:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the primary result code
    if code == sqlite3.SQLITE_FULL:
        return "storage_full"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "conflict"
    if code == sqlite3.SQLITE_READONLY:
        return "read_only"
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        return "unreachable"
    return None


def _postgresql(error: DBAPIError, cause: psycopg.Error) -> Failure | None:
    state = cause.sqlstate or ""
    if state in _STORAGE_FULL:
        return "storage_full"
    if state in _READ_ONLY:
        return "read_only"
    if state in _CONFLICT:
        return "conflict"
    if error.connection_invalidated or state[:2] in _UNREACHABLE_CLASSES:
        return "unreachable"
    if isinstance(cause, psycopg.OperationalError) and not state:
        return "unreachable"  # no answer from a server at all
    return None

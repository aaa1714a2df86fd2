"""Engines for SQLite and PostgreSQL, set up so that an acknowledged commit is on disk.

Promises: SQLite runs with WAL and synchronous FULL; PostgreSQL keeps the server's `synchronous_commit`. Every
transaction that may write on SQLite takes the write lock at BEGIN, so that two writers queue instead of failing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from backend.db.patience import give_patience, lock_option
from backend.db.sqlite_file import stay_on_file

BUSY_TIMEOUT_SECONDS = 30  # how long a SQLite writer waits for another
POOL_SIZE = 10  # connections kept per process
CONNECT_TIMEOUT_SECONDS = 5
POOL_WAIT_SECONDS = 5  # for a connection, while others have them all
GONE_SECONDS = 15  # a host that acknowledges nothing for so long is gone; the kernel would wait for minutes


def make_engine(
    url: str,
    *,
    ask_first: bool = True,
    safe_commits: bool = True,
    by_key: bool = False,
    patience_seconds: float | None = None,
    busy_seconds: float = BUSY_TIMEOUT_SECONDS,
) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://...` (psycopg 3).

    With `ask_first` a pooled connection is tried before it is used, which costs a round trip; the till does without,
    since it runs its batches again when a connection turns out to be dead. Without `safe_commits` a commit on
    PostgreSQL waits for no standby: for what may be lost with the primary, and must be written while that is silent.
    With `by_key` every statement finds its rows by a key, and PostgreSQL is told so: else it plans the till's by the
    size that the tables had before the rush, and reads all of them until somebody counts again. With
    `patience_seconds` nothing waits for longer for PostgreSQL's answer (backend.db.patience); with `busy_seconds`, for
    the only write lock of SQLite.
    """
    if url.startswith("sqlite"):
        engine = create_engine(
            url, hide_parameters=True, connect_args={"timeout": busy_seconds, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        stay_on_file(engine)
        return engine
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    options = [] if safe_commits else ["-c synchronous_commit=local"]
    if patience_seconds is not None:
        options.append(lock_option(patience_seconds))
    engine = create_engine(
        url,
        hide_parameters=True,  # an error is logged with its statement, never with what somebody wrote
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=ask_first,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": 1000 * GONE_SECONDS,
            **({"options": " ".join(options)} if options else {}),
        },
    )
    if patience_seconds is not None:
        give_patience(engine, patience_seconds)
    if by_key:
        event.listen(engine, "connect", _find_by_key)
    return engine


def is_missing(url: str) -> bool:
    """Whether `url` is of an embedded database whose file is not there: to connect would make an empty one."""
    database = make_url(url).database
    return url.startswith("sqlite") and bool(database) and not Path(str(database)).exists()


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection for reading: on SQLite it takes no write lock. Writing on it is an error of the caller."""
    with engine.connect().execution_options(truestub_read=True) as connection:
        yield connection


_BY_KEY = (
    *("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "enable_material = off"),
    *("plan_cache_mode = force_generic_plan", "jit = off"),
)


def _find_by_key(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    connection.execute("; ".join(f"SET {setting}" for setting in _BY_KEY))
    connection.commit()


def _prepare_sqlite(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    # SQLAlchemy, not the driver, says when a transaction begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("truestub_read", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

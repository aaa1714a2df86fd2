"""Deadlines for what PostgreSQL is asked, kept by us: a server that is stopped keeps none.

An exchange without an answer within the engine's patience ends with its connection closed; whether a commit was done is
unknown then, as after any cut. Nothing is cancelled on the server, and no `statement_timeout` is set: a commit whose
wait for the synchronous standby is cancelled reports success without being safe (PostgreSQL documentation, 27.2.8).
Only a wait for a lock is ended by the server, since that leaves nothing half done.

A commit that was given up goes on waiting on the server, and the server takes only so many connections. So once one
was, no transaction that writes begins before the server says that no commit waits any more.
"""

import time
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import TimeoutError as Silent

from backend.db.clock import now_ms
from backend.db.standby import commit_waits_since_ms

LOCK_SHARE = 0.6  # of the patience: the longest wait for a lock, so that the server ends it before we hang up
STALLED_MS = 1_000  # a commit that waits for longer waits for a standby that is silent


def lock_option(seconds: float) -> str:
    """The server's part, as an option of the connection."""
    return f"-c lock_timeout={round(1000 * LOCK_SHARE * seconds)}"


def give_patience(engine: Engine, seconds: float) -> None:
    """Let no exchange with the server take longer than `seconds`. Raises what a cut connection would."""
    given_up = _GivenUp()

    class Patient(psycopg.Connection[Any]):
        # It is in a pool, SQLAlchemy's, and says so to the driver: one that a thread still holds when the pool is given
        # up ends with that thread, and that is no leak to warn of.
        _pool = None

        def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ANN401 - as the driver says
            try:
                return super().wait(gen, interval, seconds if timeout is None else timeout)
            except psycopg.OperationalError as error:
                if error.sqlstate or self.pgconn.status != ConnStatus.OK:  # the server's own word, or a cut
                    raise
                self.pgconn.finish()
                given_up.last = time.monotonic()
                raise psycopg.OperationalError(f"no answer within {seconds:g} s") from error

    def connect(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> psycopg.Connection[Any]:  # noqa: ANN401 - SQLAlchemy's own types
        return Patient.connect(*arguments, **named)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", given_up.look)


class _GivenUp:
    """Whether an exchange was given up, and a commit may still wait on the server."""

    def __init__(self) -> None:
        self.last: float | None = None  # when, by the monotonic clock

    def look(self, connection: Connection) -> None:
        """Before a transaction: refuse one that writes while commits wait."""
        last = self.last
        if last is None or connection.get_execution_options().get("truestub_read", False):
            return
        since = commit_waits_since_ms(connection)
        if since is not None and now_ms(connection) - since > STALLED_MS:
            raise Silent("commits wait for the standby")
        if time.monotonic() - last > 2 * STALLED_MS / 1000:  # a younger wait may still be one that was given up
            self.last = None

"""One leader by name, by the database's clock, with a fencing number (design 8).

A leader that stalls, loses its lease to another and wakes again must write nothing: every transaction it commits first
calls `require_held`, which locks the lease's row and compares the fencing number. Both databases behave alike:
PostgreSQL by the row's lock, SQLite because a writing transaction is alone.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.db.clock import now_ms
from backend.db.tables.chain import Lease

LONGEST_LEASE_MS = 900_000  # one that runs longer was written by a clock that was ahead, and holds nobody out
LEASE_SECONDS = 10  # a leader that says nothing for so long is taken to be gone


@dataclass(frozen=True, slots=True)
class HeldLease:
    """Proof of leadership, valid while the row's fence is this one."""

    name: str
    holder: str
    fence: int


class LeaseLostError(Exception):
    """Another process leads now; nothing of this transaction may be committed."""


def take(engine: Engine, name: str, holder: str, seconds: int = LEASE_SECONDS) -> HeldLease | None:
    """Take or prolong the lease for `holder` (unique to this run of a process); None while another has it."""
    try:
        with engine.begin() as connection:
            return _take(connection, name, holder, seconds * 1000)
    except IntegrityError:
        return None  # another process inserted the row in this very moment


def release(engine: Engine, held: HeldLease) -> None:
    """Give the lease up at once, so that a successor need not wait; harmless if it is lost already."""
    mine = (Lease.name == held.name) & (Lease.fence == held.fence) & (Lease.holder == held.holder)
    with engine.begin() as connection:
        connection.execute(update(Lease).where(mine).values(expires_ms=0))


def require_held(connection: Connection, held: HeldLease) -> None:
    """Raise `LeaseLostError` unless `held` is in force; if it is, it stays so until this transaction ends."""
    row = connection.execute(
        select(Lease.holder, Lease.fence).where(Lease.name == held.name).with_for_update()
    ).one_or_none()
    if row is None or (row.holder, row.fence) != (held.holder, held.fence):
        raise LeaseLostError(held.name)


def _take(connection: Connection, name: str, holder: str, span_ms: int) -> HeldLease | None:
    row = connection.execute(select(Lease).where(Lease.name == name).with_for_update()).one_or_none()
    now = now_ms(connection)
    if row is None:
        connection.execute(insert(Lease).values(name=name, holder=holder, fence=1, expires_ms=now + span_ms))
        return HeldLease(name, holder, 1)
    if row.holder == holder and row.expires_ms > 0:
        fence = row.fence
    elif row.expires_ms <= now or row.expires_ms > now + LONGEST_LEASE_MS:
        fence = row.fence + 1
    else:
        return None
    connection.execute(
        update(Lease).where(Lease.name == name).values(holder=holder, fence=fence, expires_ms=now + span_ms)
    )
    return HeldLease(name, holder, fence)

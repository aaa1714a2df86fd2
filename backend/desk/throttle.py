"""How long to wait after failed sign-ins: a pure rule, and its rows. An attempt is counted before it is judged."""

from hashlib import blake2b

from sqlalchemy import Connection, select, update

from backend.db.tables.desk import DeskAttempts
from backend.db.upsert import insert_missing

FREE_ATTEMPTS = 5  # by one name
FREE_ATTEMPTS_BY_ADDRESS = 20  # several people may share one
LONGEST_WAIT_SECONDS = 60  # so that nobody can lock others out for long
FORGET_SECONDS = 3600  # after this pause the count begins anew


def wait_seconds(count: int, since_last_seconds: float, free: int) -> int:
    """Seconds until the next attempt is allowed, after `count` failures of which the last is so long ago."""
    if count < free or since_last_seconds >= FORGET_SECONDS:
        return 0
    pause = min(1 << min(count - free, 10), LONGEST_WAIT_SECONDS)
    return max(0, round(pause - since_last_seconds + 0.5))


def attempt(connection: Connection, secret: bytes, kind: str, who: str, free: int, now_ms: int) -> int:
    """Count an attempt and give 0, or give the seconds to wait and count nothing."""
    key = _key(secret, kind, who)
    insert_missing(connection, DeskAttempts, [{"key": key, "count": 0, "last_ms": 0}])
    query = (
        select(DeskAttempts.count.label("failures"), DeskAttempts.last_ms)
        .where(DeskAttempts.key == key)
        .with_for_update()
    )
    row = connection.execute(query).one()
    passed = (now_ms - row.last_ms) / 1000
    if wait := wait_seconds(row.failures, passed, free):
        return wait
    count = 1 if passed >= FORGET_SECONDS else row.failures + 1
    connection.execute(update(DeskAttempts).where(DeskAttempts.key == key).values(count=count, last_ms=now_ms))
    return 0


def forgive(connection: Connection, secret: bytes, kind: str, who: str) -> None:
    """Begin anew after a success."""
    # The row stays: an attempt at the same moment may wait for its lock, and must find it there.
    ours = update(DeskAttempts).where(DeskAttempts.key == _key(secret, kind, who))
    connection.execute(ours.values(count=0, last_ms=0))


def _key(secret: bytes, kind: str, who: str) -> bytes:
    return blake2b(f"{kind}\0{who}".encode(), key=secret, person=b"desk attempts", digest_size=32).digest()

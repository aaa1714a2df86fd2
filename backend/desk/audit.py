"""The audit log: what was done at the desk, by whom. Append-only rows, chained by keyed hashes.

Promises: numbers have no gaps; a row that was altered, removed or put in between breaks the chain at that number. Who
takes rows off the end is found by whoever wrote down an earlier head (`truestub desk audit --verify` prints it).
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, insert, select, text

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.desk import AuditEntry
from backend.privacy.sealing import derived_key

COMMAND_LINE = "command line"
_START = bytes(32)
_READ_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: write it down to find out later whether the log was cut."""

    number: int
    seal: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was written. `why`: missing | altered | cut."""

    number: int
    why: str


def append(connection: Connection, secret: bytes, actor: str, action: str, about: str, **detail: Any) -> None:  # noqa: ANN401 - JSON values
    """Add an entry in the caller's transaction; writers take turns until it ends. `detail` is never personal."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit_log IN EXCLUSIVE MODE"))
    query = select(AuditEntry.number, AuditEntry.seal).order_by(AuditEntry.number.desc()).limit(1)
    last = connection.execute(query).one_or_none()
    entry: dict[str, Any] = {
        "number": last.number + 1 if last else 1,
        "at_ms": now_ms(connection),
        "actor": actor,
        "action": action,
        "about": about,
        "detail": orjson.dumps(detail, option=orjson.OPT_SORT_KEYS).decode(),
    }
    entry["seal"] = _seal(derived_key(secret, "audit-log"), last.seal if last else _START, entry)
    connection.execute(insert(AuditEntry).values(entry))


def note(engine: Engine, secret: bytes, actor: str, action: str, about: str, **detail: Any) -> None:  # noqa: ANN401 - JSON values
    """`append` in a transaction of its own: before the act it tells of, so that nothing is done unseen."""
    with engine.begin() as connection:
        append(connection, secret, actor, action, about, **detail)


def verify(engine: Engine, secret: bytes, earlier: Head | None = None) -> Head | Broken:
    """Walk the chain from its start; with `earlier`, that head must still be in it."""
    key, seal, number = derived_key(secret, "audit-log"), _START, 0
    for row in _rows(engine):
        number += 1
        if row["number"] != number:
            return Broken(number, "missing")
        wanted = _seal(key, seal, row)
        if not hmac.compare_digest(wanted, row["seal"]):
            return Broken(number, "altered")
        seal = wanted
        if earlier is not None and number == earlier.number and not hmac.compare_digest(seal, earlier.seal):
            return Broken(number, "altered")
    if earlier is not None and number < earlier.number:
        return Broken(number + 1, "cut")
    return Head(number, seal)


def latest(engine: Engine, before: int | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Entries, the newest first; `before` a number."""
    query = select(AuditEntry.__table__).order_by(AuditEntry.number.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.number < before)
    with read(engine) as connection:
        rows = connection.execute(query).mappings().all()
    return [{**row, "detail": orjson.loads(row["detail"])} for row in rows]


def _rows(engine: Engine) -> Iterator[dict[str, Any]]:
    after = 0
    while True:
        query = select(AuditEntry.__table__).where(AuditEntry.number > after).order_by(AuditEntry.number)
        with read(engine) as connection:
            rows = connection.execute(query.limit(_READ_AT_ONCE)).mappings().all()
        if not rows:
            return
        yield from (dict(row) for row in rows)
        after = rows[-1]["number"]


def _seal(key: bytes, before: bytes, entry: dict[str, Any]) -> bytes:
    told = [entry[name] for name in ("number", "at_ms", "actor", "action", "about", "detail")]
    return hmac.digest(key, before + orjson.dumps(told), "sha256")

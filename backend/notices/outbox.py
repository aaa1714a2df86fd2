"""What must be sent, as outbox rows, and the worker's rounds that send it.

The transaction that writes an incident's note writes one row for it; the worker spreads that row over the subscribers,
some at a time, and then sends each. A key of note and subscriber keeps anybody from being told twice by us; what the
way there does twice is recognised by the letter's id. Failures are tried again for about two hours, then given up.
"""

import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, update

from backend.db.clock import is_due, now_ms
from backend.db.engine import read
from backend.db.tables.orders import Outbox
from backend.db.tables.telling import Subscriber
from backend.db.upsert import insert_missing
from backend.killpoints import reach

SPREAD, SEND, CONFIRM, ALERT = "notice.spread", "notice.send", "notice.confirm", "notice.alert"
OF_INCIDENTS = (ALERT, SEND)
SPREAD_AT_ONCE = 500  # subscribers in one transaction
SEND_AT_ONCE = 256
REPEATS_AT_ONCE = 8  # of these, what failed before: whoever hangs again holds up a round, and few of its threads
THREADS = 24  # a server that is far away answers each in a second or so
FIRST_PAUSE_MS = 2_000  # doubles with each attempt
LONGEST_PAUSE_MS = 600_000
MAX_ATTEMPTS = 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to send."""

    id: int
    topic: str
    payload: dict[str, Any]
    attempts: int


class NotSentError(Exception):
    """It must be tried again; `reason` is fit for a log: no address in it."""


Sender = Callable[[Item], None]


def enqueue(connection: Connection, notes: list[int]) -> None:
    """Have people told of these notes of incidents; in the transaction that wrote them."""
    now = now_ms(connection) if notes else 0
    for topic in (SPREAD, ALERT):
        insert_missing(connection, Outbox, [_row(topic, f"{topic}:{note}", {"note": note}, now) for note in notes])


def note_told(connection: Connection, note: int, told: Collection[UUID]) -> None:
    """These subscribers know of the note already: nothing is sent to them for it."""
    now = now_ms(connection) if told else 0
    rows = [
        {**_row(SEND, f"{SEND}:{note}:{one.hex}", {"note": note, "subscriber": one.hex}, now), "state": "done"}
        for one in sorted(told)
    ]
    for start in range(0, len(rows), SPREAD_AT_ONCE):
        insert_missing(connection, Outbox, rows[start : start + SPREAD_AT_ONCE])


def enqueue_confirmation(connection: Connection, subscriber: UUID) -> None:
    """Have the owner of an address asked."""
    now = now_ms(connection)
    row = _row(CONFIRM, f"{CONFIRM}:{subscriber.hex}:{now // 60_000}", {"subscriber": subscriber.hex}, now)
    insert_missing(connection, Outbox, [row])


def spread(engine: Engine, since_ms: int = 0) -> int:
    """Turn a note's row into one for each confirmed subscriber, some at a time; how many were made.

    `since_ms`: leave alone what was written before.
    """
    with engine.begin() as connection:
        row = connection.execute(
            select(Outbox.id, Outbox.payload)
            .where(Outbox.topic == SPREAD, Outbox.state == "waiting", Outbox.created_ms >= since_ms)
            .order_by(Outbox.id)
            .limit(1)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return 0
        now = now_ms(connection)
        query = select(Subscriber.id).where(Subscriber.state == "confirmed").order_by(Subscriber.id)
        if "after" in row.payload:
            query = query.where(Subscriber.id > UUID(row.payload["after"]))
        who = connection.scalars(query.limit(SPREAD_AT_ONCE)).all()
        note = row.payload["note"]
        rows = [_row(SEND, f"{SEND}:{note}:{one.hex}", {"note": note, "subscriber": one.hex}, now) for one in who]
        insert_missing(connection, Outbox, rows)
        done = len(who) < SPREAD_AT_ONCE
        values = {"state": "done"} if done else {"payload": {"note": note, "after": who[-1].hex}}
        connection.execute(update(Outbox).where(Outbox.id == row.id).values(**values))
    return len(who) + 1


def send_due(engine: Engine, send: Sender, topics: Collection[str], since_ms: int = 0) -> int:
    """Send what is due of these topics and was written since then, little of it for a second time; how many left.

    What must not wait for one another is sent in calls of its own. Several workers may do so: a letter's id makes a
    repeat harmless.
    """
    with read(engine) as connection:
        waiting = (
            select(Outbox.id, Outbox.topic, Outbox.payload, Outbox.attempts)
            .where(Outbox.topic.in_(topics), Outbox.state == "waiting", Outbox.created_ms >= since_ms)
            .where(is_due(Outbox.due_ms, now_ms(connection)))
            .order_by(Outbox.due_ms)
        )
        due = [
            *connection.execute(waiting.where(Outbox.attempts == 0).limit(SEND_AT_ONCE)),
            *connection.execute(waiting.where(Outbox.attempts > 0).limit(REPEATS_AT_ONCE)),
        ]
    if not due:
        return 0
    with ThreadPoolExecutor(THREADS) as threads:
        return sum(threads.map(lambda row: _send(engine, send, row), due))


def _send(engine: Engine, send: Sender, row: Row[Any]) -> bool:
    try:
        send(Item(row.id, row.topic, row.payload, row.attempts))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other letters go on
        reason = str(error) if isinstance(error, NotSentError) else type(error).__name__
        _log.warning("notice %d: %s, attempt %d", row.id, reason, row.attempts + 1)
        _put_off(engine, row, reason)
        return False
    reach("notice.sent")
    with engine.begin() as connection:
        connection.execute(update(Outbox).where(Outbox.id == row.id).values(state="done", attempts=row.attempts + 1))
    return True


def _put_off(engine: Engine, row: Row[Any], reason: str) -> None:
    attempts = row.attempts + 1
    pause = min(FIRST_PAUSE_MS << min(row.attempts, 20), LONGEST_PAUSE_MS)
    with engine.begin() as connection:
        values = {
            "attempts": attempts,
            "due_ms": now_ms(connection) + pause,
            "error": reason[:200],
            "state": "failed" if attempts >= MAX_ATTEMPTS else "waiting",
        }
        connection.execute(update(Outbox).where(Outbox.id == row.id, Outbox.state == "waiting").values(**values))


def _row(topic: str, key: str, payload: dict[str, Any], now: int) -> dict[str, Any]:
    return {
        "topic": topic,
        "key": key,
        "payload": payload,
        "state": "waiting",
        "attempts": 0,
        "due_ms": now,
        "created_ms": now,
    }

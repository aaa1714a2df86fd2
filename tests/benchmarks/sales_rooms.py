"""The waiting room in `make bench-sales`: 100,000 people in it, and how fast they may ask after their places.

The people are real places, taken by the room's own code and kept by "their phones" in this process; the server keeps a
count. So its memory is measured after all of them have come.
"""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, insert, select, update

from backend.db.tables.events import Event, WaitingRoom
from backend.sales.installation import installation_secret
from backend.waiting_room.rules import NONCE_BYTES, SEED_BYTES, Phase, Place
from backend.waiting_room.tokens import place_token
from tests.support.installation import Installation
from tests.support.load import Conversation, get, post

PEOPLE = 100_000
JOINING = 2_000  # of them come over HTTP, one by one; the rest are counted as they were
RATE_PER_MINUTE = 60
HOUR_MS = 3_600_000


def open_room(engine: Engine, slug: str) -> None:
    """A room whose sale began a moment ago."""
    now = int(time.time() * 1000)
    with engine.begin() as connection:
        event = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one()
        row = {
            "event_id": event,
            "opens_ms": now - HOUR_MS,
            "starts_ms": now,
            "rate_per_minute": RATE_PER_MINUTE,
            "seed": secrets.token_bytes(SEED_BYTES),
            "early_count": 0,
            "late_count": 0,
        }
        connection.execute(insert(WaitingRoom).values(row))


def fill_room(shop: Installation, engine: Engine, slug: str) -> list[str]:
    """The places of those who came before the start."""
    secret = installation_secret(Path(shop.environ["TRUESTUB_DATA_DIR"]) / "keys")
    with engine.begin() as connection:
        event = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one()
        connection.execute(update(WaitingRoom).where(WaitingRoom.event_id == event).values(early_count=PEOPLE))
    return [
        place_token(secret, Place(event, Phase.EARLY, number, secrets.token_bytes(NONCE_BYTES)))
        for number in range(PEOPLE)
    ]


def comers(slug: str) -> Callable[[int], Conversation]:
    """People who take a place."""
    left = iter(range(JOINING))
    request = post(f"/api/v1/events/{slug}/waiting-room", b"")

    def talk(_number: int) -> Conversation:
        for _one in left:
            status, answer = yield request
            if status != 201:
                raise AssertionError(f"join: {status} {answer[:300]!r}")

    return talk


def askers(slug: str, places: list[str], seconds: float) -> Callable[[int], Conversation]:
    """Everybody in turn, each with their own place."""
    deadline = time.perf_counter() + seconds
    turns = iter(places * 10)

    def talk(_number: int) -> Conversation:
        while time.perf_counter() < deadline:
            status, answer = yield get(f"/api/v1/events/{slug}/waiting-room", f"Waiting-Place: {next(turns)}\r\n")
            if status != 200:
                raise AssertionError(f"poll: {status} {answer[:300]!r}")

    return talk

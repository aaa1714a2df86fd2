"""Who may go on to the till, and when: pure rules over a room, a place and the time.

- Who came before the start is drawn: the nonce in the place, hashed with a seed that nobody has seen before the start,
  gives a fraction in [0, 1), and the fraction of the crowd that is ahead. Coming earlier is of no use. Coming again
  is another draw; how many an address may have is limited where it asks (`places_per_hour`, backend.web.visitors).
- Who came after the start stands behind all of them, in order of arrival.
- From the start on, `rate_per_minute` places become free to enter. A place that is not used is lost after
  `ENTRY_MINUTES`; the next in line do not wait for it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

ENTRY_MINUTES = 10  # how long a place may be used once its turn has come
NONCE_BYTES = 16
SEED_BYTES = 32
MAX_RATE_PER_MINUTE = 100_000
_FRACTION_BITS = 64


class Phase(StrEnum):
    """When a visitor came."""

    EARLY = "early"  # before the start: takes part in the draw
    LATE = "late"  # after it: in order of arrival


@dataclass(frozen=True, slots=True)
class Room:
    """A room as the database has it. Times are Unix milliseconds; `early_count` is final once the start has come."""

    event_id: UUID
    opens_ms: int
    starts_ms: int
    rate_per_minute: int
    seed: bytes  # 32 random bytes, secret until the start
    early_count: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a visitor's token says. `number` counts arrivals of a phase from 0."""

    event_id: UUID
    phase: Phase
    number: int
    nonce: bytes  # 16, makes the draw


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a visitor stands. `ahead` people are before them; None before the draw."""

    state: str  # too_early | waiting | enter | missed
    ahead: int | None
    wait_seconds: int  # estimate until `enter`; 0 when it is their turn


def phase_at(room: Room, now_ms: int) -> Phase | None:
    """The phase a visitor who comes now belongs to; None before the room opens."""
    if now_ms < room.opens_ms:
        return None
    return Phase.EARLY if now_ms < room.starts_ms else Phase.LATE


def arrive(room: Room, late_count: int, now_ms: int) -> tuple[Phase, int] | None:
    """The phase of people who come now, and the number of the first; none before the room opens.

    Who comes when the line is short stands at its end, not at a place whose turn has gone by.
    """
    phase = phase_at(room, now_ms)
    if phase is None:
        return None
    if phase is Phase.EARLY:
        return phase, room.early_count
    gone_by = (now_ms - room.starts_ms) * room.rate_per_minute // 60_000 - room.early_count
    return Phase.LATE, max(late_count, gone_by)


def moved_opening(opens_ms: int, starts_ms: int, new_starts_ms: int, now_ms: int, wanted_ms: int | None) -> int:
    """When a room opens whose sale starts at another time. One that is open stays so: nobody in it loses their place.

    `wanted_ms` none: as long before the start as it would have.
    """
    if opens_ms <= now_ms:
        return opens_ms
    return wanted_ms if wanted_ms is not None else opens_ms + new_starts_ms - starts_ms


def pass_ends_ms(room: Room, place: Place) -> int:
    """Until when a place may be used once its turn has come."""
    return room.starts_ms + rank_of(room, place) * 60_000 // room.rate_per_minute + ENTRY_MINUTES * 60_000


def turn_of(room: Room, place: Place, now_ms: int) -> Turn:
    """Where the holder of `place` stands at `now_ms`."""
    if now_ms < room.starts_ms:
        return Turn("too_early", None, -((now_ms - room.starts_ms) // 1000))
    rank = rank_of(room, place)
    due_ms = room.starts_ms + rank * 60_000 // room.rate_per_minute
    if now_ms < due_ms:
        entered = (now_ms - room.starts_ms) * room.rate_per_minute // 60_000
        return Turn("waiting", max(0, rank - entered), -((now_ms - due_ms) // 1000))
    if now_ms >= due_ms + ENTRY_MINUTES * 60_000:
        return Turn("missed", 0, 0)
    return Turn("enter", 0, 0)


def rank_of(room: Room, place: Place) -> int:
    """How many stand before this place, counted from the start. Meaningful once the start has come."""
    if place.phase is Phase.LATE:
        return room.early_count + place.number
    return room.early_count * _draw(room.seed, place) >> _FRACTION_BITS


def _draw(seed: bytes, place: Place) -> int:
    """A fraction of 2^64, fixed by seed and place: nobody can choose it, or know it before the start."""
    message = place.event_id.bytes + place.number.to_bytes(8) + place.nonce
    return int.from_bytes(hmac.digest(seed, message, hashlib.sha256)[: _FRACTION_BITS // 8])

"""Places given and asked after: rooms remembered for a second, arrivals counted in groups, no write for a poll.

Any web process answers any poll from the token and what it remembers of the room; a restart forgets nobody. People who
come at the same moment share one write: one of their threads counts all who wait.
"""

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import WaitingRoom
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.waiting_room.rules import NONCE_BYTES, Phase, Place, Room, Turn, arrive, pass_ends_ms, turn_of
from backend.waiting_room.tokens import Pass, pass_token, place_token, read_pass, read_place

REMEMBER_SECONDS = 1.0  # how old a process's knowledge of a room may be
JOIN_SECONDS = 10.0  # how long somebody waits for a number


@dataclass(frozen=True, slots=True)
class Standing:
    """What a visitor is told. `place` is theirs to keep; `leave` opens the till while `turn.state` is enter."""

    place: str
    turn: Turn
    leave: str | None
    starts_ms: int


@dataclass
class _Comers:
    """People of one room who wait for their numbers together."""

    waiting: int = 0
    numbers: tuple[Phase, int] | None = None
    error: Exception | None = None
    counted: threading.Event = field(default_factory=threading.Event)


class Desk:
    """The waiting rooms of this process."""

    def __init__(self, engine: Engine, secret: bytes) -> None:
        self._engine = engine
        self._secret = secret
        self._lock = threading.Lock()  # of `_comers`
        self._comers: dict[UUID, _Comers] = {}
        self._turns: dict[UUID, threading.Lock] = {}  # one write at a time for a room
        self._rooms: dict[UUID, tuple[Room | None, float, int]] = {}  # room, monotonic seconds, clock's lead

    def room(self, event_id: UUID) -> tuple[Room, int] | None:
        """The event's room and the database's time; none if the event has none."""
        known = self._remembered(event_id)
        if known is None:
            now = time.monotonic()
            with read(self._engine) as connection:
                room, at = _read(connection, event_id), now_ms(connection)
            known = (room, now, at)
            self._rooms[event_id] = known
        room, seen, at = known
        return (room, at + int(1000 * (time.monotonic() - seen))) if room is not None else None

    def remembers(self, event_id: UUID) -> bool:
        """Whether `room` would answer from memory now."""
        return self._remembered(event_id) is not None

    def _remembered(self, event_id: UUID) -> tuple[Room | None, float, int] | None:
        known, now = self._rooms.get(event_id), time.monotonic()
        fresh = known is not None and now - known[1] <= REMEMBER_SECONDS and not _began(known, now)
        return known if fresh else None

    def join(self, event_id: UUID) -> Standing:
        """A new place. Raises `Refused` if there is no room, or it is not open yet."""
        self._open_room(event_id)
        phase, number = self._number(event_id)
        place = Place(event_id, phase, number, secrets.token_bytes(NONCE_BYTES))
        return self._standing(*self._open_room(event_id), place)

    def stand(self, event_id: UUID, token: str) -> Standing:
        """How the holder of a place stands. Raises `Refused` for what is no place of this room."""
        place = read_place(self._secret, token)
        if place is None or place.event_id != event_id:
            raise refuse("unknown_place", _("This is no place in this waiting room; join it again"))
        return self._standing(*self._open_room(event_id), place)

    def require_pass(self, event_id: UUID, token: str | None) -> bytes | None:
        """The pass's nonce, which the till lets be used for one order; none where nobody has to wait.

        Refuses who comes to the till past the room (`waiting_room`). Before the start the till itself refuses.
        """
        found = self.room(event_id)
        if found is None:
            return None
        room, now = found
        if now < room.starts_ms:
            return None
        leave = read_pass(self._secret, token) if token is not None else None
        if leave is None or leave.event_id != event_id:
            raise refuse("waiting_room", _("Many want these tickets; take a place in the waiting room first"))
        if now >= leave.expires_ms:
            raise refuse("pass_expired", _("Your turn is over; take another place in the waiting room"))
        return leave.nonce

    def _open_room(self, event_id: UUID) -> tuple[Room, int]:
        found = self.room(event_id)
        if found is None:
            raise refuse("no_waiting_room", _("This event has no waiting room; order directly"))
        return found

    def _standing(self, room: Room, now: int, place: Place) -> Standing:
        turn = turn_of(room, place, now)
        leave = None
        if turn.state == "enter":
            leave = pass_token(self._secret, Pass(place.event_id, pass_ends_ms(room, place), place.nonce))
        return Standing(place_token(self._secret, place), turn, leave, room.starts_ms)

    def _number(self, event_id: UUID) -> tuple[Phase, int]:
        """A number of one's own, counted together with whoever comes at the same time."""
        with self._lock:
            mine = self._comers.setdefault(event_id, _Comers())
            offset = mine.waiting
            mine.waiting += 1
            turn = self._turns.setdefault(event_id, threading.Lock())
        if offset == 0:  # the first counts for all who come while it waits for the write before
            with turn:
                with self._lock:
                    del self._comers[event_id]
                self._count(event_id, mine)
        if not mine.counted.wait(JOIN_SECONDS):
            raise refuse("too_busy", "")
        if mine.error is not None:
            raise mine.error
        if mine.numbers is None:
            raise refuse("waiting_room_closed", _("The waiting room is not open yet; come back a little later"))
        phase, first = mine.numbers
        return phase, first + offset

    def _count(self, event_id: UUID, comers: _Comers) -> None:
        try:
            with self._engine.begin() as connection:
                comers.numbers = _arrived(connection, event_id, comers.waiting)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must hear of it
            comers.error = error
        finally:
            comers.counted.set()


def _began(known: tuple[Room | None, float, int], now: float) -> bool:
    """Whether the sale began since the room was looked at: only now is the count of the early final."""
    room, seen, at = known
    return room is not None and at < room.starts_ms <= at + int(1000 * (now - seen))


def _arrived(connection: Connection, event_id: UUID, comers: int) -> tuple[Phase, int] | None:
    mine = WaitingRoom.event_id == event_id
    row = connection.execute(select(WaitingRoom).where(mine).with_for_update()).one()
    found = arrive(_room(row), row.late_count, now_ms(connection))
    if found is not None:
        phase, first = found
        count = {"early_count" if phase is Phase.EARLY else "late_count": first + comers}
        connection.execute(update(WaitingRoom).where(mine).values(count))
    return found


def _read(connection: Connection, event_id: UUID) -> Room | None:
    row = connection.execute(select(WaitingRoom).where(WaitingRoom.event_id == event_id)).one_or_none()
    return _room(row) if row is not None else None


def _room(row: Row[Any]) -> Room:
    return Room(row.event_id, row.opens_ms, row.starts_ms, row.rate_per_minute, row.seed, row.early_count)

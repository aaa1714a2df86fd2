"""What one process remembers of an event's seats: the plan, which never changes, and which seats are free.

The map is a memory and may lag behind other processes. So every seat that a batch decides on is looked up under the
event's lock: those named by buyers before the decision, those chosen from the map after it.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import Connection, select

from backend.db.among import among
from backend.db.tables.events import Seat, SeatClaim
from backend.domain.seating import FREE, TAKEN, SeatLayout, make_layout
from backend.domain.selling.facts import NO_SEATS, SeatFacts
from backend.domain.selling.outcomes import Changes


class SeatMemory:
    """The seats of one event, for one thread."""

    def __init__(self, event_id: UUID) -> None:
        self._event_id = event_id
        self._layout: SeatLayout | None = None
        self._free: dict[int, bytearray] = {}

    def load(self, connection: Connection) -> None:
        """Read the plan once, and what is free anew."""
        if self._layout is None:
            query = select(Seat.number, Seat.class_number, Seat.label).where(Seat.event_id == self._event_id)
            rows = connection.execute(query.order_by(Seat.number)).all()
            self._layout = make_layout((row.number, row.class_number, row.label) for row in rows)
        self._free = self._layout.all_free()
        claims = select(SeatClaim.seat_number).where(SeatClaim.event_id == self._event_id)
        self._mark(connection.execute(claims).scalars(), TAKEN)

    def facts(self, connection: Connection, labels: Iterable[str], numbers: Collection[int]) -> SeatFacts:
        """The map, exact for the named seats."""
        if not self._free:
            self.load(connection)
        layout = self._known()
        named = {layout.by_label[label] for label in labels if label in layout.by_label}
        named.update(number for number in numbers if number in layout.places)
        self._mark(named, FREE)
        self._mark(claimants(connection, self._event_id, named), TAKEN)
        return SeatFacts(layout, self._free)

    def learn_taken(self, numbers: Iterable[int]) -> None:
        self._mark(numbers, TAKEN)

    def apply(self, changes: Changes) -> None:
        """Remember what was committed."""
        if self._free:
            self._mark(changes.freed, FREE)
            self._mark(changes.claimed, TAKEN)

    def forget(self) -> None:
        """The map can't be trusted any more: read it again when it is needed."""
        self._free = {}

    def _mark(self, numbers: Iterable[int], value: int) -> None:
        places = self._known().places
        for number in numbers:
            class_number, place = places[number]
            self._free[class_number][place] = value

    def _known(self) -> SeatLayout:
        if self._layout is None:
            raise AssertionError("facts() loads the plan first")
        return self._layout


def claimants(connection: Connection, event_id: UUID, numbers: Collection[int]) -> dict[int, UUID]:
    """Who holds or owns which of the seats; seats that are free are left out."""
    if not numbers:
        return {}
    query = select(SeatClaim.seat_number, SeatClaim.order_id).where(
        SeatClaim.event_id == event_id, among(connection, SeatClaim.seat_number, numbers)
    )
    return {row.seat_number: row.order_id for row in connection.execute(query)}


def few_seats(connection: Connection, event_id: UUID, numbers: Collection[int]) -> SeatFacts:
    """Facts about these seats alone, for batches that choose no others."""
    if not numbers:
        return NO_SEATS
    query = select(Seat.number, Seat.class_number, Seat.label).where(
        Seat.event_id == event_id, among(connection, Seat.number, numbers)
    )
    rows = connection.execute(query.order_by(Seat.number)).all()
    layout = make_layout((row.number, row.class_number, row.label) for row in rows)
    free = layout.all_free()
    for number in claimants(connection, event_id, numbers):
        class_number, place = layout.places[number]
        free[class_number][place] = TAKEN
    return SeatFacts(layout, free)

"""The working copy of the facts that a batch's requests change one after the other."""

from dataclasses import replace
from uuid import UUID

from backend.domain.seating import FREE, TAKEN, best_seats
from backend.domain.selling.facts import ClassFacts, Facts, KeyFacts, OrderFacts, PaymentFacts, places_of
from backend.domain.selling.outcomes import Changes, NewTicket, PaymentChange


class Book:
    """Facts as of the request being decided, and the changes so far. Knows how to count, not what is allowed."""

    def __init__(self, facts: Facts, now_ms: int) -> None:
        self.event = facts.event
        self.now_ms = now_ms
        self.orders: dict[UUID, OrderFacts] = dict(facts.orders)
        self.payments: dict[UUID, PaymentFacts] = dict(facts.payments)
        self.keys: dict[tuple[str, str], KeyFacts] = dict(facts.keys)
        self.by_code: dict[str, ClassFacts] = {one.code: one for one in facts.event.classes}
        self.changes = Changes()
        self.codes = dict(facts.codes)
        self.owned = dict(facts.owned)
        self.passes = dict(facts.passes)
        self.marked = {mark: dict(orders) for mark, orders in facts.marked.items()}
        self._left = {one.number: one.capacity - one.held - one.sold for one in facts.event.classes}
        self._seats = facts.seats
        self._free: dict[int, bytearray] = {}  # copied when first changed

    # --- stock ------------------------------------------------------------------------------------------------

    def left(self, class_number: int) -> int:
        return self._left[class_number]

    def count(self, class_number: int, held: int, sold: int) -> None:
        """Add to what is held and sold."""
        self._left[class_number] -= held + sold
        before = self.changes.stock.get(class_number, (0, 0))
        self.changes.stock[class_number] = (before[0] + held, before[1] + sold)

    # --- seats ------------------------------------------------------------------------------------------------

    def seat_number(self, label: str) -> int | None:
        return self._seats.layout.by_label.get(label)

    def seat_label(self, number: int) -> str:
        return self._seats.layout.labels[number]

    def class_of_seat(self, number: int) -> int:
        return self._seats.layout.places[number][0]

    def is_free(self, number: int) -> bool:
        class_number, place = self._seats.layout.places[number]
        return self._map(class_number)[place] == FREE

    def best_seats(self, class_number: int, count: int, reserved: set[int]) -> tuple[int, ...] | None:
        """The best free seats but the reserved ones; none if the map has too few."""
        if class_number not in self._seats.layout.blocks:
            return None
        free = bytearray(self._map(class_number))
        for number in reserved:
            owner, place = self._seats.layout.places[number]
            if owner == class_number:
                free[place] = TAKEN
        return best_seats(self._seats.layout.blocks[class_number], free, count)

    def claim(self, seats: tuple[int, ...], order_id: UUID) -> None:
        for number in seats:
            self._mark(number, TAKEN)
            self.changes.claimed[number] = order_id

    def free(self, seats: tuple[int, ...], order_id: UUID) -> None:
        for number in seats:
            self._mark(number, FREE)
            if self.changes.claimed.pop(number, None) is None:
                self.changes.freed[number] = order_id

    def _mark(self, number: int, value: int) -> None:
        class_number, place = self._seats.layout.places[number]
        self._map(class_number)[place] = value

    def _map(self, class_number: int) -> bytearray:
        if class_number not in self._free:
            self._free[class_number] = bytearray(self._seats.free[class_number])
        return self._free[class_number]

    # --- codes ------------------------------------------------------------------------------------------------

    def use_code(self, digest: bytes | None, more: int) -> None:
        """Count a use, or give one back."""
        code = self.codes.get(digest) if digest is not None else None
        if digest is None or code is None:
            return
        if code.left is not None:
            self.codes[digest] = replace(code, left=code.left - more)
        self.changes.codes[digest] = self.changes.codes.get(digest, 0) + more

    # --- orders and payments ----------------------------------------------------------------------------------

    def set_order(self, order: OrderFacts, state: str) -> None:
        self.orders[order.id] = replace(order, state=state)
        self.changes.orders[order.id] = state

    def end_hold(self, order: OrderFacts, state: str) -> None:
        """Give back what a held order keeps."""
        for line in order.lines:
            self.count(line.class_number, held=-line.quantity, sold=0)
            self.free(line.seats, order.id)
        self.use_code(order.code, -1)
        self.set_order(order, state)

    def set_payment(
        self, payment: PaymentFacts, state: str, reference: str | None = None, reason: str | None = None
    ) -> None:
        changed = PaymentChange(payment.id, state, reference or payment.reference, reason)
        self.payments[payment.id] = replace(payment, state=state, reference=changed.reference)
        self.changes.payments[payment.id] = changed

    def add_tickets(self, order: OrderFacts, custody: bytes) -> None:
        owner = order.owner or custody
        places = [(line.class_number, seat) for line in order.lines for seat in places_of(line)]
        self.changes.tickets.extend(
            NewTicket(order.id, position, class_number, seat, owner)
            for position, (class_number, seat) in enumerate(places)
        )

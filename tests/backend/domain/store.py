"""The till's facts in memory: applies a decision's changes as the database would, and refuses what it would refuse."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from backend.domain.seating import FREE, TAKEN, make_layout
from backend.domain.selling import decide
from backend.domain.selling.facts import (
    ClassFacts,
    CodeFacts,
    EventFacts,
    Facts,
    KeyFacts,
    OrderFacts,
    PaymentFacts,
    SeatFacts,
)
from backend.domain.selling.outcomes import Changes, NewTicket, No, Outcome
from backend.domain.selling.refunding import GOOD, By, Returned, SoldTicket, Terms, charge_back, give_back
from backend.domain.selling.requests import Request

HOLD_MS = 600_000
ROWS = {"A": 3, "B": 2}  # seats of the class `seated`
LABELS = [f"{row}-{seat}" for row, seats in ROWS.items() for seat in range(1, seats + 1)]


def an_event(standing: int = 6) -> EventFacts:
    return EventFacts(
        id=UUID(int=1),
        state="on_sale",
        currency="EUR",
        max_per_order=5,
        hold_ms=HOLD_MS,
        ends_ms=10**15,
        custody=b"\xcc" * 20,
        classes=(
            ClassFacts(1, "standing", 0, 4950, seated=False, capacity=standing, held=0, sold=0),
            ClassFacts(2, "seated", 0, 7200, seated=True, capacity=len(LABELS), held=0, sold=0),
        ),
    )


@dataclass
class Store:
    """What the tables hold."""

    event: EventFacts = field(default_factory=an_event)
    orders: dict[UUID, OrderFacts] = field(default_factory=dict)
    payments: dict[UUID, PaymentFacts] = field(default_factory=dict)
    keys: dict[tuple[str, str], KeyFacts] = field(default_factory=dict)
    claims: dict[int, UUID] = field(default_factory=dict)
    tickets: list[NewTicket] = field(default_factory=list)
    refunds: list[UUID] = field(default_factory=list)  # payments that bought nothing
    codes: dict[bytes, CodeFacts] = field(default_factory=dict)
    sold: dict[UUID, list[SoldTicket]] = field(default_factory=dict)  # by order, in their order
    returned: dict[UUID, int] = field(default_factory=dict)  # by order: what went back to buyers, and to banks
    kept: dict[UUID, int] = field(default_factory=dict)  # by order: what the organiser kept of it

    def ask(self, requests: list[Request], now_ms: int) -> list[Outcome]:
        decision = decide(self.facts(), requests, now_ms)
        self.apply(decision.changes)
        return decision.outcomes

    def facts(self) -> Facts:
        layout = make_layout((number, 2, label) for number, label in enumerate(LABELS, start=1))
        free = layout.all_free()
        for number in self.claims:
            class_number, place = layout.places[number]
            free[class_number][place] = TAKEN
        assert all(set(one) <= {FREE, TAKEN} for one in free.values())
        owned: dict[bytes, int] = {}
        for one in self.orders.values():
            if one.owner is not None and one.state in ("held", "paid"):
                owned[one.owner] = owned.get(one.owner, 0) + sum(line.quantity for line in one.lines)
        seats, codes = SeatFacts(layout, free), dict(self.codes)
        tables = (dict(self.orders), dict(self.payments), dict(self.keys))
        return Facts(self.event, *tables, seats, codes=codes, owned=owned)

    def give_back(self, order: UUID, wanted: list[UUID] | None, by: By, terms: Terms, now_ms: int) -> Returned | No:
        """As the desk and buyers do."""
        decided = give_back(self.orders[order].state, self.sold.get(order, []), wanted, by, terms, now_ms)
        if not isinstance(decided, No):
            self._void(order, decided, "refunded")
        return decided

    def charge_back(self, order: UUID) -> Returned:
        """As a bank does."""
        decided = charge_back(self.sold[order])
        self._void(order, decided, "revoked")
        return decided

    def enter(self, order: UUID, position: int) -> None:
        """As a gate does."""
        tickets = self.sold[order]
        tickets[position] = replace(tickets[position], entered=True)

    def _void(self, order: UUID, decided: Returned, state: str) -> None:
        gone = {one.id for one in decided.tickets}
        tickets = self.sold[order]
        assert all(one.state in GOOD for one in tickets if one.id in gone), "nothing goes back twice"
        self.sold[order] = [replace(one, state=state) if one.id in gone else one for one in tickets]
        self.returned[order] = self.returned.get(order, 0) + decided.amount_minor
        self.kept[order] = self.kept.get(order, 0) + decided.kept_minor
        for one in decided.tickets:
            if one.seat_number:
                assert self.claims.pop(one.seat_number) == order
        counts = Counter(one.class_number for one in decided.tickets)
        self._count({number: (0, -count) for number, count in counts.items()})
        if decided.empties_order:
            self.orders[order] = replace(self.orders[order], state="refunded")

    def apply(self, changes: Changes) -> None:
        for number, order in changes.freed.items():
            assert self.claims.pop(number) == order
        for number, order in changes.claimed.items():
            assert number not in self.claims, "the primary key of seat_claims refuses"
            self.claims[number] = order
        for held in changes.held:
            assert held.order_id not in self.orders
            self.orders[held.order_id] = OrderFacts(
                held.order_id, "held", held.owner, held.total_minor, held.hold_expires_ms, held.lines, code=held.code
            )
            self.keys[held.key.scope, held.key.digest] = KeyFacts(held.key.request_hash, held.order_id, "body")
        for order, state in changes.orders.items():
            self.orders[order] = replace(self.orders[order], state=state)
        for started in changes.started:
            self.payments[started.payment_id] = PaymentFacts(started.payment_id, started.order_id, "started")
            self.keys[started.key.scope, started.key.digest] = KeyFacts(started.key.request_hash, started.payment_id)
        for change in changes.payments.values():
            payment = self.payments[change.payment_id]
            self.payments[payment.id] = replace(payment, state=change.state, reference=change.reference)
        for order, until in changes.extended.items():
            known = self.orders[order]
            self.orders[order] = replace(known, hold_expires_ms=until, extensions=known.extensions + 1)
        for digest, more in changes.codes.items():
            code = self.codes[digest]
            self.codes[digest] = replace(code, left=None if code.left is None else code.left - more)
        for ticket in changes.tickets:
            prices = [
                line.unit_price_minor for line in self.orders[ticket.order_id].lines for _ in range(line.quantity)
            ]
            places = (ticket.position, ticket.class_number, ticket.seat_number, prices[ticket.position])
            ticket_id = UUID(int=ticket.order_id.int + 1 + ticket.position)
            self.sold.setdefault(ticket.order_id, []).append(SoldTicket(ticket_id, *places, "valid", entered=False))
        self.tickets.extend(changes.tickets)
        self.refunds.extend(back.payment_id for back in changes.refunds)
        self._count(changes.stock)

    def _count(self, more: Mapping[int, tuple[int, int]]) -> None:
        classes = []
        for one in self.event.classes:
            held, sold = more.get(one.number, (0, 0))
            one = replace(one, held=one.held + held, sold=one.sold + sold)  # noqa: PLW2901 - the same class, counted
            assert one.held >= 0, "the stock's check refuses"
            assert one.sold >= 0, "the stock's check refuses"
            assert one.held + one.sold <= one.capacity, "the stock's check refuses to oversell"
            classes.append(one)
        self.event = replace(self.event, classes=tuple(classes))

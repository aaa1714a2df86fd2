"""The till's facts in memory: applies a decision's changes as the database would, and refuses what it would refuse."""

from dataclasses import dataclass, field, replace
from uuid import UUID

from backend.domain.seating import FREE, TAKEN, make_layout
from backend.domain.selling import decide
from backend.domain.selling.facts import ClassFacts, EventFacts, Facts, KeyFacts, OrderFacts, PaymentFacts, SeatFacts
from backend.domain.selling.outcomes import Changes, NewTicket, Outcome
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
    refunds: list[UUID] = field(default_factory=list)  # payments

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
        return Facts(self.event, dict(self.orders), dict(self.payments), dict(self.keys), SeatFacts(layout, free))

    def apply(self, changes: Changes) -> None:
        for number, order in changes.freed.items():
            assert self.claims.pop(number) == order
        for number, order in changes.claimed.items():
            assert number not in self.claims, "the primary key of seat_claims refuses"
            self.claims[number] = order
        for held in changes.held:
            assert held.order_id not in self.orders
            self.orders[held.order_id] = OrderFacts(
                held.order_id, "held", held.owner, held.total_minor, held.hold_expires_ms, held.lines
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
        self.tickets.extend(changes.tickets)
        self.refunds.extend(back.payment_id for back in changes.refunds)
        self._count(changes)

    def _count(self, changes: Changes) -> None:
        classes = []
        for one in self.event.classes:
            held, sold = changes.stock.get(one.number, (0, 0))
            one = replace(one, held=one.held + held, sold=one.sold + sold)  # noqa: PLW2901 - the same class, counted
            assert one.held >= 0, "the stock's check refuses"
            assert one.sold >= 0, "the stock's check refuses"
            assert one.held + one.sold <= one.capacity, "the stock's check refuses to oversell"
            classes.append(one)
        self.event = replace(self.event, classes=tuple(classes))

"""The till's rules against a plain model, over any order of events: holds, money, time, repeats."""

import hashlib
from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from backend.domain.selling import decide
from backend.domain.selling.facts import places_of
from backend.domain.selling.outcomes import Again, Held, MoneyBack, No, Paid, Started
from backend.domain.selling.requests import (
    Expire,
    Hold,
    Key,
    LineWanted,
    Release,
    Request,
    Settle,
    StartPayment,
    Verdict,
)
from tests.backend.domain.store import HOLD_MS, LABELS, Store

lines = st.one_of(
    st.builds(LineWanted, st.just("standing"), st.integers(0, 6)),
    st.builds(LineWanted, st.just("seated"), st.integers(1, 5)),
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=3).map(
        lambda labels: LineWanted("seated", len(labels), tuple(labels))
    ),
    st.just(LineWanted("nowhere", 1)),
)
verdicts = st.sampled_from(["succeeded", "declined", "unknown"])


def key(scope: str, name: str, asked: object) -> Key:
    return Key(scope, name, hashlib.sha256(repr(asked).encode()).digest())


class Shop(RuleBasedStateMachine):
    """Whatever happens, in whatever order: nothing oversold, no seat twice, money = tickets + refunds."""

    orders = Bundle("orders")
    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.now = 1_000_000
        self.counter = 0
        self.money: set[UUID] = set()  # payments for which money came
        self.first_answers: dict[Hold, UUID] = {}

    def new_id(self) -> UUID:
        self.counter += 1000  # ids of tickets follow those of orders
        return UUID(int=self.counter)

    def ask(self, request: Request) -> object:
        return self.store.ask([request], self.now)[0]

    @rule(target=orders, wanted=st.lists(lines, min_size=1, max_size=3))
    def hold(self, wanted: list[LineWanted]) -> UUID:
        order = self.new_id()
        request = Hold(order, bytes(32), tuple(wanted), None, key("order", str(order), wanted))
        outcome = self.ask(request)
        if isinstance(outcome, Held):
            self.first_answers[request] = order
            assert outcome.hold_expires_ms == self.now + HOLD_MS
            assert sum(line.quantity for line in outcome.lines) == sum(line.quantity for line in wanted)
            for line in outcome.lines:
                assert line.class_number == 1 or len(line.seats) == line.quantity
        else:
            assert isinstance(outcome, No), outcome
        return order

    @rule(data=st.data())
    def repeat_a_hold(self, data: st.DataObject) -> None:
        if self.first_answers:
            request = data.draw(st.sampled_from(list(self.first_answers)))
            outcome = self.ask(replace(request, order_id=self.new_id()))
            assert isinstance(outcome, Again)
            assert outcome.resource_id == self.first_answers[request]

    @rule(target=payments, order=orders)
    def start_payment(self, order: UUID) -> tuple[UUID, UUID] | None:
        payment = self.new_id()
        before = self.store.orders.get(order)
        outcome = self.ask(StartPayment(order, payment, "sandbox", key("payment", str(payment), order)))
        if isinstance(outcome, Started):
            assert before
            assert before.state == "held"
            assert self.now < before.hold_expires_ms
            assert outcome.amount_minor == before.total_minor
            return order, payment
        assert isinstance(outcome, No)
        return None

    @rule(pair=payments, verdict=verdicts)
    def settle(self, pair: tuple[UUID, UUID] | None, verdict: Verdict) -> None:
        if pair is None:
            return
        outcome = self.ask(Settle(*pair, verdict, "ref"))
        if verdict == "succeeded":
            again = pair[1] in self.money
            assert isinstance(outcome, Paid | MoneyBack) != again
            self.money.add(pair[1])

    @rule(order=consumes(orders))
    def release(self, order: UUID) -> None:
        self.ask(Release(order))

    @rule(order=orders)
    def expire(self, order: UUID) -> None:
        before = self.store.orders.get(order)
        self.ask(Expire(order))
        if before and before.state == "held" and self.now < before.hold_expires_ms:
            assert self.store.orders[order].state == "held"

    @rule(seconds=st.sampled_from([1, 60, 601]))
    def time_passes(self, seconds: int) -> None:
        self.now += 1000 * seconds

    @invariant()
    def stock_is_what_the_orders_say(self) -> None:
        held: Counter[int] = Counter()
        sold: Counter[int] = Counter()
        for order in self.store.orders.values():
            for line in order.lines:
                counted = {"held": held, "paid": sold}.get(order.state)
                if counted is not None:
                    counted[line.class_number] += line.quantity
        for one in self.store.event.classes:
            assert (one.held, one.sold) == (held[one.number], sold[one.number])

    @invariant()
    def seats_are_claimed_by_living_orders_only(self) -> None:
        living = {
            (seat, order.id)
            for order in self.store.orders.values()
            if order.state in ("held", "paid")
            for line in order.lines
            for seat in line.seats
        }
        assert set(self.store.claims.items()) == living

    @invariant()
    def money_is_tickets_plus_refunds(self) -> None:
        paid = {order.id for order in self.store.orders.values() if order.state == "paid"}
        succeeded = [one for one in self.store.payments.values() if one.state == "succeeded"]
        assert sorted(one.order_id for one in succeeded) == sorted(paid)
        assert {one.id for one in succeeded} | set(self.store.refunds) == self.money
        assert len(self.store.refunds) + len(succeeded) == len(self.money)
        assert {ticket.order_id for ticket in self.store.tickets} == paid
        expected = sum(len(places_of(line)) for order in paid for line in self.store.orders[order].lines)
        assert len(self.store.tickets) == expected


Shop.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestShop = Shop.TestCase


@given(
    st.lists(st.lists(lines, min_size=1, max_size=2), min_size=1, max_size=8),
    st.lists(st.tuples(st.sampled_from(["release", "expire", "pay"]), st.integers(0, 7)), max_size=8),
)
@settings(deadline=None)
def test_a_batch_means_what_its_requests_mean_singly(
    wanted: list[list[LineWanted]], then: list[tuple[str, int]]
) -> None:
    together, singly = Store(), Store()
    holds: list[Request] = [
        Hold(UUID(int=1000 * n + 1), bytes(32), tuple(one), None, key("order", str(n), one))
        for n, one in enumerate(wanted)
    ]
    later: list[Request] = []
    for what, n in then:
        order = UUID(int=1000 * n + 1)
        payment = UUID(int=10**9 + len(later))
        match what:
            case "release":
                later.append(Release(order))
            case "expire":
                later.append(Expire(order))
            case _:
                later.append(StartPayment(order, payment, "sandbox", key("payment", str(payment), 1)))
                later.append(Settle(order, payment, "succeeded"))
    for requests, now in ((holds, 1), (later, HOLD_MS)):
        outcomes = together.ask(requests, now)
        assert outcomes == [singly.ask([request], now)[0] for request in requests]
    assert together == singly


@given(st.lists(lines, min_size=1, max_size=3))
def test_deciding_changes_no_facts(wanted: list[LineWanted]) -> None:
    store = Store()
    facts = store.facts()
    before = {one: bytes(free) for one, free in facts.seats.free.items()}
    request = Hold(UUID(int=1), bytes(32), tuple(wanted), None, key("order", "1", wanted))
    first = decide(facts, [request], 5)
    assert {one: bytes(free) for one, free in facts.seats.free.items()} == before
    assert decide(facts, [request], 5).outcomes == first.outcomes


def test_a_cancelled_event_gives_all_money_back() -> None:
    store = Store()
    order, payment = UUID(int=1), UUID(int=2)
    wanted = (LineWanted("standing", 1),)
    store.ask([Hold(order, bytes(32), wanted, None, key("order", "1", 1))], 1)
    store.ask([StartPayment(order, payment, "sandbox", key("payment", "1", 1))], 2)
    store.event = replace(store.event, state="cancelled")
    assert store.ask([Settle(order, payment, "succeeded")], 3) == [MoneyBack(order, payment, "event_cancelled")]
    assert store.refunds == [payment]


def test_another_orders_payment_settles_nothing() -> None:
    store = Store()
    mine, yours, payment = UUID(int=1000), UUID(int=2000), UUID(int=3000)
    for order in (mine, yours):
        store.ask([Hold(order, bytes(32), (LineWanted("standing", 1),), None, key("order", str(order), 1))], 1)
    store.ask([StartPayment(yours, payment, "sandbox", key("payment", "1", 1))], 2)
    assert store.ask([Settle(mine, payment, "succeeded")], 3) == [No("unknown_payment")]
    assert store.ask([Settle(mine, UUID(int=4000), "succeeded")], 3) == [No("unknown_payment")]
    assert store.tickets == []

"""The till's rules against a plain model, over any order of events: holds, money, time, repeats."""

import hashlib
from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backend.domain.selling import decide
from backend.domain.selling.facts import CodeFacts, places_of
from backend.domain.selling.holds import MAX_EXTENSIONS
from backend.domain.selling.outcomes import Again, Ended, Extended, Held, MoneyBack, No, Paid, Started, Unchanged
from backend.domain.selling.refunding import BUYER, ORGANISER, By, SoldTicket, Terms
from backend.domain.selling.requests import (
    Expire,
    Extend,
    Hold,
    Key,
    LineWanted,
    Release,
    Request,
    Settle,
    StartPayment,
    Verdict,
)
from tests.backend.domain.store import HOLD_MS, LABELS, Store, an_event

lines = st.one_of(
    st.builds(LineWanted, st.just("standing"), st.integers(1, 3)),
    st.builds(LineWanted, st.just("seated"), st.integers(1, 2)),
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=2).map(
        lambda labels: LineWanted("seated", len(labels), tuple(labels))
    ),
)
VOUCHER, PRESALE = b"\x01" * 32, b"\x02" * 32
CODES = {
    VOUCHER: CodeFacts(VOUCHER, 1, 5_000, presale=False, until_ms=None, left=2),  # half the price, twice, standing
    PRESALE: CodeFacts(PRESALE, None, 1_000, presale=True, until_ms=3_000_000, left=None),
}
OWNERS = (b"\xaa" * 20, b"\xbb" * 20)
PRICES = {1: 4950, 2: 7200}
DOORS_MS, KEEP_BPS, LIMIT = 5_000_000, 1_000, 3
verdicts = st.sampled_from(["succeeded", "succeeded", "declined", "unknown"])


def key(scope: str, name: str, asked: object) -> Key:
    return Key(scope, name, hashlib.sha256(repr(asked).encode()).digest())


class Shop(RuleBasedStateMachine):
    """Whatever happens, in whatever order: nothing oversold, no seat twice, money = tickets + refunds."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(replace(an_event(standing=4), max_per_buyer=LIMIT), codes=dict(CODES))
        self.now = 1_000_000
        self.counter = 0
        self.money: set[UUID] = set()  # payments for which money came
        self.holds: list[Hold] = []  # those that were granted

    def new_id(self) -> UUID:
        self.counter += 1000  # ids of tickets follow those of orders
        return UUID(int=self.counter)

    def an_order(self, data: st.DataObject) -> UUID:
        """Mostly one that is held still."""
        held = [one for one in self.holds if self.store.orders[one.order_id].state == "held"]
        return data.draw(st.sampled_from(held or self.holds)).order_id

    def ask(self, request: Request) -> object:
        return self.store.ask([request], self.now)[0]

    @rule(
        wanted=st.lists(lines, min_size=1, max_size=2),
        owner=st.sampled_from([None, None, *OWNERS]),
        code=st.sampled_from([None, None, *CODES]),
    )
    def hold(self, wanted: list[LineWanted], owner: bytes | None, code: bytes | None) -> None:
        self.held(wanted, owner, code)

    def held(self, wanted: list[LineWanted], owner: bytes | None, code: bytes | None) -> Held | None:
        order, count = self.new_id(), sum(line.quantity for line in wanted)
        request = Hold(order, bytes(32), tuple(wanted), owner, key("order", str(order), wanted), code)
        had = self.tickets_of(owner) if owner else 0
        before = self.store.codes.get(code) if code else None
        outcome = self.ask(request)
        if not isinstance(outcome, Held):
            assert isinstance(outcome, No), outcome
            return None
        assert had + count <= LIMIT or owner is None
        assert outcome.total_minor == sum(
            line.quantity * (PRICES[line.class_number] * (10_000 - (before.discount_bps if before else 0)) // 10_000)
            for line in outcome.lines
        )
        if before is not None:
            assert before.left is None or before.left > 0, "a voucher is good for so many orders"
            assert before.until_ms is None or self.now < before.until_ms
            assert before.class_number is None or {line.class_number for line in outcome.lines} == {1}
        self.holds.append(request)
        assert outcome.hold_expires_ms == self.now + HOLD_MS
        assert sum(line.quantity for line in outcome.lines) == sum(line.quantity for line in wanted)
        for line in outcome.lines:
            assert line.class_number == 1 or len(line.seats) == line.quantity
        return outcome

    @rule(wanted=st.lists(lines, min_size=1, max_size=1), owner=st.sampled_from([None, *OWNERS]))
    def buy(self, wanted: list[LineWanted], owner: bytes | None) -> None:
        """As most people do, so that much of what follows is about tickets that are sold."""
        held = self.held(wanted, owner, None)
        if held is not None:
            payment = self.new_id()
            self.ask(StartPayment(held.order_id, payment, "sandbox", key("payment", str(payment), held.order_id)))
            assert self.ask(Settle(held.order_id, payment, "succeeded")) == Paid(held.order_id, payment)
            self.money.add(payment)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def repeat_a_hold(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.holds))
        outcome = self.ask(replace(request, order_id=self.new_id()))
        assert isinstance(outcome, Again)
        assert outcome.resource_id == request.order_id

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def start_payment(self, data: st.DataObject) -> None:
        order = self.an_order(data)
        payment = self.new_id()
        before = self.store.orders[order]
        outcome = self.ask(StartPayment(order, payment, "sandbox", key("payment", str(payment), order)))
        if isinstance(outcome, Started):
            assert before.state == "held"
            assert self.now < before.hold_expires_ms
            assert outcome.amount_minor == before.total_minor
        else:
            assert isinstance(outcome, No)

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), again=st.booleans())
    def need_more_time(self, data: st.DataObject, again: bool) -> None:
        order = self.store.orders[self.an_order(data)]
        asked = Extend(order.id, order.hold_expires_ms)
        outcome = self.ask(asked)
        may = order.state == "held" and self.now < order.hold_expires_ms and order.extensions < MAX_EXTENSIONS
        assert isinstance(outcome, Extended) == may
        if isinstance(outcome, Extended) and again:
            assert self.ask(asked) == outcome, "asked twice, extended once"

    @precondition(lambda self: self.store.sold)
    @rule(data=st.data())
    def enter(self, data: st.DataObject) -> None:
        order = self.a_sold_order(data)
        good = [one.position for one in self.store.sold[order] if one.state == "valid"]
        if good:
            self.store.enter(order, data.draw(st.sampled_from(good)))

    @precondition(lambda self: self.store.sold)
    @rule(data=st.data(), by=st.sampled_from([BUYER, ORGANISER]), some=st.booleans(), until=st.booleans())
    def give_back(self, data: st.DataObject, by: By, some: bool, until: bool) -> None:
        order = self.a_sold_order(data)
        before = self.store.sold[order]
        wanted = data.draw(st.lists(st.sampled_from([one.id for one in before]), min_size=1)) if some else None
        terms = Terms(self.store.event.state, DOORS_MS, DOORS_MS if until else None, KEEP_BPS)
        decided = self.store.give_back(order, wanted, by, terms, self.now)
        if isinstance(decided, No):
            return
        assert by == ORGANISER or (until and self.now < DOORS_MS), "a buyer by the rules, and before doors"
        assert not any(one.entered or one.state != "valid" for one in decided.tickets)
        assert decided.kept_minor == sum(one.price_minor // 10 for one in decided.tickets) * (by == BUYER)

    @precondition(lambda self: any(one.state == "succeeded" for one in self.store.payments.values()))
    @rule(data=st.data())
    def the_bank_takes_its_money_back(self, data: st.DataObject) -> None:
        bought = [one for one in self.store.payments.values() if one.state == "succeeded"]
        payment = data.draw(st.sampled_from(bought))
        entered = [one for one in self.store.sold[payment.order_id] if one.entered]
        self.store.charge_back(payment.order_id)
        left = [one for one in self.store.sold[payment.order_id] if one.state == "valid"]
        assert left == entered, "who is in stays in; every other code is dead"
        self.store.payments[payment.id] = replace(payment, state="charged_back")

    @precondition(lambda self: self.money)
    @rule(data=st.data(), verdict=verdicts)
    def hear_it_again(self, data: st.DataObject, verdict: Verdict) -> None:
        payment = self.store.payments[data.draw(st.sampled_from(sorted(self.money)))]
        assert self.ask(Settle(payment.order_id, payment.id, verdict, "ref")) == Unchanged()

    @precondition(lambda self: self.store.payments)
    @rule(data=st.data(), verdict=verdicts)
    def settle(self, data: st.DataObject, verdict: Verdict) -> None:
        waiting = [one for one in self.store.payments.values() if one.id not in self.money]
        payment = data.draw(st.sampled_from(waiting or list(self.store.payments.values())))
        before = self.store.orders[payment.order_id]
        outcome = self.ask(Settle(payment.order_id, payment.id, verdict, "ref"))
        if verdict != "succeeded":
            return
        if payment.id in self.money:
            assert outcome == Unchanged()
        elif before.state == "cancelled":
            assert outcome == MoneyBack(before.id, payment.id, "order_cancelled")
        elif before.state in ("paid", "refunded"):
            assert outcome == MoneyBack(before.id, payment.id, "paid_twice")
        elif before.state == "held":
            assert outcome == Paid(before.id, payment.id)
        else:
            assert outcome in (Paid(before.id, payment.id, late=True), MoneyBack(before.id, payment.id, "no_room"))
        self.money.add(payment.id)

    @precondition(lambda self: any(one.id not in self.money for one in self.store.payments.values()))
    @rule(data=st.data(), other=st.sampled_from(["another_amount", "another_currency"]))
    def other_money_comes(self, data: st.DataObject, other: str) -> None:
        waiting = [one for one in self.store.payments.values() if one.id not in self.money]
        payment = data.draw(st.sampled_from(waiting))
        order = self.store.orders[payment.order_id]
        amount = order.total_minor + (other == "another_amount")
        currency = "XTS" if other == "another_currency" else self.store.event.currency
        outcome = self.ask(Settle(order.id, payment.id, "succeeded", "ref", None, amount, currency))
        assert outcome == MoneyBack(order.id, payment.id, other)
        assert self.store.orders[order.id] == order, "the order is as it was, and may be paid once more"
        self.money.add(payment.id)

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def pay_again_after_a_decline(self, data: st.DataObject) -> None:
        order = self.an_order(data)
        first, second = self.new_id(), self.new_id()
        if isinstance(self.ask(StartPayment(order, first, "sandbox", key("payment", str(first), order))), Started):
            self.ask(Settle(order, first, "declined"))
            if data.draw(st.booleans()):
                self.ask(StartPayment(order, second, "sandbox", key("payment", str(second), order)))

    @rule(seats=st.booleans(), leave=st.integers(0, 1))
    def others_take_nearly_all(self, seats: bool, leave: int) -> None:
        one = self.store.event.classes[1 if seats else 0]
        for _ in range(one.capacity - one.held - one.sold - leave):
            order, wanted = self.new_id(), (LineWanted(one.code, 1),)
            self.ask(Hold(order, bytes(32), wanted, None, key("order", str(order), wanted)))

    @precondition(lambda self: self.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        order = self.an_order(data)
        has_open = any(
            one.order_id == order and one.state in ("started", "unknown") for one in self.store.payments.values()
        )
        outcome = self.ask(Release(order))
        assert not (has_open and isinstance(outcome, Ended))

    @precondition(lambda self: self.holds)
    @rule(seconds=st.sampled_from([1, 300, 601]))
    def time_passes_and_holds_end(self, seconds: int) -> None:
        self.now += 1000 * seconds
        for order in list(self.store.orders.values()):
            outcome = self.ask(Expire(order.id))
            assert isinstance(outcome, Ended) == (order.state == "held" and self.now >= order.hold_expires_ms)

    @rule(seconds=st.sampled_from([1, 300]))
    def time_passes_unnoticed(self, seconds: int) -> None:
        self.now += 1000 * seconds

    @invariant()
    def stock_is_what_the_orders_say(self) -> None:
        held: Counter[int] = Counter()
        for order in self.store.orders.values():
            for line in order.lines:
                held[line.class_number] += line.quantity * (order.state == "held")
        sold = Counter(one.class_number for one in self.good_tickets())
        for one in self.store.event.classes:
            assert (one.held, one.sold) == (held[one.number], sold[one.number])

    @invariant()
    def seats_are_claimed_by_living_orders_only(self) -> None:
        held = {
            (seat, order.id)
            for order in self.store.orders.values()
            if order.state == "held"
            for line in order.lines
            for seat in line.seats
        }
        sold = {
            (one.seat_number, order)
            for order, tickets in self.store.sold.items()
            for one in tickets
            if one.state == "valid" and one.seat_number
        }
        assert set(self.store.claims.items()) == held | sold

    @invariant()
    def money_is_tickets_plus_refunds(self) -> None:
        paid = {order.id for order in self.store.orders.values() if order.state in ("paid", "refunded")}
        succeeded = [one for one in self.store.payments.values() if one.state in ("succeeded", "charged_back")]
        assert sorted(one.order_id for one in succeeded) == sorted(paid)
        for order in paid:
            good = sum(one.price_minor for one in self.store.sold[order] if one.state == "valid")
            back = self.store.returned.get(order, 0) + self.store.kept.get(order, 0)
            assert good + back == self.store.orders[order].total_minor
            empty = not any(one.state == "valid" for one in self.store.sold[order])
            assert (self.store.orders[order].state == "refunded") == empty
        assert {one.id for one in succeeded} | set(self.store.refunds) == self.money
        assert len(self.store.refunds) + len(succeeded) == len(self.money)
        assert {ticket.order_id for ticket in self.store.tickets} == paid
        expected = sum(len(places_of(line)) for order in paid for line in self.store.orders[order].lines)
        assert len(self.store.tickets) == expected

    @invariant()
    def a_codes_uses_are_its_orders(self) -> None:
        alive = [one for one in self.store.orders.values() if one.state in ("held", "paid", "refunded")]
        used = sum(one.code == VOUCHER for one in alive)
        assert self.store.codes[VOUCHER].left == (CODES[VOUCHER].left or 0) - used

    def a_sold_order(self, data: st.DataObject) -> UUID:
        return data.draw(st.sampled_from(sorted(self.store.sold)))

    def good_tickets(self) -> list[SoldTicket]:
        return [one for tickets in self.store.sold.values() for one in tickets if one.state == "valid"]

    def tickets_of(self, owner: bytes) -> int:
        mine = [one for one in self.store.orders.values() if one.owner == owner and one.state in ("held", "paid")]
        return sum(line.quantity for one in mine for line in one.lines)


Shop.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
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

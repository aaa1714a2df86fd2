"""The till on real databases: races, repeats, crashes, and what becomes of seats."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from backend.db.tables.events import Stock
from backend.db.tables.orders import Order, Outbox, Payment, Ticket
from backend.domain.selling import decide
from backend.domain.selling.outcomes import (
    Again,
    Decision,
    Ended,
    MoneyBack,
    No,
    Noted,
    Outcome,
    Paid,
    Started,
    Unchanged,
)
from backend.domain.selling.requests import Expire, LineWanted, Release, Request, Settle
from backend.errors import Refused
from backend.sales.till import batch, reading
from backend.sales.till import till as till_module
from backend.sales.till.till import Till, Tills
from tests.support.checker import check_sales
from tests.support.shop import floor, put_on_sale, seats, start, want

THREADS = 64
A = TypeVar("A")
T = TypeVar("T")
Race = Callable[[list[Till], Engine], None]


@pytest.fixture
def event_id(engine: Engine) -> UUID:
    return put_on_sale(engine)


@pytest.fixture
def till(engine: Engine, event_id: UUID) -> Till:
    return Till(engine, event_id)


def held(outcome: Outcome) -> UUID:
    assert isinstance(outcome, Again), outcome
    return outcome.resource_id


def code(outcome: Outcome) -> str:
    assert isinstance(outcome, No), outcome
    return outcome.code


def seats_of(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Again)
    assert outcome.body
    return [seat for line in json.loads(outcome.body)["lines"] for seat in line["seats"]]


def pay(till: Till, order_id: UUID) -> Outcome:
    started = till.ask(start(order_id))
    assert isinstance(started, Started), started
    return till.ask(Settle(order_id, started.payment_id, "succeeded", f"ref-{started.payment_id}"))


def end_hold(engine: Engine, order_id: UUID) -> None:
    """Let the hold's time run out, without waiting for it."""
    with engine.begin() as connection:
        connection.execute(update(Order).where(Order.id == order_id).values(hold_expires_ms=1))


def stock(engine: Engine) -> dict[int, tuple[int, int]]:
    with engine.connect() as connection:
        rows = connection.execute(select(Stock.class_number, Stock.held, Stock.sold)).all()
    return {row.class_number: (row.held, row.sold) for row in rows}


def test_hold_then_pay_gives_tickets(engine: Engine, till: Till) -> None:
    order = held(till.ask(want(LineWanted("floor", 2), LineWanted("balcony", 1), owner=b"\x11" * 20)))
    assert stock(engine) == {1: (2, 0), 2: (1, 0)}
    assert isinstance(pay(till, order), Paid)
    assert stock(engine) == {1: (0, 2), 2: (0, 1)}
    with engine.connect() as connection:
        tickets = connection.execute(select(Ticket).order_by(Ticket.position)).all()
    assert [(one.class_number, one.seat_number) for one in tickets] == [(1, 0), (1, 0), (2, 1)]
    assert {one.owner for one in tickets} == {b"\x11" * 20}
    assert check_sales(engine, {order}).problems == []


def test_a_buyer_without_a_wallet_gets_custody_tickets(engine: Engine, till: Till) -> None:
    pay(till, held(till.ask(floor())))
    with engine.connect() as connection:
        assert len(connection.execute(select(Ticket.owner)).scalar_one()) == 20


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (want(LineWanted("nowhere", 1)), "unknown_class"),
        (floor(9), "over_limit"),
        (floor(0), "nothing_wanted"),
        (want(LineWanted("floor", 1, ("A-1",))), "class_has_no_seats"),
        (want(LineWanted("balcony", 2, ("A-1",))), "seats_do_not_match_quantity"),
        (seats("A-1", "A-1"), "seat_named_twice"),
        (seats("Z-1"), "unknown_seat"),
    ],
)
def test_what_cannot_be_sold_is_refused(till: Till, engine: Engine, request_: Request, refusal: str) -> None:
    assert code(till.ask(request_)) == refusal
    assert stock(engine) == {1: (0, 0), 2: (0, 0)}


def test_an_order_is_held_whole_or_not_at_all(engine: Engine, till: Till) -> None:
    held(till.ask(floor(8)))
    assert code(till.ask(want(LineWanted("balcony", 1), LineWanted("floor", 3)))) == "too_few_left"
    assert stock(engine) == {1: (8, 0), 2: (0, 0)}


def test_nothing_is_sold_before_the_keys_are_made_or_after_the_event(engine: Engine, till: Till) -> None:
    for state, refusal in (("preparing", "not_on_sale"), ("paused", "not_on_sale"), ("cancelled", "event_cancelled")):
        with engine.begin() as connection:
            connection.execute(text("UPDATE events SET state = :state"), {"state": state})
        assert code(till.ask(floor())) == refusal
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET state = 'on_sale', ends_ms = 1"))
    assert code(till.ask(floor())) == "event_over"


# --- keys ---------------------------------------------------------------------------------------------------------


def test_the_same_key_gets_the_first_answer(till: Till) -> None:
    first, second = till.ask(floor(key="k")), till.ask(floor(key="k"))
    assert first == second


def test_the_same_key_with_another_request_is_refused(till: Till) -> None:
    till.ask(floor(1, key="k"))
    assert code(till.ask(floor(2, key="k"))) == "idempotency_key_reused"


def test_a_double_submit_makes_one_order(engine: Engine, event_id: UUID) -> None:
    outcomes = at_once(lambda _: Till(engine, event_id).ask(floor(key="double")), range(16))
    assert len({held(outcome) for outcome in outcomes}) == 1
    assert stock(engine)[1] == (1, 0)


def test_the_first_answer_outlives_selling_out(till: Till) -> None:
    first = till.ask(floor(8, key="mine"))
    held(till.ask(floor(2)))
    assert code(till.ask(floor())) == "sold_out"
    assert till.ask(floor(8, key="mine")) == first  # although "sold out" is remembered by now


# --- races --------------------------------------------------------------------------------------------------------


def race_for_the_last_tickets(tills: list[Till], engine: Engine) -> None:
    """10 tickets; every thread wants one; each till stands for a process."""
    outcomes = at_once(lambda at: tills[at % len(tills)].ask(floor()), range(THREADS))
    counted = Counter(type(outcome).__name__ if isinstance(outcome, Again) else code(outcome) for outcome in outcomes)
    assert counted == {"Again": 10, "sold_out": THREADS - 10}
    assert check_sales(engine).problems == []


def race_for_the_last_seat(tills: list[Till], engine: Engine) -> None:
    outcomes = at_once(lambda at: tills[at % len(tills)].ask(seats("A-3")), range(THREADS))
    counted = Counter(type(outcome).__name__ if isinstance(outcome, Again) else code(outcome) for outcome in outcomes)
    assert counted == {"Again": 1, "seat_taken": THREADS - 1}


@pytest.mark.parametrize("race", [race_for_the_last_tickets, race_for_the_last_seat])
@pytest.mark.parametrize("processes", [1, 4])
def test_64_threads_race_for_the_last(engine: Engine, event_id: UUID, race: Race, processes: int) -> None:
    race([Till(engine, event_id) for _ in range(processes)], engine)


RACES = 5
GUARDS: dict[Race, str] = {  # what stands behind the lock: the database's own refusal
    race_for_the_last_tickets: "ALTER TABLE stock DROP CONSTRAINT ck_stock_never_oversold",
    race_for_the_last_seat: "ALTER TABLE seat_claims DROP CONSTRAINT pk_seat_claims",
}


@pytest.mark.parametrize("race", GUARDS)
def test_without_its_guards_the_race_is_lost(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch, race: Race
) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text(GUARDS[race]))
    for number in range(RACES):  # on a busy machine the two tills may miss one another
        event_id = put_on_sale(postgres_engine, slug=f"gig-{number}")
        take_out_the_lock(monkeypatch)
        try:
            race([Till(postgres_engine, event_id) for _ in range(2)], postgres_engine)
        except AssertionError:
            return
    pytest.fail("nobody noticed that the guards are gone")


@pytest.mark.parametrize("wanted", [floor, lambda: seats("A-3")])
def test_without_the_lock_the_database_itself_refuses_to_oversell(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch, wanted: Callable[[], Request]
) -> None:
    event_id = put_on_sale(postgres_engine)
    take_out_the_lock(monkeypatch)
    tills = [Till(postgres_engine, event_id) for _ in range(2)]

    def ask(at: int) -> Outcome | None:
        with suppress(IntegrityError):
            return tills[at % 2].ask(wanted())
        return None

    at_once(ask, range(THREADS))
    assert check_sales(postgres_engine).problems == []


def take_out_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """And let two tills decide from the same rows: their first batches, which may be small, and their second."""
    both_have_read, meetings = threading.Barrier(2), iter(range(4))  # of two batches, with two tills

    def decide_together(*facts: Any) -> Decision:
        if next(meetings, None) is not None:
            with suppress(threading.BrokenBarrierError):
                both_have_read.wait(3)
        return decide(*facts)

    monkeypatch.setitem(reading._LOCK, "postgresql", reading._LOCK["sqlite"])  # the same, without FOR UPDATE
    monkeypatch.setattr(batch, "decide", decide_together)


# --- the hold's end -----------------------------------------------------------------------------------------------


def test_a_hold_that_ran_out_makes_room_when_somebody_asks(engine: Engine, till: Till) -> None:
    order = held(till.ask(floor(8)))
    held(till.ask(floor(2)))
    end_hold(engine, order)
    held(till.ask(floor(8)))
    assert stock(engine)[1] == (10, 0)
    assert check_sales(engine).problems == []


def test_a_seat_whose_hold_ran_out_can_be_picked_by_another(engine: Engine, till: Till) -> None:
    end_hold(engine, held(till.ask(seats("A-1", "A-2"))))
    assert seats_of(till.ask(seats("A-1"))) == ["A-1"]


def test_a_hold_is_not_ended_early(engine: Engine, till: Till) -> None:
    order = held(till.ask(floor()))
    assert till.ask(Expire(order)) == Unchanged()
    end_hold(engine, order)
    assert till.ask(Expire(order)) == Ended(order, "expired")
    assert till.ask(Expire(order)) == Unchanged()
    assert stock(engine)[1] == (0, 0)


def test_released_tickets_and_seats_are_free_again(engine: Engine, till: Till) -> None:
    order = held(till.ask(seats("A-1", "A-2")))
    assert till.ask(Release(order)) == Ended(order, "cancelled")
    assert till.ask(Release(order)) == Unchanged()
    held(till.ask(seats("A-1", "A-2")))
    assert stock(engine)[2] == (2, 0)


def test_expiry_racing_payment_gives_the_ticket_or_the_money(engine: Engine, event_id: UUID) -> None:
    tills = [Till(engine, event_id) for _ in range(4)]
    orders = [held(tills[0].ask(floor())) for _ in range(10)]
    payments = [tills[0].ask(start(order)) for order in orders]
    for order in orders:
        end_hold(engine, order)
    wanted: list[tuple[Till, Request]] = []
    for at, (order, started) in enumerate(zip(orders, payments, strict=True)):
        assert isinstance(started, Started)
        wanted.append((tills[at % 4], Expire(order)))
        wanted.append((tills[(at + 1) % 4], Settle(order, started.payment_id, "succeeded", str(at))))
        wanted.append((tills[(at + 2) % 4], floor()))  # others want the room at the same time
    at_once(lambda one: one[0].ask(one[1]), wanted)
    assert check_sales(engine).problems == []
    with engine.connect() as connection:
        tickets = connection.scalars(select(Ticket.id)).all()
        refunds = connection.scalars(select(Outbox.id)).all()
    assert len(tickets) + len(refunds) == 10  # each came out as a ticket or as money


# --- money --------------------------------------------------------------------------------------------------------


def test_late_money_gets_its_ticket_if_there_is_room(engine: Engine, till: Till) -> None:
    order = held(till.ask(seats("A-1", "A-2")))
    started = till.ask(start(order))
    assert isinstance(started, Started)
    end_hold(engine, order)
    till.ask(Expire(order))
    assert till.ask(Settle(order, started.payment_id, "succeeded", "x")) == Paid(order, started.payment_id, late=True)
    assert code(till.ask(seats("A-1"))) == "seat_taken"
    assert stock(engine)[2] == (0, 2)
    assert check_sales(engine, {order}).problems == []


@pytest.mark.parametrize("others", [[seats("A-1")], [floor(8), floor(2)]])
def test_late_money_without_room_goes_back(engine: Engine, till: Till, others: list[Request]) -> None:
    order = held(till.ask(want(LineWanted("balcony", 1, ("A-1",)), LineWanted("floor", 1))))
    started = till.ask(start(order))
    assert isinstance(started, Started)
    end_hold(engine, order)
    till.ask(Expire(order))
    for other in others:
        held(till.ask(other))
    outcome = till.ask(Settle(order, started.payment_id, "succeeded", "x"))
    assert outcome == MoneyBack(order, started.payment_id, "no_room")
    with engine.connect() as connection:
        assert connection.execute(select(Outbox.topic, Outbox.state)).one() == ("payment.refund", "waiting")
        assert connection.execute(select(Payment.state)).scalar_one() == "refunding"


def test_one_payment_at_a_time_and_none_after_it_succeeded(till: Till) -> None:
    order = held(till.ask(floor()))
    started = till.ask(start(order))
    assert isinstance(started, Started)
    assert code(till.ask(start(order))) == "payment_under_way"
    assert code(till.ask(Release(order))) == "payment_under_way"
    assert till.ask(Settle(order, started.payment_id, "declined")) == Noted(started.payment_id, "declined")
    assert isinstance(pay(till, order), Paid)
    assert code(till.ask(start(order))) == "already_paid"
    assert code(till.ask(Release(order))) == "already_paid"


def test_money_that_comes_twice_for_an_order_goes_back_once(engine: Engine, till: Till) -> None:
    order = held(till.ask(floor()))
    first, second = till.ask(start(order)), None
    assert isinstance(first, Started)
    till.ask(Settle(order, first.payment_id, "declined"))
    second = till.ask(start(order))
    assert isinstance(second, Started)
    assert isinstance(till.ask(Settle(order, second.payment_id, "succeeded", "2")), Paid)
    late = Settle(order, first.payment_id, "succeeded", "1")  # the bank had said "declined"
    assert till.ask(late) == MoneyBack(order, first.payment_id, "paid_twice")
    assert till.ask(late) == Unchanged()
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Outbox)) == 1
        assert connection.scalar(select(func.count()).select_from(Ticket)) == 1


def test_an_ended_hold_cannot_be_paid(engine: Engine, till: Till) -> None:
    order = held(till.ask(floor()))
    end_hold(engine, order)
    assert code(till.ask(start(order))) == "hold_expired"
    till.ask(Expire(order))
    assert code(till.ask(start(order))) == "hold_expired"
    other = held(till.ask(floor()))
    till.ask(Release(other))
    assert code(till.ask(start(other))) == "order_cancelled"


# --- seats --------------------------------------------------------------------------------------------------------


def test_best_seats_are_side_by_side(till: Till) -> None:
    # Row A has 1-6, row B has 1-4 and 7-10: no five in a row are left after four in A.
    assert seats_of(till.ask(want(LineWanted("balcony", 4)))) == ["A-1", "A-2", "A-3", "A-4"]
    assert seats_of(till.ask(want(LineWanted("balcony", 4)))) == ["B-1", "B-2", "B-3", "B-4"]
    assert seats_of(till.ask(want(LineWanted("balcony", 2)))) == ["A-5", "A-6"]


def test_best_seats_know_what_other_processes_sold_and_gave_back(engine: Engine, event_id: UUID) -> None:
    here, there = Till(engine, event_id), Till(engine, event_id)
    first = held(here.ask(want(LineWanted("balcony", 6))))
    assert seats_of(there.ask(want(LineWanted("balcony", 4)))) == ["B-1", "B-2", "B-3", "B-4"]
    assert seats_of(here.ask(want(LineWanted("balcony", 4)))) == ["B-7", "B-8", "B-9", "B-10"]
    there.ask(Release(first))
    assert seats_of(here.ask(want(LineWanted("balcony", 6)))) == ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6"]
    assert code(there.ask(want(LineWanted("balcony", 1)))) == "sold_out"


def test_seats_that_are_picked_are_not_given_twice_in_one_order(till: Till) -> None:
    outcome = till.ask(want(LineWanted("balcony", 2), LineWanted("balcony", 1, ("A-1",))))
    assert sorted(seats_of(outcome)) == ["A-1", "A-2", "A-3"]


# --- when things break --------------------------------------------------------------------------------------------


def test_a_request_that_breaks_fails_alone(engine: Engine, event_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    till = Till(engine, event_id)
    poison = floor()

    def decide_badly(facts: Any, requests: list[Request], now: int) -> Decision:
        if poison in requests:
            raise ZeroDivisionError
        return decide(facts, requests, now)

    monkeypatch.setattr(batch, "decide", decide_badly)

    def ask(request: Request) -> str:
        try:
            held(till.ask(request))
        except ZeroDivisionError:
            return "broken"
        return "held"

    asked = [floor() for _ in range(8)]
    assert Counter(at_once(ask, [poison, *asked])) == {"held": 8, "broken": 1}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_of_unknown_fate_is_looked_up_not_guessed(
    engine: Engine, event_id: UUID, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The connection breaks around COMMIT: the buyer gets one order and its answer, whether or not it was committed."""
    broken: list[str] = []

    def reach(name: str) -> None:
        if name == ("till.written" if when == "before" else "till.committed") and not broken:
            broken.append(name)
            raise OperationalError("COMMIT", {}, psycopg.OperationalError("server closed the connection"))

    monkeypatch.setattr("backend.sales.till.batch.reach", reach)
    held(Till(engine, event_id).ask(floor(2)))
    assert broken
    assert stock(engine)[1] == (2, 0)
    assert check_sales(engine).problems == []


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (psycopg.errors.DiskFull("no space left"), "storage_full"),
        (psycopg.OperationalError("connection refused"), "database_unreachable"),
    ],
)
def test_a_database_that_cannot_write_is_said_so(
    engine: Engine, event_id: UUID, monkeypatch: pytest.MonkeyPatch, error: Exception, refusal: str
) -> None:
    def reach(name: str) -> None:
        raise OperationalError("INSERT", {}, error)

    monkeypatch.setattr("backend.sales.till.batch.reach", reach)
    monkeypatch.setattr(till_module, "RETRY_SECONDS", 0.2)
    with pytest.raises(Refused, match=refusal):
        Till(engine, event_id).ask(floor())
    monkeypatch.undo()
    assert stock(engine)[1] == (0, 0)


def test_a_full_queue_turns_requests_away(engine: Engine, event_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(till_module, "MAX_WAITING", 4)
    let_go, entered = threading.Event(), threading.Event()

    def reach(name: str) -> None:
        entered.set()
        let_go.wait(10)

    monkeypatch.setattr("backend.sales.till.batch.reach", reach)
    till = Till(engine, event_id)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(till.ask, floor())
        assert entered.wait(10)
        others = [pool.submit(till.ask, floor()) for _ in range(4)]
        deadline = time.monotonic() + 10
        while till.waiting < 4:
            assert time.monotonic() < deadline
        with pytest.raises(Refused, match="too_busy"):
            till.ask(floor())
        let_go.set()
        for answer in (first, *others):
            held(answer.result(10))


def test_an_idle_till_lets_its_thread_go_and_starts_again(
    engine: Engine, event_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till_module, "IDLE_SECONDS", 0.01)
    till = Tills(engine).of(event_id)
    for _ in range(3):
        held(till.ask(floor()))
        deadline = time.monotonic() + 10
        while any(thread.name == f"till-{event_id}" for thread in threading.enumerate()):
            assert time.monotonic() < deadline


def at_once(call: Callable[[A], T], of: Sequence[A]) -> list[T]:
    """`call` for each of `of`, each in a thread of its own, all let go at the same moment."""
    together = threading.Barrier(len(of))

    def go(one: A) -> T:
        together.wait(30)
        return call(one)

    with ThreadPoolExecutor(len(of)) as pool:
        return list(pool.map(go, of))

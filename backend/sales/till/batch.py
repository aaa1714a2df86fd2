"""One batch: one transaction that locks, reads, decides, writes and commits. The only way an order ever changes.

Every request means the same when it is put again (it carries its ids and its key), so a batch whose fate is unknown,
because the connection broke during the commit, is simply run again: what was committed is found, the rest is done.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine

from backend.domain.selling import decide
from backend.domain.selling.facts import EventFacts, Facts, SeatFacts
from backend.domain.selling.outcomes import Again, Decision, Held, No, Outcome, Paid
from backend.domain.selling.requests import Expire, Hold, Request, StartPayment
from backend.killpoints import reach
from backend.sales.answers import held_body, paid_body
from backend.sales.till import buyers, reading
from backend.sales.till.seats import SeatMemory, claimants, few_seats
from backend.sales.till.writing import write_and_commit

_SHORT = frozenset({"sold_out", "too_few_left", "seat_taken", "seats_unknown"})


def run_batch(engine: Engine, event_id: UUID, requests: Sequence[Request], memory: SeatMemory) -> list[Outcome]:
    """Decide and commit; one outcome for each request. A hold that was granted comes back as `Again`, with its answer.

    Raises what the database raises; then nothing was committed, or it is not known.
    """
    try:
        with engine.connect() as connection:
            outcomes, decision = _transact(connection, event_id, requests, memory)
    except BaseException:
        memory.forget()
        raise
    reach("till.committed")
    memory.apply(decision.changes)
    return outcomes


def _transact(
    connection: Connection, event_id: UUID, requests: Sequence[Request], memory: SeatMemory
) -> tuple[list[Outcome], Decision]:
    event, found = reading.lock_and_read(connection, event_id, requests)
    if event is None:
        raise LookupError(f"no event {event_id}")
    desk = _Desk(connection, event, memory)
    decision, seats = desk.decide(requests, found)
    now = desk.now_ms
    if any(isinstance(outcome, No) and outcome.code in _SHORT for outcome in decision.outcomes):
        # Before anybody is told "sold out", holds that have run out are given back.
        swept = [Expire(order_id) for order_id in reading.expired_holds(connection, event_id, now)]
        if swept:
            asked = [*swept, *requests]
            decision, seats = desk.decide(asked, reading.read_all(connection, event_id, asked))
            decision = replace(decision, outcomes=decision.outcomes[len(swept) :])
    reach("till.decided")
    labels = seats.layout.labels
    classes = {one.number: (one.code, one.zone) for one in event.classes}
    bodies = {held.order_id: held_body(held, event, labels) for held in decision.changes.held}
    outcomes: list[Outcome] = []
    for outcome in decision.outcomes:
        match outcome:
            case Held(order_id=order_id):
                outcomes.append(Again(order_id, bodies[order_id]))
            case Paid(order_id=order_id):
                outcomes.append(
                    replace(outcome, body=paid_body(decision.orders[order_id], event.currency, classes, labels))
                )
            case No(code="seats_unknown"):
                # The stock says there is room and no seat is free: only broken rows can do that.
                outcomes.append(No("sold_out", {**outcome.details, "may_come_back": False}))
            case _:
                outcomes.append(outcome)
    write_and_commit(connection, event, decision.changes, now, bodies, partial(reach, "till.written"))
    return outcomes, decision


class _Desk:
    """Facts from the database, decisions from the rules, until they agree about the seats."""

    def __init__(self, connection: Connection, event: EventFacts, memory: SeatMemory) -> None:
        self._connection = connection
        self._event = event
        self._memory = memory
        self.now_ms = 0  # the database's time, once it was asked

    def decide(self, requests: Sequence[Request], found: reading.Read) -> tuple[Decision, SeatFacts]:
        connection = self._connection
        self.now_ms = found.now_ms
        holds = [request for request in requests if isinstance(request, Hold)]
        used = (*(hold.code for hold in holds), *(order.code for order in found.orders.values()))
        codes = {code for code in used if code is not None}
        limited = self._event.max_per_buyer is not None
        owners = {one.owner for one in holds if one.owner is not None} if limited else set()
        passes = {one.leave for one in holds if one.leave is not None}
        marks = {mark for one in requests if limited and isinstance(one, StartPayment) for mark in one.marks or ()}
        facts = Facts(
            self._event,
            found.orders,
            found.payments,
            found.keys,
            codes=reading.read_codes(connection, self._event.id, codes),
            owned=reading.read_owned(connection, self._event.id, owners),
            passes=buyers.read_passes(connection, self._event.id, passes, self.now_ms),
            marked=buyers.read_marked(connection, self._event.id, marks),
        )
        named = {seat for order in facts.orders.values() for line in order.lines for seat in line.seats}
        reloaded = False
        while True:
            facts = replace(facts, seats=self._seats(requests, named))
            decision = decide(facts, requests, self.now_ms)
            if _map_was_short(decision) and not reloaded:
                self._memory.load(connection)
                reloaded = True
            elif not self._learn(decision):
                return decision, facts.seats

    def _seats(self, requests: Sequence[Request], named: set[int]) -> SeatFacts:
        seated = {one.code for one in self._event.classes if one.seated}
        lines = [line for request in requests if isinstance(request, Hold) for line in request.lines]
        if not any(line.class_code in seated for line in lines):
            return few_seats(self._connection, self._event.id, named)
        return self._memory.facts(self._connection, (label for line in lines for label in line.seats), named)

    def _learn(self, decision: Decision) -> bool:
        """Whether a chosen seat turned out to be taken by an order the map did not know."""
        changes = decision.changes
        found = claimants(self._connection, self._event.id, changes.claimed)
        taken = [number for number, order in found.items() if changes.freed.get(number) != order]
        if taken:
            self._memory.learn_taken(taken)
        return bool(taken)


def _map_was_short(decision: Decision) -> bool:
    return any(isinstance(outcome, No) and outcome.code == "seats_unknown" for outcome in decision.outcomes)

"""The till: a group commit. Requests of an event queue up; one thread takes what is waiting, commits it once, answers.

Promises: an answer is given only after the commit it tells of. A request that breaks something fails alone. If the
database goes away during a commit, the batch is run again until its fate is known; when that takes too long the buyer
is told to repeat the request with the same key, and nothing is guessed. At most `MAX_WAITING` requests wait, and few
while a batch is stuck; more are turned away at once.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from queue import Empty, Full, Queue
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.failures import UNWRITABLE, failure_of, problem_code
from backend.db.tables.events import Event
from backend.domain.selling.outcomes import Outcome
from backend.domain.selling.requests import Request
from backend.errors import Refused, refuse
from backend.sales.till.batch import run_batch
from backend.sales.till.mailbox import Mailbox
from backend.sales.till.seats import SeatMemory
from backend.sales.till.soldout import SoldOut
from backend.sales.till.trouble import Trouble

MAX_BATCH = 128  # requests in one transaction
MAX_WAITING = 2_000  # requests in the queue; at 700 orders/s they are served within three seconds
SHED_WAITING = 8  # requests in the queue while the till is stuck; more are turned away, so that threads stay for others
STUCK_SECONDS = 1.0  # a batch that takes longer is stuck; a good one takes milliseconds
ANSWER_SECONDS = 20.0  # how long a request waits for its answer
RETRY_SECONDS = 8.0  # how long a batch of unknown fate is run again
RETRY_PAUSE_SECONDS = 0.05  # doubles up to a second
REMEMBERED_ORDERS = 20_000  # in memory, to spare each payment a look-up
GATHER_SECONDS = 0.005  # in a crowd, how long a batch waits for more; see docs/decisions/0008-till.md
IDLE_SECONDS = 60.0  # a thread without work ends

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class _Waiting:
    """A request whose thread waits. A bare lock costs a third of what a Future does."""

    __slots__ = ("_answered", "error", "mailbox", "outcome", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.mailbox = None
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def answer(self, outcome: Outcome | None, error: Exception | None = None) -> None:
        self.outcome, self.error = outcome, error
        self._answered.release()

    def wait(self, seconds: float) -> Outcome:
        """The outcome, or raise what came instead; `Refused` if nothing came in time."""
        if not self._answered.acquire(timeout=seconds):
            raise refuse("answer_unknown", "")
        if self.error is not None:
            raise self.error
        if self.outcome is None:
            raise AssertionError("answered with nothing")
        return self.outcome


class _Awaited:
    """A request whose answer an event loop awaits."""

    __slots__ = ("future", "mailbox", "request")

    def __init__(self, request: Request, mailbox: Mailbox) -> None:
        self.request = request
        self.mailbox = mailbox
        self.future = mailbox.expect(ANSWER_SECONDS)

    def answer(self, outcome: Outcome | None, error: Exception | None = None) -> None:
        self.mailbox.put(self.future, outcome, error)


class Till:
    """The till of one event in this process. Threads may call `ask` at will, event loops `ask_soon`."""

    def __init__(self, engine: Engine, event_id: UUID, trouble: Trouble | None = None) -> None:
        self._engine = engine
        self._event_id = event_id
        self._trouble = trouble or Trouble()
        self._queue: Queue[_Waiting | _Awaited] = Queue(MAX_WAITING)
        self._lock = threading.Lock()  # of `_thread`
        self._crowd = 0  # requests in the last batch
        self._began: float | None = None  # when the batch that is being served was taken, by the monotonic clock
        self._thread: threading.Thread | None = None
        self._memory = SeatMemory(event_id)  # of the writer thread
        self._sold_out = SoldOut(engine, event_id)  # of the writer thread

    def ask(self, request: Request) -> Outcome:
        """The outcome, once it is committed. Raises `Refused` if the till is too busy or the database is away."""
        waiting = _Waiting(request)
        self._take(waiting)
        return waiting.wait(ANSWER_SECONDS)

    def ask_soon(self, request: Request, mailbox: Mailbox) -> asyncio.Future[Outcome]:
        """The same for an event loop: called on it, never blocks, and the future has what `ask` returns or raises."""
        awaited = _Awaited(request, mailbox)
        self._take(awaited)
        return awaited.future

    @property
    def waiting(self) -> int:
        """How many requests wait for their batch."""
        return self._queue.qsize()

    def _take(self, waiting: _Waiting | _Awaited) -> None:
        if self._queue.qsize() >= SHED_WAITING and self._is_stuck():
            raise refuse("too_busy", "")
        try:
            self._queue.put_nowait(waiting)
        except Full:
            raise refuse("too_busy", "") from None
        self._wake()

    def _is_stuck(self) -> bool:
        began = self._began
        return began is not None and time.monotonic() - began > STUCK_SECONDS

    def _wake(self) -> None:
        with self._lock:  # without it, a thread that is about to end could be taken for one that serves
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"till-{self._event_id}", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                waiting = [self._queue.get(timeout=IDLE_SECONDS)]
            except Empty:
                with self._lock:
                    if self._queue.empty():
                        self._thread = None
                        return
                continue
            try:
                if self._crowd > 1:  # a lone buyer waits for nobody
                    time.sleep(GATHER_SECONDS)
                while len(waiting) < MAX_BATCH:
                    waiting.append(self._queue.get_nowait())
            except Empty:
                pass
            self._crowd = len(waiting)
            self._began = time.monotonic()
            self._serve(waiting)
            self._began = None
            for mailbox in {one.mailbox for one in waiting if one.mailbox is not None}:
                mailbox.hand_over()

    def _serve(self, waiting: Sequence[_Waiting | _Awaited]) -> None:
        try:
            outcomes = self._outcomes([one.request for one in waiting])
        except Refused as refused:
            for one in waiting:
                one.answer(None, Refused(refused.refusal))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others must get their answers
            if len(waiting) == 1:
                waiting[0].answer(None, error)
                return
            _log.error("a batch failed with %s; its requests are put singly", type(error).__name__)
            for one in waiting:
                self._serve([one])
        else:
            for one, outcome in zip(waiting, outcomes, strict=True):
                one.answer(outcome)

    def _outcomes(self, requests: list[Request]) -> list[Outcome]:
        quick = insist(lambda: self._sold_out.answers(requests))
        rest = [request for request, known in zip(requests, quick, strict=True) if known is None]
        decided = iter(self._insist(rest)) if rest else iter(())
        outcomes = [known if known is not None else next(decided) for known in quick]
        self._sold_out.learn(requests, outcomes)
        return outcomes

    def _insist(self, requests: Sequence[Request]) -> list[Outcome]:
        try:
            outcomes = insist(lambda: run_batch(self._engine, self._event_id, requests, self._memory))
        except Refused as refused:
            failure = failure_of(refused.__cause__) if refused.__cause__ else None
            if failure is not None:
                self._trouble.meet(failure)
            raise
        self._trouble.passed()
        return outcomes


class Tills:
    """The tills of this process, one for each event asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.trouble = Trouble()  # what they meet
        self._lock = threading.Lock()
        self._tills: dict[UUID, Till] = {}
        self._by_slug: dict[str, UUID] = {}  # a slug never changes its event
        self._by_order: OrderedDict[UUID, UUID] = OrderedDict()  # orders held here lately, the newest last

    def close(self) -> None:
        """Let go of the connections; the tills' threads end by themselves."""
        self._engine.dispose()

    def event_id(self, slug: str) -> UUID | None:
        """The event of that slug; those asked for before come from memory."""
        found = self._by_slug.get(slug)
        if found is None:
            with read(self._engine) as connection:
                found = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one_or_none()
            if found is not None:
                self._by_slug[slug] = found
        return found

    def knows(self, slug: str) -> bool:
        """Whether `event_id` would answer from memory."""
        return slug in self._by_slug

    def remember(self, order_id: UUID, event_id: UUID) -> None:
        """That the order is the event's: its buyer will be back in a moment to pay."""
        with self._lock:
            self._by_order[order_id] = event_id
            while len(self._by_order) > REMEMBERED_ORDERS:
                self._by_order.popitem(last=False)

    def event_of(self, order_id: UUID) -> UUID | None:
        """The event of an order that was held here lately."""
        return self._by_order.get(order_id)

    @property
    def waiting(self) -> int:
        """How many requests wait at all tills of this process."""
        return sum(till.waiting for till in list(self._tills.values()))

    def of(self, event_id: UUID) -> Till:
        found = self._tills.get(event_id)
        if found is None:
            with self._lock:
                found = self._tills.setdefault(event_id, Till(self._engine, event_id, self.trouble))
        return found


def insist(run: Callable[[], Answer]) -> Answer:
    """Run something idempotent until the database says what became of it; `Refused` when it is away for too long."""
    deadline = time.monotonic() + RETRY_SECONDS
    pause = RETRY_PAUSE_SECONDS
    while True:
        try:
            return run()
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            if failure in UNWRITABLE or time.monotonic() + pause > deadline:
                raise refuse(problem_code(failure), "") from error
            _log.warning("the database failed (%s); the batch is run again", failure)
        time.sleep(pause)
        pause = min(2 * pause, 1.0)

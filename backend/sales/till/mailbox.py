"""Answers of the tills on their way to an event loop: those of a batch arrive together, with one wake-up.

Waking thirty threads one by one, each of which then waits for the interpreter's lock, cost more than deciding.
"""

import asyncio
from collections import deque

from backend.domain.selling.outcomes import Outcome
from backend.errors import refuse

LOOK_SECONDS = 1.0  # how often it is seen to who waits for too long

Answer = tuple[asyncio.Future[Outcome], Outcome | None, Exception | None]


class Mailbox:
    """Of one event loop. `put` and `hand_over` are for any thread, the rest for the loop's own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._answers: deque[Answer] = deque()
        self._expected: deque[tuple[float, asyncio.Future[Outcome]]] = deque()  # by their deadlines
        self._looking = False

    def expect(self, seconds: float) -> asyncio.Future[Outcome]:
        """A place for an answer; after `seconds`, always the same, it is refused (`answer_unknown`)."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._expected.append((self._loop.time() + seconds, future))
        if not self._looking:
            self._looking = True
            self._loop.call_later(LOOK_SECONDS, self._look)
        return future

    def put(self, future: asyncio.Future[Outcome], outcome: Outcome | None, error: Exception | None) -> None:
        """Leave an answer; it is handed over with the next `hand_over`."""
        self._answers.append((future, outcome, error))

    def hand_over(self) -> None:
        """Wake the loop for what was left."""
        if not self._loop.is_closed():  # else nobody is left to be told
            self._loop.call_soon_threadsafe(self._give)

    def _give(self) -> None:
        while self._answers:
            future, outcome, error = self._answers.popleft()
            if future.done():
                continue  # its time was over
            if error is not None:
                future.set_exception(error)
            elif outcome is not None:
                future.set_result(outcome)

    def _look(self) -> None:
        now = self._loop.time()
        while self._expected and (self._expected[0][1].done() or self._expected[0][0] <= now):
            _deadline, future = self._expected.popleft()
            if not future.done():
                future.set_exception(refuse("answer_unknown", ""))
        self._looking = bool(self._expected)
        if self._looking:
            self._loop.call_later(LOOK_SECONDS, self._look)

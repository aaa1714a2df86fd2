"""A look at the database that nobody waits for: for those who must answer within two seconds, whatever hangs.

A server that is stopped, or a network that swallows everything, gives no error; a statement there would hold its
request for as long as the engine's own patience (backend.db.patience). So the question goes to a thread of its own.
While one of them hangs, everybody after it is told at once, and at most a handful of threads wait.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar

from sqlalchemy.exc import TimeoutError as Silent

GLANCE_SECONDS = 1.0  # a look takes milliseconds

Answer = TypeVar("Answer")


class Glance:
    """Shared by the threads of a process."""

    def __init__(self, seconds: float = GLANCE_SECONDS) -> None:
        self._seconds = seconds
        self._under_way: dict[Future[Any], float] = {}  # since when, by the monotonic clock

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """What `question` returns or raises; SQLAlchemy's `TimeoutError` if that takes too long, or already does."""
        now = time.monotonic()
        if any(now - since > self._seconds for since in list(self._under_way.values())):
            raise Silent("the database does not answer, as others found out before")
        answer: Future[Answer] = Future()
        self._under_way[answer] = now
        threading.Thread(target=self._run, args=(question, answer), name="glance", daemon=True).start()
        try:
            return answer.result(self._seconds)
        except NotYet as error:
            if answer.done():  # the question's own
                raise
            raise Silent("the database does not answer") from error

    def _run(self, question: Callable[[], Answer], answer: Future[Answer]) -> None:
        try:
            answer.set_result(question())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
            answer.set_exception(error)
        finally:
            self._under_way.pop(answer, None)

"""Run a worker's tasks side by side: each in a thread of its own, led by one process at a time.

Promises: a task that fails, hangs or waits for something that is away never stops another; it is tried again, after a
pause that doubles up to a limit, and its failure is logged once, not at every try. Leadership is for thrift and order;
what must not happen twice is kept by constraints and fences, whoever leads. No task runs on a restored database before
it is reconciled, also when it was put back under a worker that runs; a task that tells people may name what it does
for that time.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread

from sqlalchemy import Engine

from backend.chain import leases
from backend.chain.leases import HeldLease, LeaseLostError
from backend.db.engine import read
from backend.db.tables.restores import waiting

RENEW_SECONDS = leases.LEASE_SECONDS / 3
FIRST_PAUSE_SECONDS = 0.5  # after a failure
LONGEST_PAUSE_SECONDS = 10.0
REST_SECONDS = 1.0  # between two looks whether a restored database is reconciled
REMIND_SECONDS = 60.0  # a failure that lasts is logged again after so long
JOIN_SECONDS = 8.0  # for a task to come to its end when told to stop

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do again and again. `run` says how much it did; if nothing, the task pauses before the next time.

    `at_rest`: what it does instead on a restored database that waits, of which it is told when it was put back (Unix
    milliseconds): nothing about anything older may be done.
    """

    name: str
    pause_seconds: float
    run: Callable[[HeldLease], int]
    at_rest: Callable[[int], int] | None = None


def work(engine: Engine, tasks: Sequence[Task], holder: str, stop: Event) -> None:
    """Run `tasks` until `stop` is set. `holder` names this process among all that ever ran."""
    threads = [
        Thread(target=_Loop(engine, task, holder, stop).run, name=f"task-{task.name}", daemon=True) for task in tasks
    ]
    for thread in threads:
        thread.start()
    stop.wait()
    deadline = time.monotonic() + JOIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


class _Loop:
    """One task's thread."""

    def __init__(self, engine: Engine, task: Task, holder: str, stop: Event) -> None:
        self._engine, self._task, self._holder, self._stop = engine, task, holder, stop
        self._held: HeldLease | None = None
        self._renewed = 0.0
        self._rests = False
        self._failures = 0
        self._told: tuple[str, float] = ("", 0.0)

    def run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                pause = self._round()
                self._failures = 0
            except LeaseLostError:
                self._held, pause = None, self._task.pause_seconds
            except Exception as error:  # noqa: BLE001 - whatever it is, the other tasks and the next try go on
                self._failures += 1
                pause = min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_SECONDS)
                self._tell(error)
        self._release()

    def _round(self) -> float:
        restored_ms = self._restored_ms()
        if restored_ms is not None and self._task.at_rest is None:
            return REST_SECONDS
        now = time.monotonic()
        if self._held is None or now - self._renewed > RENEW_SECONDS:
            self._held, self._renewed = leases.take(self._engine, self._task.name, self._holder), now
        if self._held is None:
            return max(self._task.pause_seconds, RENEW_SECONDS / 3)  # another process leads
        if restored_ms is not None and self._task.at_rest is not None:
            return 0.0 if self._task.at_rest(restored_ms) else self._task.pause_seconds
        return 0.0 if self._task.run(self._held) else self._task.pause_seconds

    def _restored_ms(self) -> int | None:
        with read(self._engine) as connection:
            restored = waiting(connection)
        if restored is None:
            self._rests = False
            return None
        if not self._rests and self._task.at_rest is None:
            self._rests = True
            _log.warning("task %s rests: the database was restored; run: truestub reconcile", self._task.name)
            self._release()  # for truestub reconcile
            self._held = None
        return int(restored["at_ms"])

    def _tell(self, error: Exception) -> None:
        text, now = f"{type(error).__name__}: {error}", time.monotonic()
        last, when = self._told
        if text != last or now - when > REMIND_SECONDS:
            self._told = (text, now)
            _log.warning("task %s failed and is tried again: %s", self._task.name, text.splitlines()[0])
            _log.debug("task %s failed", self._task.name, exc_info=error)

    def _release(self) -> None:
        if self._held is not None:
            try:
                leases.release(self._engine, self._held)
            except Exception as error:  # noqa: BLE001 - it expires by itself
                self._tell(error)

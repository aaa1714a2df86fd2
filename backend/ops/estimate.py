"""When a backlog will be gone: from how much of it waits and how fast it went. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

ASSUMED_PER_S = (
    2_000.0  # tickets, until a rate was seen: more than a public network takes (380), less than anvil (11,000)
)
STALL_MS = 30_000  # without progress for so long it did not go slowly, it stood
MEASURED_MS = 30_000  # of a drain, the newest, make the rate
SETTLE_SECONDS = 2  # a transaction needs a block or two, however short the queue


class Sample(NamedTuple):
    """How much was done, ever, and how much of a backlog waits, at a moment.

    Backlog is what waited when the chain came back, not what is always on its way: the rate of a sale says nothing of
    what the chain can take.
    """

    at_ms: int
    done: int
    waiting: int


class Drain:
    """Remembers how fast a backlog drains. For one thread."""

    def __init__(self) -> None:
        self._steps: list[Sample] = []  # of one drain: its beginning, then each moment at which more was done
        self._last = ASSUMED_PER_S

    def note(self, sample: Sample) -> None:
        """Take another sample."""
        if not self._steps or sample.at_ms - self._steps[-1].at_ms > STALL_MS:
            self._steps = [sample]
        elif sample.done > self._steps[-1].done:
            self._steps.append(sample)
            while len(self._steps) > 2 and self._steps[1].at_ms < sample.at_ms - MEASURED_MS:
                del self._steps[0]
            seen = _rate(self._steps)
            self._last = seen if sample.waiting else max(seen, self._last)  # emptied within the step: at least so fast
        if not sample.waiting:
            self._steps = []

    @property
    def per_s(self) -> float:
        """Things done in a second while a backlog waited; an assumption before any did."""
        return self._last


def _rate(steps: Sequence[Sample]) -> float:
    """Things done in a second between the first progress and the last.

    When the chain was ready is not known, only when it first took some: the first alone is judged by a block or two.
    """
    first, last = steps[min(1, len(steps) - 2)], steps[-1]
    span_ms = last.at_ms - first.at_ms
    if len(steps) == 2:
        span_ms = min(span_ms, 1000 * SETTLE_SECONDS)
    return 1000 * (last.done - first.done) / max(1, span_ms)


def seconds_to_drain(waiting: int, per_s: float) -> int:
    """Whole seconds until the queue is empty, once it drains."""
    return SETTLE_SECONDS + math.ceil(waiting / per_s)

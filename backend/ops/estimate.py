"""When a backlog will be gone: the blocks it needs at least, and how much waits by how fast it goes. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from backend.chain.breaker import LONGEST_REST_SECONDS

ASSUMED_PER_S = (
    2_000.0  # tickets, until a rate was seen: more than a public network takes (380), less than anvil (11,000)
)
STALL_MS = 30_000  # without progress for so long it did not go slowly, it stood
MEASURED_MS = 30_000  # of a drain, the newest, make the rate
LASTED_MS = 4_000  # a shorter drain was short of tickets, not of speed: it says nothing of the next
SETTLE_BLOCKS = 2  # that a transaction needs, however short the queue
FEW_SECONDS = 10  # what is shorter is "a few seconds": how the second is cut decides more than any rate


class Sample(NamedTuple):
    """How much was done, ever, and how much of a backlog waits, at a moment.

    Backlog is what waited when the chain came back, not what is always on its way: the rate of a sale says nothing of
    what the chain can take.
    """

    at_ms: int
    done: int
    waiting: int


class Drain:
    """Learns how fast a backlog drains. For one thread. `remembered`: what an earlier one learnt."""

    def __init__(self, remembered: float | None = None) -> None:
        self._steps: list[Sample] = []  # of one drain: its beginning, then each moment at which more was done
        self._seen: float | None = None  # of this drain
        self.learnt = remembered  # from drains that lasted; worth remembering

    def note(self, sample: Sample) -> None:
        """Take another sample."""
        if not self._steps or sample.at_ms - self._steps[-1].at_ms > STALL_MS:
            self._steps, self._seen = [sample], None
        elif sample.done > self._steps[-1].done:
            self._steps.append(sample)
            while len(self._steps) > 2 and self._steps[1].at_ms < sample.at_ms - MEASURED_MS:
                del self._steps[0]
            self._learn(sample)
        if not sample.waiting:
            self._steps, self._seen = [], None

    @property
    def per_s(self) -> float:
        """Things done in a second while a backlog waited; an assumption before any did."""
        return self._seen or self.learnt or ASSUMED_PER_S

    def _learn(self, sample: Sample) -> None:
        if len(self._steps) < 3:  # when the chain was ready is not known, only when it first took some
            at_least = 1000 * (sample.done - self._steps[0].done) / max(1, sample.at_ms - self._steps[0].at_ms)
            if at_least > self.per_s:
                self.learnt = at_least
            return
        self._seen = _rate(self._steps)
        if sample.at_ms - self._steps[1].at_ms >= LASTED_MS:
            self.learnt = self._seen if sample.waiting else max(self._seen, self.learnt or 0.0)


def _rate(steps: Sequence[Sample]) -> float:
    """Things done in a second between the first progress and the last."""
    first, last = steps[1], steps[-1]
    return 1000 * (last.done - first.done) / max(1, last.at_ms - first.at_ms)


def seconds_to_drain(waiting: int, per_s: float, block_s: float) -> int:
    """Whole seconds until the queue is empty, now that it drains."""
    return math.ceil(max(SETTLE_BLOCKS * block_s, waiting / per_s))


def seconds_after_return(waiting: int, per_s: float, block_s: float) -> int:
    """The same from the moment at which the node is back: first we must find out."""
    return math.ceil(LONGEST_REST_SECONDS) + seconds_to_drain(waiting, per_s, block_s)

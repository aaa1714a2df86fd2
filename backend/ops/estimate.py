"""When a backlog will be gone: from how much waits and how fast it went. Pure."""

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

WINDOW_MS = 60_000  # the rate is of the last minute in which something waited
ASSUMED_PER_S = 500.0  # tickets, until a rate was seen; a tenth of what one anvil takes
SETTLE_SECONDS = 4  # a transaction needs a block or two, however short the queue


class Sample(NamedTuple):
    """How much was done, ever, and how much waits, at a moment."""

    at_ms: int
    done: int
    waiting: int


class Drain:
    """Remembers how fast the queue drains. For one thread."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._last: float | None = None

    def note(self, sample: Sample) -> None:
        """Take another sample."""
        self._samples.append(sample)
        while self._samples[0].at_ms < sample.at_ms - WINDOW_MS:
            self._samples.popleft()
        self._last = rate(self._samples) or self._last

    @property
    def per_s(self) -> float:
        """Things done in a second, while there was something to do; an assumption before any was."""
        return self._last or ASSUMED_PER_S


def rate(samples: Iterable[Sample]) -> float | None:
    """Things done in a second, over the spans in which some were done; none if none was."""
    done, span_ms = 0, 0
    before: Sample | None = None
    for sample in samples:
        if before is not None and before.waiting and sample.done > before.done:
            done += sample.done - before.done
            span_ms += sample.at_ms - before.at_ms
        before = sample
    return 1000 * done / span_ms if span_ms > 0 else None


def seconds_to_drain(waiting: int, per_s: float) -> int:
    """Whole seconds until the queue is empty, once it drains."""
    return SETTLE_SECONDS + math.ceil(waiting / per_s)

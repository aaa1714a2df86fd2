"""What keeps this process's tills from selling, as they met it themselves: so the status tells the truth."""

import time
from collections.abc import Callable

from backend.db.failures import Failure

PAST_SECONDS = 15.0  # a failure that nobody has met again for so long is past
LATELY_SECONDS = 2.0  # a database that took a batch since then is not silent, however long others wait for it


class Trouble:
    """Why the database took no batch lately. Each till's thread writes and whoever asks reads, by one assignment."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._met: tuple[Failure, float, float] | None = None  # what, first and last met (Unix seconds)
        self._passed = 0.0  # Unix seconds

    def meet(self, failure: Failure) -> None:
        """A batch was refused for it."""
        known, now, self._passed = self._met, self._clock(), 0.0
        self._met = (failure, known[1] if known and known[0] == failure else now, now)

    def passed(self) -> None:
        """A batch was committed."""
        self._met, self._passed = None, self._clock()

    @property
    def sold_lately(self) -> bool:
        """The database took a batch a moment ago, and refused none since."""
        return self._met is None and abs(self._clock() - self._passed) < LATELY_SECONDS

    @property
    def now(self) -> tuple[Failure, int] | None:
        """What keeps us from selling, and since when in Unix milliseconds; none if nothing does."""
        met = self._met
        if met is None or self._clock() - met[2] > PAST_SECONDS:
            return None
        return met[0], round(1000 * met[1])

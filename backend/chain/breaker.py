"""A circuit breaker: after a few failures in a row an endpoint rests, longer each time, before it is tried again."""

import threading
from collections.abc import Callable

FAILURES = 3  # in a row, until the first rest
FIRST_REST_SECONDS = 0.5
LONGEST_REST_SECONDS = 4.0  # a node that is back is noticed within this


class Breaker:
    """State of one endpoint. Safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._rest_until = 0.0

    def may_try(self) -> bool:
        """Whether to ask the endpoint now."""
        with self._lock:
            return self._failures < FAILURES or self._monotonic() >= self._rest_until

    def succeeded(self) -> None:
        """It answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """It did not. From the third failure on it rests, twice as long each time up to a limit."""
        with self._lock:
            self._failures += 1
            doubled = FIRST_REST_SECONDS * 2 ** min(max(0, self._failures - FAILURES), 10)
            self._rest_until = self._monotonic() + min(doubled, LONGEST_REST_SECONDS)

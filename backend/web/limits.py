"""How much one client address may ask for: rates, and holds that nobody paid for yet. No clock, no HTTP in here.

A rate is the generic cell rate algorithm (ITU-T I.371, annex A): of each address one number is kept, the time at which
all it was given is earned again. All is in memory: a restart forgets it, which gives a bot one more burst. Memory is
bounded: the address (or hold) that was heard of longest ago is forgotten first.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from threading import Lock
from uuid import UUID

from backend.clock import Clock

MAX_ADDRESSES = 50_000  # remembered, by each limit; about 10 MB


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_second` in the long run."""

    burst: int
    per_second: float


def take(rate: Rate, earned_at: float, now: float) -> tuple[float, float]:
    """Give one more, if the rate allows it: the new `earned_at`, and the seconds to wait (0: it is given)."""
    earned_at = max(earned_at, now)
    wait = earned_at - now - (rate.burst - 0.5) / rate.per_second  # 0.5: sums of fractions are inexact
    return (earned_at, wait) if wait > 0 else (earned_at + 1 / rate.per_second, 0.0)


class Buckets:
    """A rate for each address. Safe in several threads."""

    def __init__(self, rate: Rate, clock: Clock, most: int = MAX_ADDRESSES) -> None:
        self._rate, self._clock, self._most = rate, clock, most
        self._earned: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._earned)

    def wait_seconds(self, address: str) -> int:
        """0, and one fewer is left; or the seconds until there is another."""
        now = self._clock()
        with self._lock:
            earned, wait = take(self._rate, self._earned.get(address, now), now)
            self._earned[address] = earned
            self._earned.move_to_end(address)
            if len(self._earned) > self._most:
                self._earned.popitem(last=False)
        return ceil(wait)


class UnpaidHolds:
    """How many holds an address has that are neither paid nor over. Safe in several threads.

    `seconds`: how long a hold lasts. Requests of one moment may pass `most` by their number, which a rate bounds.
    """

    def __init__(self, most: int, seconds: float, clock: Clock, remembered: int = MAX_ADDRESSES) -> None:
        self._most, self._seconds, self._clock, self._remembered = most, seconds, clock, remembered
        self._holds: OrderedDict[UUID, tuple[str, float]] = OrderedDict()  # the address, and when the hold ends
        self._counts: dict[str, int] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._holds)

    def wait_seconds(self, address: str) -> int:
        """0 if the address may hold more; or the seconds until the oldest hold of all is over."""
        if self._counts.get(address, 0) < self._most:
            return 0
        with self._lock:
            now = self._clock()
            while self._holds and self._oldest_ends() <= now:
                self._drop(next(iter(self._holds)))
            return ceil(self._oldest_ends() - now) if self._counts.get(address, 0) >= self._most else 0

    def add(self, order_id: UUID, address: str) -> None:
        """The order holds tickets now."""
        with self._lock:
            if order_id not in self._holds:
                self._holds[order_id] = address, self._clock() + self._seconds
                self._counts[address] = self._counts.get(address, 0) + 1
            if len(self._holds) > self._remembered:
                self._drop(next(iter(self._holds)))

    def drop(self, order_id: UUID) -> None:
        """The order is paid, or gave its tickets back."""
        with self._lock:
            if order_id in self._holds:
                self._drop(order_id)

    def _oldest_ends(self) -> float:
        return next(iter(self._holds.values()))[1]

    def _drop(self, order_id: UUID) -> None:
        address, _ends = self._holds.pop(order_id)
        left = self._counts.pop(address) - 1
        if left:
            self._counts[address] = left

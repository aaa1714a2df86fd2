"""How often is too often: guards against guessing order secrets and against a runaway caller of the signer.

Both live in the signer's memory: a restart forgets them, which gives an attacker nothing worth having, since order
secrets have 256 bits and the lasting limits (per ticket) are counted in the database.
"""

from collections import OrderedDict
from threading import Lock
from uuid import UUID

from backend.clock import Clock

MAX_WRONG_SECRETS = 10  # of one order, within the window
WRONG_SECRET_WINDOW_SECONDS = 600
MAX_ORDERS_REMEMBERED = 100_000  # the one that failed longest ago is forgotten first

MAX_CREDENTIALS_PER_TICKET = 6  # within the window; counted in the database
CREDENTIAL_WINDOW_SECONDS = 3600

EVENT_CREDENTIALS_PER_SECOND = 200.0  # new ones, of one event, in the long run
EVENT_CREDENTIALS_BURST = 2000.0


class WrongSecrets:
    """Counts wrong order secrets. Safe in several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[UUID, list[float]] = OrderedDict()
        self._lock = Lock()

    def wait_seconds(self, order_id: UUID) -> int:
        """0 if the order may be tried, else how long to wait. Right secrets wait too: else waiting would tell."""
        with self._lock:
            recent = self._recent(order_id)
            if len(recent) < MAX_WRONG_SECRETS:
                return 0
            return max(1, int(recent[-MAX_WRONG_SECRETS] + WRONG_SECRET_WINDOW_SECONDS - self._clock()) + 1)

    def record(self, order_id: UUID) -> None:
        """Remember one more."""
        with self._lock:
            self._failures[order_id] = [*self._recent(order_id), self._clock()]
            self._failures.move_to_end(order_id)
            while len(self._failures) > MAX_ORDERS_REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, order_id: UUID) -> list[float]:
        since = self._clock() - WRONG_SECRET_WINDOW_SECONDS
        return [at for at in self._failures.get(order_id, []) if at > since]


class EventRate:
    """A token bucket for each event. Safe in several threads."""

    def __init__(
        self, clock: Clock, per_second: float = EVENT_CREDENTIALS_PER_SECOND, burst: float = EVENT_CREDENTIALS_BURST
    ) -> None:
        self._clock = clock
        self._per_second, self._burst = per_second, burst
        self._buckets: dict[UUID, tuple[float, float]] = {}  # event -> (tokens, as of)
        self._lock = Lock()

    def take(self, event_id: UUID) -> bool:
        """True, and one fewer, if the event may have another credential now."""
        with self._lock:
            now = self._clock()
            tokens, since = self._buckets.get(event_id, (self._burst, now))
            tokens = min(self._burst, tokens + max(0.0, now - since) * self._per_second)
            allowed = tokens >= 1
            self._buckets[event_id] = (tokens - 1 if allowed else tokens, now)
            return allowed

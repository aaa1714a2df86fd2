"""How often is too often: guards against guessing order secrets and against a runaway caller of the signer.

Both live in the signer's memory: a restart forgets them, which gives an attacker nothing worth having, since order
secrets have 256 bits and the lasting limits (per ticket) are counted in the database.
"""

import hashlib
import hmac
from collections import OrderedDict
from threading import Lock
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from backend.clock import Clock
from backend.errors import refuse
from backend.i18n import gettext as _

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


def check_secret(order: Row[Any], secret: str | None, wrong_secrets: WrongSecrets) -> None:
    """Refuses `order_secret_missing`, `order_secret_wrong`, and `too_many_attempts` (with `retry_after`)."""
    if secret is None:
        raise refuse("order_secret_missing", _("Open the link of your order, or sign with the owner's wallet"))
    wait = wrong_secrets.wait_seconds(order.id)
    if wait:
        raise refuse("too_many_attempts", _("Too many wrong attempts for this order; wait"), retry_after=wait)
    if not hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), order.secret_hash):
        wrong_secrets.record(order.id)
        raise refuse("order_secret_wrong", _("This link does not belong to the order; use the one you were given"))


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

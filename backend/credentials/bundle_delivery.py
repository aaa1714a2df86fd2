"""Hand a gate the newest bundle, or what changed since the one it has (SPEC 5.3, 5.5).

The worker keeps bundles fresh. Where it does not (it is down, or the gate was enrolled a moment ago and is not in the
newest), the bundle is renewed on demand; where that fails too, an older one is better than none.
"""

import logging
from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Engine, Row

from backend.clock import Clock
from backend.credentials.bundles import NEAR_PACE, BundleSigner, Head, head, newest, refresh_event, stored
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from credential.delta import make_delta

STALE_SECONDS = 2 * NEAR_PACE.at_least  # a bundle that old was forgotten by the worker
RETRY_SECONDS = 2
KEPT_DELTAS = 64  # gates that poll in step ask for the same ones
KEPT_SNAPSHOTS = 8  # one for each of the events that gates ask about now
MAX_DELTA_SHARE = 0.5  # of the snapshot; a larger delta is not worth its trouble

_log = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """What to send. `etag` names these very bytes."""

    version: int
    data: bytes
    etag: str


class Deliveries:
    """Remembers what it read and worked out last. Safe in several threads."""

    def __init__(self, engine: Engine, signer: BundleSigner, clock: Clock) -> None:
        self._engine, self._signer, self._clock = engine, signer, clock
        self._snapshots: OrderedDict[UUID, tuple[int, bytes]] = OrderedDict()
        self._deltas: OrderedDict[tuple[UUID, int, int], bytes | None] = OrderedDict()
        self._lock = Lock()

    def newest_version(self, event_id: UUID, gate: Row[Any]) -> int:
        """The version that a gate should have; refuses `no_bundle`, or whatever keeps the first from being made."""
        known = head(self._engine, event_id)
        if known is None or self._is_forgotten(known) or gate.created_ms >= known.rows_through_ms:
            known = self._renewed(event_id, known)
        return known.version

    def delivery(self, event_id: UUID, version: int, since: int | None) -> Delivery:
        """The snapshot, or the delta from version `since` where there is one that is worth it."""
        data = self._snapshot(event_id, version)
        if since is not None and since != version:
            delta = self._delta(event_id, since, version, data)
            if delta is not None:
                return Delivery(version, delta, f"{version}-{since}")
        return Delivery(version, data, f"{version}")

    def _is_forgotten(self, known: Head) -> bool:
        return self._clock() - known.created_ms / 1000 > STALE_SECONDS

    def _renewed(self, event_id: UUID, known: Head | None) -> Head:
        try:
            refresh_event(self._engine, self._signer, event_id, at_once=known is None or not self._is_forgotten(known))
        except Refused as refused:
            if known is None:
                raise
            _log.warning("the bundle could not be renewed: %s", refused.refusal.code)
        renewed = head(self._engine, event_id) or known
        if renewed is None:
            raise refuse("no_bundle", _("The event's bundle is being made; try again"), retry_after=RETRY_SECONDS)
        return renewed

    def _snapshot(self, event_id: UUID, version: int) -> bytes:
        with self._lock:
            known = self._snapshots.get(event_id)
        if known is not None and known[0] == version:
            return known[1]
        found = newest(self._engine, event_id)
        if found is None:
            raise refuse("no_bundle", _("The event's bundle is being made; try again"), retry_after=RETRY_SECONDS)
        with self._lock:
            _remember(self._snapshots, event_id, (found.version, found.data), KEPT_SNAPSHOTS)
        return found.data

    def _delta(self, event_id: UUID, since: int, version: int, following: bytes) -> bytes | None:
        wanted = (event_id, since, version)
        with self._lock:
            if wanted in self._deltas:
                return self._deltas[wanted]
        base = stored(self._engine, event_id, since)
        delta = _worthwhile_delta(base, following) if base is not None else None
        with self._lock:
            _remember(self._deltas, wanted, delta, KEPT_DELTAS)
        return delta


def _worthwhile_delta(base: bytes, following: bytes) -> bytes | None:
    try:
        delta = make_delta(base, following)
    except ValueError:
        return None
    return delta if len(delta) < MAX_DELTA_SHARE * len(following) else None


def _remember(cache: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:  # noqa: ANN401 - any cache
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > most:
        cache.popitem(last=False)

"""The rules of health: from readings to what works, waits or is down, and why. Pure; words are in `health_words`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backend.db.failures import UNWRITABLE
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES
from backend.ops.readings import Readings

QUIET_INDEX_MS = 30_000  # an index that heard nothing of its node for longer is old
LATE_MINT_MS = 180_000  # a closed batch that waits for longer, although the node is well, is a trouble of ours
WORKER_GONE_MS = 2_000  # after its lease ran out
STALLED_COMMIT_MS = 3_000  # a commit waits a few milliseconds for a standby that is well
LATE_BUNDLE_MS = 90_000  # near an event a bundle is renewed every 15 s (backend.credentials.bundles)

_RESTING = ("payments", "minting", "index", "node", "gate_sync")  # components that a worker's tasks look after
_NOT_RESTING = ("database", "standby", *UNWRITABLE)  # causes that are no task's

State = Literal["works", "waits", "down"]
Fact = int | str | None


@dataclass(frozen=True, slots=True)
class Health:
    """How one component is. `cause` is a stable word; `facts` are what its sentence needs."""

    component: str
    state: State
    cause: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    since_ms: int | None = None


def judge(now: Readings) -> tuple[Health, ...]:
    """Every component, in the order people care about."""
    if now.database_away_ms is not None:
        return _without_database(now)
    stopped = _stopped(now)
    cause, since = stopped or ("", None)
    found = (
        Health("sales", "down", cause, since_ms=since) if stopped else _sales(now),
        Health("payments", "waits", cause, since_ms=since) if stopped else _payments(now),
        _amounts(now),
        _refunds(now),
        _signer(now),
        _minting(now, sells=stopped is None),
        _index(now),
        _node(now),
        _gate_sync(now),
        _database(stopped),
        _disk(now),
        _environment(now),
    )
    return found if now.restored_ms is None else tuple(_at_rest(one, now.restored_ms) for one in found)


def _at_rest(one: Health, since_ms: int) -> Health:
    """No task runs before a restored database is reconciled: what is late then waits for that; no fault of its own."""
    if one.component not in _RESTING or one.state == "works" or one.cause in _NOT_RESTING:
        return one
    return Health(one.component, "waits", "restored", one.facts, since_ms)


def _stopped(now: Readings) -> tuple[str, int | None] | None:
    """Why the database takes no order although it answers, and since when."""
    if now.unwritable is not None:
        return now.unwritable if now.unwritable in UNWRITABLE else "database", now.unwritable_ms
    waits = now.commits_wait_ms  # for the synchronous standby
    return ("standby", waits) if waits is not None and now.at_ms - waits > STALLED_COMMIT_MS else None


def _database(stopped: tuple[str, int | None] | None) -> Health:
    if stopped is None:
        return Health("database", "works", "answers")
    cause, since = stopped
    return Health("database", "down", "silent" if cause == "database" else cause, since_ms=since)


def _sales(now: Readings) -> Health:
    if now.restored_ms is not None:
        return Health("sales", "down", "restored", since_ms=now.restored_ms)
    if now.embedded and now.free_bytes is not None and now.free_bytes < FULL_DISK_BYTES:
        return Health("sales", "waits", "disk")
    return Health("sales", "works", "open", {"events": now.events_on_sale})


def _without_database(now: Readings) -> tuple[Health, ...]:
    since = now.database_away_ms
    return (
        Health("sales", "down", "database", since_ms=since),
        Health("payments", "waits", "database", since_ms=since),
        _signer(now),
        Health("minting", "waits", "database", {"waiting": now.mints_queued}, since),
        _gate_sync(now),
        Health("database", "down", "silent", since_ms=since),
        _disk(now),
    )


def _payments(now: Readings) -> Health:
    if now.payments_late:
        return Health("payments", "waits", "late", {"count": now.payments_late}, now.payments_late_since_ms)
    if now.refunds_waiting:
        return Health("payments", "works", "refunds", {"count": now.refunds_waiting})
    return Health("payments", "works", "answers")


def _amounts(now: Readings) -> Health:
    if now.payments_different:
        return Health("amounts", "waits", "different", {"count": now.payments_different}, now.payments_different_ms)
    return Health("amounts", "works", "as_asked")


def _refunds(now: Readings) -> Health:
    if now.refunds_failed:
        return Health("refunds", "waits", "failed", {"count": now.refunds_failed}, now.refunds_failed_ms)
    return Health("refunds", "works", "sent")


def _signer(now: Readings) -> Health:
    return Health("signer", "works", "answers") if now.signer_answers else Health("signer", "down", "silent")


def _minting(now: Readings, *, sells: bool) -> Health:
    facts = {"waiting": now.mints_queued, "sells": int(sells)}
    if sells and now.worker_gone_ms is not None and now.at_ms - now.worker_gone_ms > WORKER_GONE_MS:
        return Health("minting", "waits", "no_worker", facts, now.worker_gone_ms)
    found, since = (now.trouble, now.trouble_since_ms) if now.trouble is not None else (now.stuck, now.stuck_since_ms)
    if found is not None:
        return Health("minting", "waits", found, facts, since)
    if now.index_block is None:
        return Health("minting", "waits", "no_node_yet", facts)
    if now.mints_behind:
        return Health("minting", "waits", "catching_up", {**facts, "behind": now.mints_behind}, now.trouble_over_ms)
    if now.mints_oldest_ms is not None and now.at_ms - now.mints_oldest_ms > LATE_MINT_MS:
        return Health("minting", "waits", "late", facts, now.mints_oldest_ms)
    return Health("minting", "works", "works", facts)


def _index(now: Readings) -> Health:
    if now.index_block is None or now.index_seen_ms is None:
        return Health("index", "waits", "not_begun")
    age = max(0, now.at_ms - now.index_seen_ms)
    facts = {"block": now.index_block, "seconds": age // 1000}
    if age > QUIET_INDEX_MS:
        return Health("index", "waits", "old", facts, now.index_seen_ms)
    return Health("index", "works", "fresh", facts)


def _node(now: Readings) -> Health:
    if now.trouble is not None:
        down = now.trouble in ("unreachable", "wiped")
        return Health("node", "down" if down else "waits", now.trouble, since_ms=now.trouble_since_ms)
    return Health("node", "waits", "unseen") if now.index_block is None else Health("node", "works", "answers")


def _gate_sync(now: Readings) -> Health:
    if now.bundle_oldest_ms is not None:
        age = now.at_ms - now.bundle_oldest_ms
        if age > LATE_BUNDLE_MS:
            return Health("gate_sync", "waits", "old", {"minutes": age // 60_000}, now.bundle_oldest_ms)
    return Health("gate_sync", "works", "fresh")


def _disk(now: Readings) -> Health:
    if now.free_bytes is None or now.free_bytes >= LOW_DISK_BYTES:
        return Health("disk", "works", "room")
    facts = {"free_mib": now.free_bytes // 1024**2}
    if now.free_bytes >= FULL_DISK_BYTES:
        return Health("disk", "waits", "low", facts)
    return Health("disk", "down", "full", facts)


def _environment(now: Readings) -> Health:
    if now.sensor is None:
        return Health("environment", "works", "within")
    facts = {"sensor": now.sensor, "says": now.sensor_says}
    if now.sensor_fault == "quiet":  # counted from when it is seen: a worker that starts finds old readings
        return Health("environment", "waits", "quiet", facts)
    return Health("environment", "waits", now.sensor_fault or "outside", facts, now.sensor_since_ms)

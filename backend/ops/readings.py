"""What the health of the platform is judged by: numbers from rows, the signer's socket and the disk. No chain node.

Readings are taken every second by the watcher and whenever somebody asks for the status; `health.judge` is the rule.
"""

import dataclasses
import json
import os
import socket
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, and_, func, or_, select

from backend.chain.stuck import what_is_stuck
from backend.credentials.unix_address import unix_address
from backend.db.clock import now_ms
from backend.db.standby import commit_waits_since_ms
from backend.db.tables.chain import Chain, ChainBlock, ChainJob, Diagnosis, Lease
from backend.db.tables.credentials import Bundle, Gate
from backend.db.tables.events import Event
from backend.db.tables.orders import Outbox, Payment, Ticket
from backend.db.tables.payments import FailedRefund
from backend.db.tables.restores import waiting as waiting_restore
from backend.db.tables.telling import SensorReading
from backend.db.tables.upkeep import BACKUP, DRILL, upkeep_of
from backend.ops.outages import open_diagnoses
from backend.sales.payments.flow import OTHER_MONEY
from backend.sales.payments.interface import AWAITING_BUYER

SIGNER_SECONDS = 0.25  # a local socket opens at once or not at all
SLOW_PAYMENT_MS = 30_000  # a payment open for longer than this is worth a word
SLOW_BUYER_MS = 2 * 3600 * 1000  # and so is one that a buyer left at the provider's page for longer than this
DIFFERENT_PAYMENT_MS = 24 * 3600 * 1000  # how long a payment of other money than asked for is told of
GATES_CARE_MS = 6 * 3600 * 1000  # before doors; from then on gates need fresh bundles
ASSUMED_BLOCK_MS = 12_000  # of Ethereum, until we have seen blocks
BLOCKS = 12  # the newest: the middle of their distances is the time of a block
SENSOR_MS = 10_000  # a sensor outside its limits for longer is a warning
OLD_SENSOR_MS = 60_000  # a reading older than this says nothing of now
NOT_ON_CHAIN = ("queued", "signed", "sent")
WATCH_LEASE = "watch"  # held by the worker that watches; it runs out when no worker lives
_FILE = "last-readings.json"


@dataclass(frozen=True, slots=True)
class Readings:
    """Moments are Unix milliseconds by the database's clock; none: there was nothing of the kind."""

    at_ms: int
    events_on_sale: int = 0
    payments_late: int = 0
    payments_late_since_ms: int | None = None
    refunds_waiting: int = 0
    refunds_failed: int = 0  # that a provider will not send; somebody must settle them
    refunds_failed_ms: int | None = None  # the first of them
    payments_different: int = 0  # lately, of other money than asked for
    payments_different_ms: int | None = None  # the last of them
    signer_answers: bool = True
    trouble: str | None = None  # the oldest open diagnosis of the node (backend.chain.diagnosis)
    trouble_since_ms: int | None = None
    trouble_over_ms: int | None = None  # when the last one passed
    stuck: str | None = None  # why nothing of ours gets onto the chain though its node answers (backend.chain.stuck)
    stuck_since_ms: int | None = None
    mints_queued: int = 0  # tickets
    mints_behind: int = 0  # of these, tickets that have waited since before the last trouble passed
    mints_oldest_ms: int | None = None  # since when the oldest closed batch waits
    minted: int = 0  # tickets on the chain by our own transactions, ever
    index_block: int | None = None
    index_seen_ms: int | None = None
    block_ms: int = ASSUMED_BLOCK_MS  # between two blocks of the chain
    worker_gone_ms: int | None = None  # since when no worker watches, if one ever did
    bundle_oldest_ms: int | None = None  # of events with enrolled gates that are near or open: the stalest bundle
    free_bytes: int | None = None
    sensor: str | None = None  # the sensor that has been outside its limits for the longest
    sensor_says: str | None = None  # with its unit; none: there is a fault
    sensor_fault: str | None = None  # quiet | bad_answer
    sensor_since_ms: int | None = None
    notices_waiting: int = 0
    restored_ms: int | None = None  # since when a restored database waits for truestub reconcile
    backup_ms: int | None = None  # the last good backup, or the installation's beginning
    backup_failed: bool = False  # the last time that one was tried
    drill_ms: int | None = None
    drill_failed: bool = False
    embedded: bool = False  # the database is a file in our data folder
    unwritable: str | None = None  # why nothing can be written though the database answers us (backend.db.failures)
    unwritable_ms: int | None = None
    commits_wait_ms: int | None = None  # since when a commit waits for the synchronous standby
    database_away_ms: int | None = None  # since when it does not answer; the rest is then what was known before


def take_readings(connection: Connection, signer_socket: Path, free: int | None) -> Readings:
    """Read everything. `free`: bytes left on the data folder's disk, none if not known."""
    now = now_ms(connection)
    late = select(func.count(), func.min(Payment.created_ms)).where(
        Payment.state.in_(("started", "unknown")),
        Payment.created_ms < now - SLOW_PAYMENT_MS,
        or_(Payment.reason.is_(None), Payment.reason != AWAITING_BUYER, Payment.created_ms < now - SLOW_BUYER_MS),
    )
    late_count, late_since = connection.execute(late).one()
    different = select(func.count(), func.max(Payment.changed_ms)).where(
        Payment.state.in_(("refunding", "refund_failed", "refunded")),
        Payment.reason.in_(OTHER_MONEY),
        Payment.changed_ms > now - DIFFERENT_PAYMENT_MS,
    )
    different_count, different_last = connection.execute(different).one()
    refunds = select(func.count()).where(Outbox.state == "waiting", Outbox.topic == "payment.refund")
    failed = select(func.count(), func.min(FailedRefund.failed_ms)).where(FailedRefund.state == "failed")
    failed_count, failed_first = connection.execute(failed).one()
    troubles = open_diagnoses(connection)
    over = connection.scalar(select(func.max(Diagnosis.closed_ms)))
    index = connection.execute(
        select(Chain.id, Chain.cursor_number, Chain.seen_ms)
        .where(Chain.state != "retired")
        .order_by(Chain.id.desc())
        .limit(1)
    ).one_or_none()
    waiting = and_(ChainJob.kind == "mint", ChainJob.state.in_(NOT_ON_CHAIN))
    minted = and_(ChainJob.kind == "mint", ChainJob.state.not_in(NOT_ON_CHAIN))
    tickets = func.coalesce(func.sum(ChainJob.tickets), 0)
    block_ms = _block_ms(connection, index.id) if index else ASSUMED_BLOCK_MS
    stuck = what_is_stuck(connection, now, block_ms, over or 0)
    old = SensorReading.read_ms < now - OLD_SENSOR_MS
    since = func.coalesce(SensorReading.outside_ms, SensorReading.read_ms)
    sensor = connection.execute(
        select(SensorReading.__table__, since.label("since_ms"), old.label("old"))
        .where(or_(SensorReading.outside_ms < now - SENSOR_MS, old))
        .order_by(since)
        .limit(1)
    ).one_or_none()
    fault = None if sensor is None else "quiet" if sensor.old else sensor.fault
    notices = select(func.count()).where(Outbox.state == "waiting", Outbox.topic.like("notice.%"))
    restored = waiting_restore(connection)
    backup, drill = (upkeep_of(connection, name) for name in (BACKUP, DRILL))
    return Readings(
        at_ms=now,
        events_on_sale=connection.scalar(select(func.count()).where(Event.state == "on_sale")) or 0,
        payments_late=late_count,
        payments_late_since_ms=late_since,
        refunds_waiting=connection.scalar(refunds) or 0,
        refunds_failed=failed_count,
        refunds_failed_ms=failed_first,
        payments_different=different_count,
        payments_different_ms=different_last,
        signer_answers=signer_answers(signer_socket),
        trouble=troubles[0].kind if troubles else None,
        trouble_since_ms=troubles[0].opened_ms if troubles else None,
        trouble_over_ms=over,
        stuck=stuck.cause if stuck else None,
        stuck_since_ms=stuck.since_ms if stuck else None,
        mints_queued=mints_queued(connection),
        mints_behind=int(connection.scalar(select(tickets).where(waiting, ChainJob.created_ms < (over or 0))) or 0),
        mints_oldest_ms=connection.scalar(select(func.min(ChainJob.created_ms)).where(waiting)),
        minted=int(connection.scalar(select(tickets).where(minted)) or 0),
        index_block=index.cursor_number if index else None,
        index_seen_ms=index.seen_ms if index else None,
        block_ms=block_ms,
        worker_gone_ms=_worker_gone(connection, now),
        bundle_oldest_ms=_oldest_bundle(connection, now),
        free_bytes=free,
        sensor=sensor.name if sensor else None,
        sensor_says=f"{sensor.value:g} {sensor.unit}".strip() if sensor and fault is None else None,
        sensor_fault=fault,
        sensor_since_ms=sensor.since_ms if sensor else None,
        notices_waiting=connection.scalar(notices) or 0,
        restored_ms=restored["at_ms"] if restored else None,
        backup_ms=backup.since_ms,
        backup_failed=backup.problem is not None,
        drill_ms=drill.since_ms,
        drill_failed=drill.problem is not None,
        commits_wait_ms=commit_waits_since_ms(connection),
        embedded=connection.dialect.name == "sqlite",
    )


def mints_queued(connection: Connection) -> int:
    """Paid tickets that the chain does not have yet, as far as we know."""
    unbatched = connection.scalar(select(func.count()).select_from(Ticket).where(Ticket.batch_number.is_(None)))
    waiting = connection.scalar(
        select(func.coalesce(func.sum(ChainJob.tickets), 0)).where(
            ChainJob.kind == "mint", ChainJob.state.in_(NOT_ON_CHAIN)
        )
    )
    return int(unbatched or 0) + int(waiting or 0)


def signer_answers(path: Path) -> bool:
    """Whether the signer's local socket opens."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, unix_address(path) as address:
            probe.settimeout(SIGNER_SECONDS)
            probe.connect(address)
    except OSError:
        return False
    return True


def keep(readings: Readings, folder: Path) -> None:
    """Keep them where they are found when the database is away; best effort, whole or not at all."""
    draft = folder / f".{_FILE}.{os.getpid()}"
    try:
        draft.write_text(json.dumps(dataclasses.asdict(readings)))
        draft.replace(folder / _FILE)
    except OSError:
        draft.unlink(missing_ok=True)


def kept(folder: Path) -> Readings | None:
    """What was last kept; none if there is nothing that we can read."""
    try:
        return Readings(**json.loads((folder / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _block_ms(connection: Connection, chain: int) -> int:
    newest = select(ChainBlock.timestamp).where(ChainBlock.chain == chain).order_by(ChainBlock.number.desc())
    times = connection.scalars(newest.limit(BLOCKS)).all()
    return round(1000 * median(a - b for a, b in pairwise(times))) if len(times) > 1 else ASSUMED_BLOCK_MS


def _worker_gone(connection: Connection, now: int) -> int | None:
    expires = connection.scalar(select(Lease.expires_ms).where(Lease.name == WATCH_LEASE))
    return expires if expires is not None and 0 < expires < now else None


def _oldest_bundle(connection: Connection, now: int) -> int | None:
    newest = (
        select(func.max(Bundle.rows_through_ms).label("through"))
        .join(Event, Event.id == Bundle.event_id)
        .where(Event.doors_ms - GATES_CARE_MS < now, Event.ends_ms > now)
        .where(select(Gate.number).where(Gate.event_id == Event.id).exists())
        .group_by(Bundle.event_id)
        .subquery()
    )
    oldest: int | None = connection.scalar(select(func.min(newest.c.through)))
    return oldest

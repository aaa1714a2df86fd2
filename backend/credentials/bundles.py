"""Keep every event's bundle fresh, and hand it out (SPEC 5.5).

Promises: versions of an event only grow and each is one content; what is stored is signed; any number of workers may
refresh at once.
"""

from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import Engine, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from backend.credentials.bundle_building import Built, build, fingerprint
from backend.credentials.bundle_signing import no_key_list
from backend.credentials.published import newest_key_list
from backend.credentials.snapshot import snapshot
from backend.credentials.validity import validity
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.credentials import Bundle
from backend.db.tables.events import Event
from backend.errors import Refused
from backend.killpoints import reach

NEAR_HOURS = 24  # before its codes begin to hold, an event is near; then gates need the newest
KEPT_VERSIONS = 40  # a gate that has one of these is sent a delta


class Pace(NamedTuple):
    """How often a bundle is renewed, in seconds since the last one."""

    if_changed: float
    at_least: float  # so that `rows_through`, `index_through` and the gate's clock floor go on growing


NEAR_PACE = Pace(1, 15)
FAR_PACE = Pace(20, 600)


class BundleSigner(Protocol):
    """The signer, as far as bundles need it. Raises `Refused`."""

    def sign_bundle(self, event_id: UUID, data: bytes) -> bytes: ...


class Head(NamedTuple):
    """What is known of the newest stored bundle without its megabytes."""

    version: int
    rows_through_ms: int
    created_ms: int


class Newest(NamedTuple):
    """The newest stored bundle."""

    version: int
    data: bytes


def refresh(engine: Engine, signer: BundleSigner) -> int:
    """Renew the bundle of every event that needs it; how many were. One event's failure does not stop the others.

    Raises the first `Refused` at the end, if the signer or the key list stood in the way.
    """
    done, refused = 0, None
    for event_id in _live_events(engine):
        try:
            done += refresh_event(engine, signer, event_id)
        except Refused as error:
            refused = refused or error
    if refused is not None and not done:
        raise refused
    return done


def refresh_event(engine: Engine, signer: BundleSigner, event_id: UUID, *, at_once: bool = False) -> bool:
    """Renew one event's bundle if it is due, or `at_once`; True if it was renewed."""
    with snapshot(engine) as taken:
        connection = taken.connection
        event = connection.execute(select(Event).where(Event.id == event_id)).one()
        key_list = newest_key_list(connection)
        if key_list is None:
            raise Refused(no_key_list())
        last = connection.execute(
            _newest(event_id, Bundle.version, Bundle.created_ms, Bundle.fingerprint)
        ).one_or_none()
        if last is not None and not at_once:
            age = (taken.taken_ms - last.created_ms) / 1000
            pace = pace_of(event, taken.taken_ms)
            if age < pace.if_changed:
                return False
            if age < pace.at_least and fingerprint(connection, event, key_list.version) == last.fingerprint:
                return False
        # The time, so that versions go on growing even if the database was restored from a backup and lost some.
        version = max(taken.taken_ms // 1000, last.version + 1 if last is not None else 1)
        built = build(taken, event, key_list, version)
    # Signed outside the snapshot: the signer reads the database too, and must not wait for us.
    try:
        data = signer.sign_bundle(event_id, built.encoded)
    except Refused as error:
        if error.refusal.code == "bundle_version_taken":
            return False  # another worker was faster
        raise
    reach("bundles.signed")
    return _store(engine, event_id, built, data)


def pace_of(event: Row[Any], now: int) -> Pace:
    """Near its doors an event's bundle follows every change at once."""
    window = validity(event.doors_ms, event.ends_ms)
    near = window.not_before - NEAR_HOURS * 3600 <= now // 1000 < window.not_after
    return NEAR_PACE if near else FAR_PACE


def newest(engine: Engine, event_id: UUID) -> Newest | None:
    """The newest bundle of an event; None before the first was built."""
    with read(engine) as connection:
        row = connection.execute(_newest(event_id, Bundle.version, Bundle.data)).one_or_none()
    return Newest(row.version, row.data) if row else None


def head(engine: Engine, event_id: UUID) -> Head | None:
    """Like `newest`, without its megabytes."""
    with read(engine) as connection:
        columns = (Bundle.version, Bundle.rows_through_ms, Bundle.created_ms)
        row = connection.execute(_newest(event_id, *columns)).one_or_none()
    return Head(*row) if row else None


def stored(engine: Engine, event_id: UUID, version: int) -> bytes | None:
    """A bundle that is still kept; None if it never was, or is no longer."""
    with read(engine) as connection:
        return connection.scalar(select(Bundle.data).where(Bundle.event_id == event_id, Bundle.version == version))


def _store(engine: Engine, event_id: UUID, built: Built, data: bytes) -> bool:
    try:
        with engine.begin() as connection:
            connection.execute(
                insert(Bundle).values(
                    event_id=event_id,
                    version=built.version,
                    data=data,
                    rows_through_ms=built.rows_through_ms,
                    index_through=built.index_through,
                    fingerprint=built.fingerprint,
                    created_ms=now_ms(connection),
                )
            )
            kept = select(Bundle.version).where(Bundle.event_id == event_id)
            kept = kept.order_by(Bundle.version.desc()).limit(KEPT_VERSIONS)
            connection.execute(delete(Bundle).where(Bundle.event_id == event_id, Bundle.version.not_in(kept)))
            reach("bundles.before_commit")
    except IntegrityError:
        return False  # another worker stored this version first; ours was given to nobody
    return True


def _live_events(engine: Engine) -> list[UUID]:
    """Events with keys whose codes may still be shown."""
    with read(engine) as connection:
        now = now_ms(connection) // 1000
        events = connection.execute(select(Event).where(Event.custody_address.is_not(None)))
        return [event.id for event in events if now < validity(event.doors_ms, event.ends_ms).not_after]


def _newest(event_id: UUID, *columns: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own types
    return select(*columns).where(Bundle.event_id == event_id).order_by(Bundle.version.desc()).limit(1)

"""Put an event on sale: rows first, then its keys from the signer, then its contract through the chain's outbox.

Each step is a transaction of its own and the whole may be run again at any point: what is there is left alone.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.db.clock import now_ms
from backend.db.tables.credentials import SigningKey
from backend.db.tables.events import Event, Seat, Stock, TicketClass, WaitingRoom
from backend.db.upsert import insert_missing
from backend.domain.event_file import MAX_FILE_BYTES, EventPlan, parse_event_file
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from backend.sales.changing import load_again
from backend.sales.installation import ensure_platform
from backend.waiting_room.rules import SEED_BYTES
from credential.ids import event_tag, key_id

MAX_EVENTS = 4096  # an event's number is 12 bits of a compact code (SPEC 3)
CREATE_TRIES = 5  # two creators may choose the same number; the database lets one of them in


Told = Callable[[Connection, str, dict[str, list[Any]]], None]  # the slug, and before and after by name


class EventKeys(Protocol):
    """What the signer makes for an event."""

    @property
    def issuing_public_key(self) -> bytes: ...
    @property
    def bundle_public_key(self) -> bytes: ...
    @property
    def custody_address(self) -> bytes: ...


class KeyMaker(Protocol):
    """The signer, as far as an event's creation needs it. The same event gets the same keys."""

    def prepare_event(self, event_id: UUID) -> EventKeys: ...


def create_event_from_file(engine: Engine, path: Path, told: Told | None = None) -> tuple[UUID, EventPlan]:
    """Read and create; raises `Refused` about the file, a taken slug, or a passed date."""
    data = _bytes_of(path)
    plan = parse_event_file(data)
    return create_event(engine, plan, sha256(data).digest(), told=told), plan


def read_event_file(path: Path) -> EventPlan:
    """The plan in a file; raises `Refused` about it."""
    return parse_event_file(_bytes_of(path))


def create_event(
    engine: Engine,
    plan: EventPlan,
    file_hash: bytes,
    new_id: Callable[[], UUID] = uuid4,
    told: Told | None = None,
) -> UUID:
    """The event's id. The same slug and file again: the same event. With another file: what of it may change, changes.

    `told` hears of such changes (`backend.sales.changing`) in the transaction that makes them. Raises `Refused`, also
    `event_exists` for a file that says more than may change.
    """
    for last in (*[False] * (CREATE_TRIES - 1), True):
        try:
            with engine.begin() as connection:
                found = connection.execute(
                    select(Event.id, Event.file_hash).where(Event.slug == plan.slug)
                ).one_or_none()
                if found is None:
                    return _insert(connection, plan, file_hash, new_id())
                existing: UUID = found.id
                if found.file_hash != file_hash:
                    changed = load_again(connection, existing, plan, file_hash)
                    if changed and told is not None:
                        told(connection, plan.slug, changed)
                return existing
        except IntegrityError:
            if last:
                raise
    raise AssertionError


def prepare_event(
    engine: Engine, signer: KeyMaker, event_id: UUID, enqueue: Callable[[Connection, UUID], object]
) -> None:
    """Give the event its keys and its place in the chain's outbox; sales open with this commit.

    `enqueue` is `backend.chain.jobs.enqueue_create_event`. Raises `Refused` if the signer can't be reached.
    """
    keys = signer.prepare_event(event_id)
    reach("event.keys")
    with engine.begin() as connection:
        custody = connection.execute(select(Event.custody_address).where(Event.id == event_id)).scalar_one()
        if custody is not None and custody != keys.custody_address:
            raise refuse(
                "signer_keys_changed",
                _("The signer holds other keys than this event was created with; restore its key folder"),
            )
        if custody is not None:
            return
        change = update(Event).where(Event.id == event_id)
        connection.execute(change.values(custody_address=keys.custody_address, state="on_sale"))
        now = now_ms(connection)
        insert_missing(
            connection,
            SigningKey,
            [
                {"public_key": key, "key_id": key_id(key), "role": role, "event_id": event_id, "created_ms": now}
                for role, key in (("issuing", keys.issuing_public_key), ("bundle", keys.bundle_public_key))
            ],
        )
        enqueue(connection, event_id)


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        sentence = _("%(path)s can't be read: %(why)s") % {"path": path, "why": error.strerror}
        raise refuse("event_file_unreadable", sentence) from error


def _insert(connection: Connection, plan: EventPlan, file_hash: bytes, event_id: UUID) -> UUID:
    now = now_ms(connection)
    if plan.ends_ms <= now:
        raise refuse("event_is_over", _("ends: The event would be over already; correct the dates"), key="ends")
    connection.execute(
        insert(Event).values(
            id=event_id,
            slug=plan.slug,
            number=_free_number(connection),
            tag=event_tag(ensure_platform(connection), event_id),
            name=plan.name,
            venue=plan.venue,
            time_zone=plan.time_zone,
            currency=plan.currency,
            state="preparing",
            doors_ms=plan.doors_ms,
            starts_ms=plan.starts_ms,
            ends_ms=plan.ends_ms,
            freeze_ms=plan.freeze_ms,
            max_per_order=plan.max_per_order,
            hold_seconds=plan.hold_seconds,
            offline_policy=plan.offline_policy,
            refund_until_ms=plan.refund_until_ms,
            sale_starts_ms=plan.sale_starts_ms,
            max_per_buyer=plan.max_per_buyer,
            refund_keep_bps=plan.refund_keep_bps,
            file_hash=file_hash,
            created_ms=now,
        )
    )
    connection.execute(
        insert(TicketClass),
        [
            {
                "event_id": event_id,
                "number": one.number,
                "code": one.code,
                "name": one.name,
                "zone": one.zone,
                "price_minor": one.price_minor,
                "seated": bool(one.seats),
                "policy": one.policy,
                "resale_cap_bps": one.resale_cap_bps,
                "royalty_bps": one.royalty_bps,
            }
            for one in plan.classes
        ],
    )
    connection.execute(
        insert(Stock),
        [
            {"event_id": event_id, "class_number": one.number, "capacity": one.capacity, "held": 0, "sold": 0}
            for one in plan.classes
        ],
    )
    if plan.waiting_room is not None and plan.sale_starts_ms is not None:
        connection.execute(
            insert(WaitingRoom).values(
                event_id=event_id,
                opens_ms=plan.waiting_room.opens_ms,
                starts_ms=plan.sale_starts_ms,
                rate_per_minute=plan.waiting_room.rate_per_minute,
                seed=secrets.token_bytes(SEED_BYTES),
            )
        )
    seats = [
        {"event_id": event_id, "number": seat.number, "class_number": one.number, "label": seat.label}
        for one in plan.classes
        for seat in one.seats
    ]
    if seats:
        connection.execute(insert(Seat), seats)
    return event_id


def _free_number(connection: Connection) -> int:
    taken = set(connection.execute(select(Event.number)).scalars())
    if len(taken) >= MAX_EVENTS:
        raise refuse("too_many_events", _("An installation holds at most %d events") % MAX_EVENTS)
    return next(number for number in range(MAX_EVENTS) if number not in taken)

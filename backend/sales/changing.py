"""Change an event that people know of already, from the desk's form or from its file loaded again: the same rules.

Under the till's lock, so that a sale at the same moment comes before or after the change.
"""

import secrets
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, exists, select, update

from backend.db.clock import now_ms
from backend.db.tables.events import Event, Seat, Stock, TicketClass, WaitingRoom
from backend.db.tables.orders import Order
from backend.domain.event_file import EventPlan
from backend.domain.event_terms import EventTerms, Known, why_unchangeable
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.till.reading import lock_event
from backend.waiting_room.rules import SEED_BYTES, moved_opening

_FIXED = (
    *("time_zone", "currency", "doors_ms", "starts_ms", "ends_ms", "freeze_ms"),
    *("offline_policy", "max_per_buyer"),
)
_CLASS_FIXED = ("code", "name", "zone", "price_minor", "policy", "resale_cap_bps", "royalty_bps")


@dataclass(frozen=True, slots=True)
class Changeable:
    """What may change while tickets are out. Prices and numbers of tickets: `backend.desk.class_changes`."""

    name: str
    venue: str
    hold_seconds: int
    max_per_order: int
    terms: EventTerms


def changeable_now(connection: Connection, event_id: UUID) -> Changeable:
    """As it stands."""
    row = connection.execute(select(Event).where(Event.id == event_id)).one()
    terms = EventTerms(row.refund_until_ms, row.refund_keep_bps, row.sale_starts_ms)
    return Changeable(row.name, row.venue, row.hold_seconds, row.max_per_order, terms)


def change_event(
    connection: Connection, event_id: UUID, wanted: Changeable, opens_ms: int | None = None
) -> dict[str, list[Any]]:
    """Make it so, and tell what changed: before and after, by name. Raises `Refused` as `domain.event_terms` decides.

    `opens_ms`: when a waiting room that is not open yet opens; none: as long before the sale's start as now.
    """
    lock_event(connection, event_id)
    before = changeable_now(connection, event_id)
    state, doors_ms, ends_ms = connection.execute(
        select(Event.state, Event.doors_ms, Event.ends_ms).where(Event.id == event_id)
    ).one()
    has_buyers = bool(
        connection.scalar(select(exists().where(Order.event_id == event_id, Order.state.in_(("held", "paid")))))
    )
    known = Known(state, doors_ms, ends_ms, has_buyers, now_ms(connection))
    refusal = why_unchangeable(before.terms, wanted.terms, known)
    if refusal is not None:
        raise Refused(refusal)
    values = _flat(wanted)
    connection.execute(update(Event).where(Event.id == event_id).values(values))
    changed = {name: [old, values[name]] for name, old in _flat(before).items() if old != values[name]}
    return changed | _move_room(connection, event_id, wanted.terms.sale_starts_ms, opens_ms, known.now_ms)


def load_again(connection: Connection, event_id: UUID, plan: EventPlan, file_hash: bytes) -> dict[str, list[Any]]:
    """Change the event as its file says; refuses (`event_exists`) a file that says more than may change, naming it."""
    lock_event(connection, event_id)
    differing = _differing(connection, event_id, plan)
    if differing is not None:
        sentence = _(
            "There is already an event %(slug)s, and %(key)s of this file is another than its. A file loaded again may "
            "change name, venue, max_per_order, hold_minutes, refunds, sale_starts and the waiting room's opens; for "
            "another event choose another slug"
        )
        words = {"slug": plan.slug, "key": differing}
        raise refuse("event_exists", sentence % words, key=differing)
    terms = EventTerms(plan.refund_until_ms, plan.refund_keep_bps, plan.sale_starts_ms)
    wanted = Changeable(plan.name, plan.venue, plan.hold_seconds, plan.max_per_order, terms)
    opens_ms = plan.waiting_room.opens_ms if plan.waiting_room is not None else None
    changed = change_event(connection, event_id, wanted, opens_ms)
    connection.execute(update(Event).where(Event.id == event_id).values(file_hash=file_hash))
    return changed


def _flat(one: Changeable) -> dict[str, Any]:
    values = asdict(one)
    return {**{name: value for name, value in values.items() if name != "terms"}, **values["terms"]}


def _move_room(
    connection: Connection, event_id: UUID, starts_ms: int | None, opens_ms: int | None, now: int
) -> dict[str, list[Any]]:
    """The room begins with the sale, by a new draw: whatever could be known of the old one is worth nothing."""
    mine = WaitingRoom.event_id == event_id
    room = connection.execute(select(WaitingRoom).where(mine).with_for_update()).one_or_none()
    if room is None or starts_ms is None or now >= room.starts_ms:
        return {}
    if opens_ms is not None and opens_ms != room.opens_ms <= now:
        sentence = _("The waiting room is open already; leave the time at which it opens as it was")
        raise refuse("waiting_room_open", sentence, key="waiting_room.opens")
    opens = moved_opening(room.opens_ms, room.starts_ms, starts_ms, now, opens_ms)
    if opens >= starts_ms:
        sentence = _("The waiting room opens before the sale starts")
        raise refuse("times_out_of_order", sentence, key="waiting_room.opens")
    if (opens, starts_ms) == (room.opens_ms, room.starts_ms):
        return {}
    moved = {"opens_ms": opens, "starts_ms": starts_ms, "seed": secrets.token_bytes(SEED_BYTES)}
    connection.execute(update(WaitingRoom).where(mine).values(moved))
    return {"room_opens_ms": [room.opens_ms, opens]}


def _differing(connection: Connection, event_id: UUID, plan: EventPlan) -> str | None:
    """The file's key of what is another than the event's and may not change."""
    row = connection.execute(select(Event).where(Event.id == event_id)).one()
    for name in _FIXED:
        if getattr(row, name) != getattr(plan, name):
            return name.removesuffix("_ms")
    rate = connection.scalar(select(WaitingRoom.rate_per_minute).where(WaitingRoom.event_id == event_id))
    if rate != (plan.waiting_room.rate_per_minute if plan.waiting_room is not None else None):
        return "waiting_room"
    return _differing_class(connection, event_id, plan)


def _differing_class(connection: Connection, event_id: UUID, plan: EventPlan) -> str | None:
    query = (
        select(TicketClass, Stock.capacity)
        .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
        .where(TicketClass.event_id == event_id)
        .order_by(TicketClass.number)
    )
    rows = connection.execute(query).all()
    if len(rows) != len(plan.classes):
        return "classes"
    for place, (row, one) in enumerate(zip(rows, plan.classes, strict=True), start=1):
        for name in (*_CLASS_FIXED, "capacity"):
            if getattr(row, name) != getattr(one, name):
                return f"classes[{place}].{name.removesuffix('_minor')}"
    seats = select(Seat.number, Seat.class_number, Seat.label).where(Seat.event_id == event_id)
    here = {tuple(seat) for seat in connection.execute(seats)}
    wanted = {(seat.number, one.number, seat.label) for one in plan.classes for seat in one.seats}
    return None if here == wanted else "classes"

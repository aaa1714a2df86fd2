"""The form that changes an event which is out: names, limits, refund rules, the start of the sale."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event, WaitingRoom
from backend.desk import audit
from backend.desk.event_form import field_of
from backend.desk.events import event_id_of
from backend.desk.moments import as_written, moment_of
from backend.domain.event_file import MAX_HOLD_MINUTES, MAX_PER_ORDER
from backend.domain.event_terms import EventTerms, sale_has_begun
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.changing import Changeable, change_event, changeable_now
from backend.sales.till.reading import lock_event

MAX_TEXT = 200  # characters of a name or a venue, as in the event file
SELF_SERVICE, UNTIL, KEEP = "refunds-self_service", "refunds-until", "refunds-keep_percent"
STARTS = "sale_starts"
_PERCENT = re.compile(r"\d{1,3}(\.\d{1,2})?")


def editable(engine: Engine, slug: str) -> dict[str, Any]:
    """What the form shows: its fields as they stand, whether the sale has begun, when a waiting room opens."""
    with read(engine) as connection:
        event = connection.execute(select(Event).where(Event.slug == slug)).one_or_none()
        if event is None:
            raise refuse("unknown_event", _("There is no such event"))
        one = changeable_now(connection, event.id)
        opens = connection.scalar(select(WaitingRoom.opens_ms).where(WaitingRoom.event_id == event.id))
        begun = sale_has_begun(one.terms, event.state, now_ms(connection))
    fields = {
        "name": one.name,
        "venue": one.venue,
        "max_per_order": str(one.max_per_order),
        "hold_minutes": str(one.hold_seconds // 60),
        **_as_written(one.terms, event.time_zone),
    }
    room = rfc3339(opens) if opens is not None and not begun else None
    return {"fields": fields, "sale_has_begun": begun, "room_opens_at": room}


def edit_event(engine: Engine, secret: bytes, actor: str, slug: str, form: Mapping[str, str]) -> None:
    """Change what the form says; refuses what the event file would refuse, and what buyers were not told.

    A form without the rules for giving back, or without the sale's start, leaves them as they are.
    """
    event_id = event_id_of(engine, slug)
    with engine.begin() as connection:
        lock_event(connection, event_id)  # before anything is read: what the form leaves out stays as it is then
        zone = connection.execute(select(Event.time_zone).where(Event.id == event_id)).scalar_one()
        before = changeable_now(connection, event_id)
        wanted = Changeable(
            name=_text(form, "name"),
            venue=_text(form, "venue"),
            hold_seconds=60 * _number(form, "hold_minutes", MAX_HOLD_MINUTES),
            max_per_order=_number(form, "max_per_order", MAX_PER_ORDER),
            terms=_terms(form, before.terms, zone),
        )
        try:
            changed = change_event(connection, event_id, wanted)
        except Refused as refused:
            told = refused.refusal
            key = field_of(str(told.details.get("key", "")))
            raise Refused(Refusal(told.code, told.sentence, {"key": key})) from refused
        if changed:
            audit.append(connection, secret, actor, "event_edit", f"event:{slug}", **changed)


def _as_written(terms: EventTerms, zone: str) -> dict[str, str]:
    """The terms as the form's fields; a box that is not ticked is not there."""
    until, starts = terms.refund_until_ms, terms.sale_starts_ms
    fields = {
        UNTIL: as_written(until, zone) if until is not None else "",
        KEEP: f"{Decimal(terms.refund_keep_bps) / 100:f}",
        STARTS: as_written(starts, zone) if starts is not None else "",
    }
    return fields | ({SELF_SERVICE: "1"} if until is not None else {})


def _terms(form: Mapping[str, str], before: EventTerms, zone: str) -> EventTerms:
    """The form's terms. What still is as it was written there stays as it is, to the second."""
    shown = _as_written(before, zone)
    until, keep, starts = before.refund_until_ms, before.refund_keep_bps, before.sale_starts_ms
    if KEEP in form:
        keep = _percent(form)
        if SELF_SERVICE not in form:
            until = None
        elif form.get(UNTIL, "").strip() != shown[UNTIL] or until is None:
            until = moment_of(form, UNTIL, zone)
    if STARTS in form and form[STARTS].strip() != shown[STARTS]:
        starts = moment_of(form, STARTS, zone)
    return EventTerms(until, keep, starts)


def _text(form: Mapping[str, str], key: str) -> str:
    text = form.get(key, "").strip()
    if not text or len(text) > MAX_TEXT or not text.isprintable():
        raise refuse("bad_text", _("Write one line of at most %d characters") % MAX_TEXT, key=key)
    return text


def _number(form: Mapping[str, str], key: str, most: int) -> int:
    text = form.get(key, "").strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    if not 1 <= number <= most:
        words = {"low": 1, "high": most}
        raise refuse("bad_number", _("Write a whole number from %(low)d to %(high)d") % words, key=key)
    return number


def _percent(form: Mapping[str, str]) -> int:
    """The kept share in basis points."""
    text = form.get(KEEP, "").strip() or "0"
    share = Decimal(text) if text.isascii() and _PERCENT.fullmatch(text) else Decimal(-1)
    if not 0 <= share <= 100:
        raise refuse("bad_percent", _("Write a percentage from 0 to 100"), key=KEEP)
    return int(share * 100)

"""Move an event by the desk's form, and write down from when to when."""

from collections.abc import Mapping

from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.tables.events import Event
from backend.desk import audit
from backend.desk.moments import as_written, moment_of
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.calling_off import Times, postpone_event

FIELDS = ("doors", "starts", "ends", "freeze")


def times_now(engine: Engine, slug: str) -> dict[str, str]:
    """The event's times as the form's fields are filled; refuses (`unknown_event`) what is none."""
    query = select(Event.doors_ms, Event.starts_ms, Event.ends_ms, Event.freeze_ms, Event.time_zone)
    with read(engine) as connection:
        row = connection.execute(query.where(Event.slug == slug)).one_or_none()
    if row is None:
        raise refuse("unknown_event", _("There is no such event"))
    return {name: as_written(getattr(row, f"{name}_ms"), row.time_zone) for name in FIELDS}


def move_event(engine: Engine, secret: bytes, actor: str, slug: str, form: Mapping[str, str]) -> None:
    """Give the event the form's times, read at the venue. Tickets stay good; buyers may give them back whole.

    An empty `freeze` is when doors open, an empty `refund_until` as well. Refuses bad, past and disordered times.
    """
    with read(engine) as connection:
        query = select(Event.time_zone, Event.starts_ms).where(Event.slug == slug)
        event = connection.execute(query).one_or_none()
    if event is None:
        raise refuse("unknown_event", _("There is no such event"))
    zone = event.time_zone
    doors, starts, ends = (moment_of(form, name, zone) for name in ("doors", "starts", "ends"))
    freeze = moment_of(form, "freeze", zone) if form.get("freeze", "").strip() else doors
    until = moment_of(form, "refund_until", zone) if form.get("refund_until", "").strip() else None
    moved = {"before": rfc3339(event.starts_ms), "starts": rfc3339(starts), "doors": rfc3339(doors)}
    audit.note(engine, secret, actor, "event_postpone", f"event:{slug}", **moved)
    postpone_event(engine, slug, Times(doors, starts, ends, freeze), until)

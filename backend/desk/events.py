"""Events as their organiser sees and changes them."""

from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select, update

from backend.chain.cancelled import is_cancelled
from backend.db.engine import read
from backend.db.tables.events import Event, Stock, TicketClass
from backend.db.tables.restores import require_reconciled
from backend.desk import audit
from backend.desk.class_changes import bounds_of
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339


def desk_events(engine: Engine) -> list[dict[str, Any]]:
    """Every event with what was sold of it, the latest to begin first."""
    query = (
        select(Event, func.sum(Stock.capacity).label("capacity"), func.sum(Stock.sold).label("sold"))
        .join(Stock, Stock.event_id == Event.id)
        .group_by(Event.id)
        .order_by(Event.starts_ms.desc(), Event.name)
    )
    with read(engine) as connection:
        rows = connection.execute(query).all()
    return [{**_head(row), "capacity": int(row.capacity), "sold": int(row.sold)} for row in rows]


def desk_event(engine: Engine, slug: str) -> dict[str, Any]:
    """One event with its classes; refuses (`unknown_event`) what is none."""
    with read(engine) as connection:
        event = connection.execute(select(Event).where(Event.slug == slug)).one_or_none()
        if event is None:
            raise refuse("unknown_event", _("There is no such event"))
        query = (
            select(TicketClass, Stock.capacity, Stock.held, Stock.sold)
            .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
            .where(TicketClass.event_id == event.id)
            .order_by(TicketClass.number)
        )
        classes = [
            {
                "number": row.number,
                "code": row.code,
                "name": row.name,
                "price_minor": row.price_minor,
                "capacity": row.capacity,
                "held": row.held,
                "sold": row.sold,
                "left": row.capacity - row.held - row.sold,
                "seated": row.seated,
                "policy": row.policy,
                "resale_cap_bps": row.resale_cap_bps,
            }
            for row in connection.execute(query)
        ]
        for one, bounds in zip(classes, bounds_of(connection, event.id), strict=True):
            one["bounds"] = bounds
        told = is_cancelled(connection, event.id)
    head = {**_head(event), "cancelled_on_chain": told}
    return {**head, "hold_minutes": event.hold_seconds // 60, "classes": classes}


def set_sales(engine: Engine, secret: bytes, actor: str, slug: str, *, paused: bool) -> bool:
    """Pause or resume the sale; whether that was a change.

    Refuses to resume after a restore (`not_reconciled`) and
    what was cancelled on the chain (`event_cancelled`).
    """
    before, after = ("on_sale", "paused") if paused else ("paused", "on_sale")
    with engine.begin() as connection:
        if not paused:
            require_reconciled(connection)
            mine = connection.scalar(select(Event.id).where(Event.slug == slug))
            if mine is not None and is_cancelled(connection, mine):
                sentence = _("The event was cancelled on the chain: cancel it here as well, it can't be sold any more")
                raise refuse("event_cancelled", sentence)
        changing = update(Event).where(Event.slug == slug, Event.state == before)
        if connection.execute(changing.values(state=after)).rowcount != 1:
            return False
        audit.append(connection, secret, actor, "event_pause" if paused else "event_resume", f"event:{slug}")
    return True


def event_id_of(engine: Engine, slug: str) -> UUID:
    """The event's id; refuses (`unknown_event`) what is none."""
    with read(engine) as connection:
        found: UUID | None = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one_or_none()
    if found is None:
        raise refuse("unknown_event", _("There is no such event"))
    return found


def _head(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of events
    return {
        "id": row.id,
        "slug": row.slug,
        "name": row.name,
        "venue": row.venue,
        "time_zone": row.time_zone,
        "currency": row.currency,
        "state": row.state,
        "max_per_order": row.max_per_order,
        "doors_at": rfc3339(row.doors_ms),
        "starts_at": rfc3339(row.starts_ms),
        "ends_at": rfc3339(row.ends_ms),
    }

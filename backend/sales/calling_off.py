"""Cancel or postpone an event for everyone: the organiser's word in one transaction, its consequences by the worker.

A cancelled event sells nothing from that commit on, and money that comes late goes back by the till's own rules. What
was sold is given back order by order, so that any number of workers may stop and go on at any point.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, update

from backend.credentials.validity import validity
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Ticket
from backend.domain.selling.refunding import GOOD
from backend.domain.selling.requests import Release
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.notices.order_outbox import tell_moved
from backend.privacy.contacts import keep_longer
from backend.sales.refunds import Wish, refund
from backend.sales.till.batch import run_batch
from backend.sales.till.reading import lock_event
from backend.sales.till.seats import SeatMemory
from credential.tickets import Status

AT_ONCE = 200  # orders given back in one run
WHY_CANCELLED = "event_cancelled"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """An event's times, Unix milliseconds."""

    doors_ms: int
    starts_ms: int
    ends_ms: int
    freeze_ms: int


def cancel_event(engine: Engine, slug: str) -> None:
    """Call the event off for good; repeating it is harmless. Everybody gets their whole money back."""
    with engine.begin() as connection:
        event_id, state = _locked(connection, slug)
        if state == "over":
            raise refuse("event_over", _("The event is over"))
        connection.execute(update(Event).where(Event.id == event_id).values(state="cancelled"))


def postpone_event(engine: Engine, slug: str, times: Times, refund_until_ms: int | None) -> None:
    """Move the event. Tickets stay good; buyers may give them back whole until `refund_until_ms` (none: till doors)."""
    ordered = times.freeze_ms <= times.starts_ms and times.doors_ms <= times.starts_ms < times.ends_ms
    if not ordered:
        raise refuse("times_out_of_order", _("Doors and freeze come before the start, and the start before the end"))
    validity(times.doors_ms, times.ends_ms)  # refuses what no ticket could say
    with engine.begin() as connection:
        event_id, state = _locked(connection, slug)
        if state == "cancelled":
            raise refuse("event_cancelled", _("The event was cancelled"))
        now = now_ms(connection)
        if times.doors_ms <= now:
            raise refuse("event_is_over", _("The new time has passed already; correct the dates"))
        before = connection.execute(select(Event.starts_ms, Event.ends_ms).where(Event.id == event_id)).one()
        moved = {"moved_from_ms": before.starts_ms, "moved_ms": now} if before.starts_ms != times.starts_ms else {}
        connection.execute(
            update(Event)
            .where(Event.id == event_id)
            .values(
                doors_ms=times.doors_ms,
                starts_ms=times.starts_ms,
                ends_ms=times.ends_ms,
                freeze_ms=times.freeze_ms,
                refund_until_ms=min(refund_until_ms or times.doors_ms, times.doors_ms),
                refund_keep_bps=0,
                **moved,
            )
        )
        keep_longer(connection, event_id, times.ends_ms - before.ends_ms)
        tell_moved(connection, event_id, times.starts_ms)


def give_back_cancelled(engine: Engine) -> int:
    """Give back what was sold for cancelled events; how many orders. Run by the worker."""
    done, after = 0, UUID(int=0)
    while done < AT_ONCE and (waiting := _to_give_back(engine, after)):
        for order in waiting:
            if order.state == "held":
                # An order with an open payment stays until the payment is known; its money then goes back by itself.
                run_batch(engine, order.event_id, [Release(order.id)], SeatMemory(order.event_id))
                continue
            try:
                refund(engine, order.event_id, Wish(order.id, "organiser", WHY_CANCELLED))
                done += 1
            except Refused as refused:
                _log.info("order %s of a cancelled event keeps its tickets: %s", order.id, refused.refusal.code)
        after = waiting[-1].id
    return done


def _to_give_back(engine: Engine, after: UUID) -> Sequence[Row[UUID, UUID, str]]:
    """Orders of cancelled events behind `after` that still have something to give back. Used tickets have not.

    By their id, so that orders which can't be given back now are passed by and hold up nobody.
    """
    same = (Ticket.event_id == Token.event_id) & (Ticket.token_id == Token.token_id)
    redeemed = select(Token.token_id).where(same, Token.status == Status.REDEEMED).exists()
    at_gate = (Ticket.event_id == GateRecord.event_id) & (Ticket.token_id == GateRecord.token_id)
    entered = select(GateRecord.token_id).where(at_gate, GateRecord.admits).exists()
    good = select(Ticket.id).where(Ticket.order_id == Order.id, Ticket.state.in_(GOOD), ~redeemed, ~entered).exists()
    query = (
        select(Order.id, Order.event_id, Order.state)
        .join(Event, Event.id == Order.event_id)
        .where(Event.state == "cancelled", (Order.state == "held") | ((Order.state == "paid") & good), Order.id > after)
        .order_by(Order.id)
        .limit(AT_ONCE)
    )
    with read(engine) as connection:
        return connection.execute(query).all()


def _locked(connection: Connection, slug: str) -> tuple[UUID, str]:
    event_id = connection.scalar(select(Event.id).where(Event.slug == slug))
    event = lock_event(connection, event_id) if event_id is not None else None
    if event is None:
        raise refuse("unknown_event", _("There is no such event"))
    return event.id, event.state

"""The waiting list: what comes back is offered in order, first come, first served; the till keeps it from the public.

An offer is a hold like every other, made by the till under a key of its own, so that offering twice is offering once.
Who does not pay in time has lapsed, and the tickets go to the next. Whoever wants more than came back waits on; the
next who can use it gets it.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event, Stock, TicketClass
from backend.db.tables.orders import Order, Waiter
from backend.domain.ids import new_id
from backend.domain.selling.outcomes import Again, No
from backend.domain.selling.requests import Hold, Key, LineWanted, Release
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.i18n import language
from backend.notices.order_outbox import tell_offered
from backend.privacy.waiters import forget_mail, hand_to_order, keep_mail
from backend.sales.once import made_before, remember
from backend.sales.orders import make_key, order_secret, release
from backend.sales.till.reading import lock_event
from backend.sales.till.till import Tills
from backend.sales.words import refusal

OFFER_SECONDS = 2 * 3600  # how long somebody has to pay for what was offered
MAX_WAITERS = 10_000  # of one class
AT_ONCE = 200  # offers in one run
OFFER_SCOPE, PLACE_SCOPE = "offer", "waiter"
_SECRET_DOMAIN = b"truestub/waiting-list/1\0"


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands. `ahead` people are before them while they wait; the order and its secret once offered."""

    waiter_id: UUID
    secret: str
    state: str
    ahead: int | None
    order_id: UUID | None
    order_secret: str | None
    offer_ends_ms: int | None


@dataclass(frozen=True, slots=True)
class Tell:
    """Where to write to when tickets are offered (checked), and for how long to keep it after the event."""

    mail: str
    keep_days: int


def join(
    engine: Engine,
    secret: bytes,
    event_id: UUID,
    class_code: str,
    quantity: int,
    tell: Tell | None = None,
    key: Key | None = None,
) -> Standing:
    """Get in line for a class that is sold out; the same key again, how the same place stands. Raises `Refused`."""
    with engine.begin() as connection:
        event = lock_event(connection, event_id)
        if event is None or event.state != "on_sale":
            raise Refused(refusal(No("not_on_sale")))
        known = made_before(connection, key) if key is not None else None
        if known is not None:
            return _standing(connection, secret, known)
        one = next((found for found in event.classes if found.code == class_code), None)
        if one is None:
            raise Refused(refusal(No("unknown_class", {"class": class_code})))
        if quantity > event.max_per_order:
            raise Refused(refusal(No("over_limit", {"limit": event.max_per_order, "wanted": quantity})))
        if one.least_wanted is None and one.capacity - one.held - one.sold >= quantity:
            raise refuse("not_sold_out", _("There are tickets left; order them"))
        mine = (Waiter.event_id == event_id) & (Waiter.class_number == one.number) & (Waiter.state == "waiting")
        if (connection.scalar(select(func.count()).where(mine)) or 0) >= MAX_WAITERS:
            raise refuse("waiting_list_full", _("The waiting list is full"))
        now = now_ms(connection)
        waiter_id = new_id(now)
        row = {"id": waiter_id, "event_id": event_id, "class_number": one.number, "quantity": quantity}
        connection.execute(insert(Waiter).values(**row, state="waiting", created_ms=now))
        if key is not None:
            remember(connection, key, waiter_id)
        if tell is not None and tell.mail:
            keep_mail(connection, secret, waiter_id, tell.mail, language(), tell.keep_days)
        return _standing(connection, secret, waiter_id)


def stand(engine: Engine, secret: bytes, waiter_id: UUID, bearer: str) -> Standing:
    """How they stand; refuses (`unknown_waiter`) what the secret does not open."""
    _open(secret, waiter_id, bearer)
    with read(engine) as connection:
        return _standing(connection, secret, waiter_id)


def leave(engine: Engine, secret: bytes, waiter_id: UUID, bearer: str) -> Standing:
    """Get out of line; an offer that was made stays until its time is over."""
    _open(secret, waiter_id, bearer)
    _left(engine, (Waiter.id == waiter_id) & (Waiter.state == "waiting"))
    with read(engine) as connection:
        return _standing(connection, secret, waiter_id)


def take_off(engine: Engine, tills: Tills, event_id: UUID, waiter_id: UUID) -> None:
    """Take somebody off the list at their own wish; tickets kept for them are free for the next at once.

    Refuses (`not_waiting`) who is not in line any more, `payment_under_way` and `already_paid`.
    """
    mine = (Waiter.id == waiter_id) & (Waiter.event_id == event_id)
    if _left(engine, mine & (Waiter.state == "waiting")):
        return
    with read(engine) as connection:
        order_id = connection.scalar(select(Waiter.order_id).where(mine, Waiter.state == "offered"))
    if order_id is None or not _released(tills, event_id, order_id) or not _left(engine, mine):
        raise refuse("not_waiting", _("They are not in line any more; look at the list again"))


def offer_returned(engine: Engine, tills: Tills, secret: bytes) -> int:
    """Offer what came back, in order; how many offers were made. Run by the worker, any number of them."""
    with engine.begin() as connection:
        _note_ends(connection)
    with read(engine) as connection:
        waiting = _next_in_line(connection)
    return sum(_offer(engine, tills, secret, row) for row in waiting)


def _next_in_line(connection: Connection) -> list[Row[Any]]:
    query = (
        select(Waiter.id, Waiter.event_id, Waiter.quantity, TicketClass.code)
        .join(TicketClass, (TicketClass.event_id == Waiter.event_id) & (TicketClass.number == Waiter.class_number))
        .join(Stock, (Stock.event_id == Waiter.event_id) & (Stock.class_number == Waiter.class_number))
        .join(Event, Event.id == Waiter.event_id)
        .where(Waiter.state == "waiting", Event.state == "on_sale", Event.ends_ms > now_ms(connection))
        .where(Stock.capacity - Stock.held - Stock.sold >= Waiter.quantity)
        .order_by(Waiter.id)
        .limit(AT_ONCE)
    )
    return list(connection.execute(query))


def _offer(engine: Engine, tills: Tills, secret: bytes, row: Row[Any]) -> bool:
    with read(engine) as connection:
        order_id = new_id(now_ms(connection))
    request = Hold(
        order_id=order_id,
        secret_hash=sha256(order_secret(secret, order_id).encode()).digest(),
        lines=(LineWanted(row.code, row.quantity),),
        owner=None,
        key=make_key(OFFER_SCOPE, row.event_id, str(row.id), [row.code, row.quantity]),
        keep_ms=OFFER_SECONDS * 1000,
    )
    held = tills.of(row.event_id).ask(request)
    if not isinstance(held, Again):
        return False  # somebody before them took it in this very run
    with engine.begin() as connection:
        mine = (Waiter.id == row.id) & (Waiter.state == "waiting")
        offered = {"state": "offered", "order_id": held.resource_id}
        if connection.execute(update(Waiter).where(mine).values(offered)).rowcount:
            spoken = hand_to_order(connection, secret, row.id, held.resource_id)
            if spoken is not None:
                tell_offered(connection, held.resource_id, spoken)
            return True
        gone = connection.scalar(select(Waiter.state).where(Waiter.id == row.id)) == "left"
    if gone:  # meanwhile: nobody is to wait for what nobody was offered
        tills.of(row.event_id).ask(Release(held.resource_id))
    return not gone


def _released(tills: Tills, event_id: UUID, order_id: UUID) -> bool:
    """Whether what was offered is free now; not if its time had run out by itself."""
    try:
        release(tills, event_id, order_id)
    except Refused as refused:
        if refused.refusal.code != "hold_expired":
            raise
        return False
    return True


def _left(engine: Engine, theirs: ColumnElement[bool]) -> bool:
    """Note that they left, and forget their address; whether there was anybody to leave."""
    with engine.begin() as connection:
        here = theirs & Waiter.state.in_(("waiting", "offered"))
        waiter_id = connection.scalar(select(Waiter.id).where(here).with_for_update())
        if waiter_id is None or not connection.execute(update(Waiter).where(here).values(state="left")).rowcount:
            return False
        forget_mail(connection, waiter_id)
        return True


def _note_ends(connection: Connection) -> None:
    """What became of the offers that were made."""
    for order_states, state in ((("paid", "refunded"), "done"), (("expired", "cancelled"), "lapsed")):
        ended = select(Order.id).where(Order.id == Waiter.order_id, Order.state.in_(order_states)).exists()
        connection.execute(update(Waiter).where(Waiter.state == "offered", ended).values(state=state))


def _standing(connection: Connection, secret: bytes, waiter_id: UUID) -> Standing:
    row = connection.execute(select(Waiter).where(Waiter.id == waiter_id)).one_or_none()
    if row is None:
        raise refuse("unknown_waiter", _("There is no such place on a waiting list, or its secret is another"))
    ahead, ends = None, None
    if row.state == "waiting":
        same = (Waiter.event_id == row.event_id) & (Waiter.class_number == row.class_number)
        before = same & (Waiter.state == "waiting") & (Waiter.id < waiter_id)
        ahead = connection.scalar(select(func.count()).where(before)) or 0
    if row.state == "offered":
        ends = connection.scalar(select(Order.hold_expires_ms).where(Order.id == row.order_id))
    opened = order_secret(secret, row.order_id) if row.order_id is not None else None  # dead once made anew
    return Standing(waiter_id, _secret_of(secret, waiter_id), row.state, ahead, row.order_id, opened, ends)


def _open(secret: bytes, waiter_id: UUID, bearer: str) -> None:
    if not hmac.compare_digest(bearer.encode(), _secret_of(secret, waiter_id).encode()):
        raise refuse("unknown_waiter", _("There is no such place on a waiting list, or its secret is another"))


def _secret_of(secret: bytes, waiter_id: UUID) -> str:
    mac = hmac.digest(secret, _SECRET_DOMAIN + waiter_id.bytes, "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()

"""Change prices and numbers of tickets while the event is on sale, within what its contract allows.

The contract keeps what the event was created with: resale caps count from that price, and it mints no more than that
many. So both may be lowered here, and raised again up to there. A new price is for new orders; who holds tickets pays
what they were told. The till's own lock is taken, so that a sale at the same moment comes before or after the change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select, update

from backend.db.tables.classes import ClassOnChain
from backend.db.tables.events import Event, Stock, TicketClass
from backend.db.upsert import insert_missing
from backend.desk import audit
from backend.domain.money import as_decimal, parse_amount
from backend.domain.selling.facts import ClassFacts
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.till.reading import lock_event

_OPEN = ("on_sale", "paused")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a class may be changed to. Prices in minor units."""

    number: int
    price_most: int
    least: int  # tickets: those sold and held
    most: int


def bounds_of(connection: Connection, event_id: UUID) -> list[Bounds]:
    """Of every class of the event, in their order."""
    price = func.coalesce(ClassOnChain.price_minor, TicketClass.price_minor)
    capacity = func.coalesce(ClassOnChain.capacity, Stock.capacity)
    same = (ClassOnChain.event_id == TicketClass.event_id) & (ClassOnChain.class_number == TicketClass.number)
    query = (
        select(TicketClass.number, price.label("price"), (Stock.held + Stock.sold).label("out"), capacity.label("most"))
        .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
        .outerjoin(ClassOnChain, same)
        .where(TicketClass.event_id == event_id)
        .order_by(TicketClass.number)
    )
    return [Bounds(row.number, row.price, row.out, row.most) for row in connection.execute(query)]


def change_classes(engine: Engine, secret: bytes, actor: str, slug: str, form: Mapping[str, str]) -> None:
    """Set what the fields `price-N` and `capacity-N` say, all of it or nothing; refuses what is out of bounds."""
    with engine.begin() as connection:
        query = select(Event.id, Event.currency, Event.state).where(Event.slug == slug)
        event = connection.execute(query).one_or_none()
        if event is None:
            raise refuse("unknown_event", _("There is no such event; look at the list of events"))
        facts = lock_event(connection, event.id)
        if facts is None or event.state not in _OPEN:
            raise refuse("not_on_sale", _("This event is not on sale; there is nothing to change"))
        bounds = {one.number: one for one in bounds_of(connection, event.id)}
        for now in facts.classes:
            wanted = _wanted(form, now, bounds[now.number], event.currency)
            if wanted != (now.price_minor, now.capacity):
                _change(connection, event.id, now, wanted)
                audit.append(
                    connection, secret, actor, "class_change", f"event:{slug}", **_told(now, wanted, event.currency)
                )


def _wanted(form: Mapping[str, str], now: ClassFacts, bounds: Bounds, currency: str) -> tuple[int, int]:
    """The price in minor units and the number of tickets; a field that is not there stays as it is."""
    price_key, capacity_key = f"price-{now.number}", f"capacity-{now.number}"
    price, capacity = now.price_minor, now.capacity
    if price_key in form:
        price = parse_amount(form[price_key], currency)
        if price > bounds.price_most:
            words = {"most": as_decimal(bounds.price_most, currency)}
            sentence = _("Write at most %(most)s: that price is in the event's contract, and resale is capped by it")
            raise refuse("price_too_high", sentence % words, key=price_key)
    if capacity_key in form:
        text = form[capacity_key].strip()
        capacity = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        if not bounds.least <= capacity <= bounds.most:
            numbers = {"low": bounds.least, "high": bounds.most}
            sentence = _(
                "Write a whole number from %(low)d (sold or held already) to %(high)d (as many as the contract mints)"
            )
            raise refuse("capacity_out_of_bounds", sentence % numbers, key=capacity_key)
    return price, capacity


def _change(connection: Connection, event_id: UUID, now: ClassFacts, wanted: tuple[int, int]) -> None:
    before = {"price_minor": now.price_minor, "capacity": now.capacity}
    kept = {"event_id": event_id, "class_number": now.number, **before}
    insert_missing(connection, ClassOnChain, [kept])  # only the first change finds what the contract has
    price, capacity = wanted
    mine = (TicketClass.event_id == event_id) & (TicketClass.number == now.number)
    connection.execute(update(TicketClass).where(mine).values(price_minor=price))
    stock = (Stock.event_id == event_id) & (Stock.class_number == now.number)
    connection.execute(update(Stock).where(stock).values(capacity=capacity))


def _told(now: ClassFacts, wanted: tuple[int, int], currency: str) -> dict[str, Any]:
    prices: Sequence[str] = [as_decimal(one, currency) for one in (now.price_minor, wanted[0])]
    return {"class_code": now.code, "price": list(prices), "capacity": [now.capacity, wanted[1]]}

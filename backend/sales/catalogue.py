"""What is on sale, as anybody may see it. Prices are all-in; times are RFC 3339 in UTC."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, func, select

from backend.credentials.records import contract_of
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event, Platform, Seat, SeatClaim, Stock, TicketClass
from backend.db.tables.orders import Order
from backend.sales.answers import rfc3339

FEW_LEFT_PERCENT = 10  # below this share of the capacity, "few left" is said

_HIDDEN = ("preparing",)


def list_events(engine: Engine, *, over: bool = True) -> list[dict[str, Any]]:
    """Every event that was put on sale, the next one first; without those that are `over`, if so wanted."""
    left = Stock.capacity - Stock.held - Stock.sold
    query = (
        select(Event, func.min(TicketClass.price_minor).label("from_minor"), func.sum(left).label("left"))
        .join(TicketClass, TicketClass.event_id == Event.id)
        .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
        .where(Event.state.not_in(_HIDDEN))
        .group_by(Event.id)
        .order_by(Event.starts_ms, Event.name)
    )
    with read(engine) as connection:
        if not over:
            query = query.where(Event.state != "over", Event.ends_ms > now_ms(connection))
        rows = connection.execute(query).all()
    return [{**_headline(row), "from_minor": row.from_minor, "sold_out": row.left <= 0} for row in rows]


def describe_event(engine: Engine, slug: str, *, with_seats: bool = True) -> dict[str, Any] | None:
    """Everything a buyer, a wallet or a market needs to know of an event; none if there is no such event."""
    with read(engine) as connection:
        event = connection.execute(select(Event).where(Event.slug == slug, Event.state.not_in(_HIDDEN))).one_or_none()
        if event is None:
            return None
        platform = connection.execute(select(Platform.platform_id)).scalar_one()
        contract = contract_of(connection, event.id)
        return {
            **_headline(event),
            "id": str(event.id),
            "platform_id": platform.hex(),
            "tag": event.tag.hex(),
            "index": event.number,
            "offline_policy": event.offline_policy,
            "max_per_order": event.max_per_order,
            "max_per_buyer": event.max_per_buyer,
            "sale_starts_at": rfc3339(event.sale_starts_ms) if event.sale_starts_ms is not None else None,
            "before_sale": event.sale_starts_ms is not None and now_ms(connection) < event.sale_starts_ms,
            "moved_from": rfc3339(event.moved_from_ms) if event.moved_from_ms is not None else None,
            "moved_at": rfc3339(event.moved_ms) if event.moved_ms is not None else None,
            "hold_seconds": event.hold_seconds,
            "custody_address": _address(event.custody_address),
            "contract": _address(contract.address) if contract else None,
            "chain_id": contract.chain_id if contract else None,
            "classes": _classes(connection, event, with_seats=with_seats),
        }


def taken_seats(engine: Engine, slug: str) -> dict[str, list[str]] | None:
    """The labels of an event's seats that are `held` and `sold` now; none if there is no such event."""
    with read(engine) as connection:
        query = select(Event.id).where(Event.slug == slug, Event.state.not_in(_HIDDEN))
        event_id = connection.scalar(query)
        if event_id is None:
            return None
        claimed = (
            select(Seat.label, Order.state)
            .join(SeatClaim, (SeatClaim.event_id == Seat.event_id) & (SeatClaim.seat_number == Seat.number))
            .join(Order, Order.id == SeatClaim.order_id)
            .where(Seat.event_id == event_id)
            .order_by(Seat.number)
        )
        found: dict[str, list[str]] = {"held": [], "sold": []}
        for row in connection.execute(claimed):
            found[_seat_state(row.state)].append(row.label)
    return found


def _headline(event: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of events
    return {
        "slug": event.slug,
        "name": event.name,
        "venue": event.venue,
        "time_zone": event.time_zone,
        "currency": event.currency,
        "state": event.state,
        "doors_at": rfc3339(event.doors_ms),
        "starts_at": rfc3339(event.starts_ms),
        "ends_at": rfc3339(event.ends_ms),
        "freeze_at": rfc3339(event.freeze_ms),
    }


def _classes(connection: Connection, event: Any, *, with_seats: bool) -> list[dict[str, Any]]:  # noqa: ANN401 - a row of events
    query = (
        select(TicketClass, Stock.capacity, Stock.held, Stock.sold)
        .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
        .where(TicketClass.event_id == event.id)
        .order_by(TicketClass.number)
    )
    seats = _seats(connection, event.id) if with_seats else {}
    return [
        {
            "code": row.code,
            "number": row.number,
            "name": row.name,
            "zone": row.zone,
            "price_minor": row.price_minor,
            "currency": event.currency,
            "capacity": row.capacity,
            "sold_out": row.held + row.sold >= row.capacity,
            "few_left": 100 * (row.capacity - row.held - row.sold) < FEW_LEFT_PERCENT * row.capacity,
            "policy": row.policy,
            "resale_cap_bps": row.resale_cap_bps,
            "royalty_bps": row.royalty_bps,
            "seated": row.seated,
            "seats": seats.get(row.number, []),
        }
        for row in connection.execute(query)
    ]


def _seats(connection: Connection, event_id: UUID) -> dict[int, list[dict[str, Any]]]:
    claims = (SeatClaim.event_id == Seat.event_id) & (SeatClaim.seat_number == Seat.number)
    query = (
        select(Seat.class_number, Seat.number, Seat.label, SeatClaim.order_id, Order.state)
        .outerjoin(SeatClaim, claims)
        .outerjoin(Order, Order.id == SeatClaim.order_id)
        .where(Seat.event_id == event_id)
        .order_by(Seat.number)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.class_number, []).append(
            {"number": row.number, "label": row.label, "free": row.order_id is None, "state": _seat_state(row.state)}
        )
    return found


def _seat_state(of_order: str | None) -> str:
    return "free" if of_order is None else "held" if of_order == "held" else "sold"


def _address(address: bytes | None) -> str | None:
    return "0x" + address.hex() if address is not None else None

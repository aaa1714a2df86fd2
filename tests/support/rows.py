"""Rows that tests start from: an event with classes, and orders that are paid."""

from uuid import UUID, uuid4

from sqlalchemy import Connection, insert

from backend.db.tables.events import Event, Stock, TicketClass
from backend.db.tables.orders import Order, OrderLine, Ticket

HOUR_MS = 3_600_000
DOORS_MS = 2_000_000_000_000
CUSTODY = b"\xcc" * 20


def add_event(connection: Connection, capacities: tuple[int, ...] = (5000,), doors_ms: int = DOORS_MS) -> UUID:
    """An event on sale with one unseated class for each capacity."""
    event_id = uuid4()
    connection.execute(
        insert(Event).values(
            id=event_id,
            slug=f"event-{event_id.hex[:8]}",
            number=int.from_bytes(event_id.bytes[:2]) % 4096,
            tag=event_id.bytes[:8],
            name="An evening",
            venue="A hall",
            time_zone="Europe/Berlin",
            currency="EUR",
            state="on_sale",
            doors_ms=doors_ms,
            starts_ms=doors_ms + 2 * HOUR_MS,
            ends_ms=doors_ms + 5 * HOUR_MS,
            freeze_ms=doors_ms,
            max_per_order=8,
            hold_seconds=600,
            offline_policy="local",
            custody_address=CUSTODY,
            file_hash=event_id.bytes * 2,
            created_ms=0,
        )
    )
    for number, capacity in enumerate(capacities, start=1):
        connection.execute(
            insert(TicketClass).values(
                event_id=event_id,
                number=number,
                code=f"class-{number}",
                name=f"Class {number}",
                zone=number,
                price_minor=4950,
                seated=False,
                policy="market_only",
                resale_cap_bps=10_000,
                royalty_bps=0,
            )
        )
        connection.execute(
            insert(Stock).values(event_id=event_id, class_number=number, capacity=capacity, held=0, sold=0)
        )
    return event_id


def add_paid_tickets(
    connection: Connection, event_id: UUID, owners: list[bytes], class_number: int = 1, sold_ms: int = 1000
) -> list[UUID]:
    """One paid order with a ticket for each owner; the ids of the tickets, in that order."""
    order_id, tickets = uuid4(), [uuid4() for _ in owners]
    connection.execute(
        insert(Order).values(
            id=order_id,
            event_id=event_id,
            state="paid",
            secret_hash=order_id.bytes * 2,
            quantity=len(owners),
            total_minor=4950 * len(owners),
            currency="EUR",
            hold_expires_ms=sold_ms,
            created_ms=sold_ms,
            paid_ms=sold_ms,
        )
    )
    connection.execute(
        insert(OrderLine).values(
            order_id=order_id, position=0, class_number=class_number, quantity=len(owners), unit_price_minor=4950
        )
    )
    connection.execute(
        insert(Ticket),
        [
            {
                "id": ticket,
                "event_id": event_id,
                "order_id": order_id,
                "position": position,
                "class_number": class_number,
                "seat_number": 0,
                "owner": owner,
                "state": "valid",
                "serial": 0,
                "epoch": 0,
                "binding_number": 0,
                "sold_ms": sold_ms,
                "changed_ms": sold_ms,
            }
            for position, (ticket, owner) in enumerate(zip(tickets, owners, strict=True))
        ],
    )
    connection.execute(
        Stock.__table__.update()  # type: ignore[attr-defined]
        .where(Stock.event_id == event_id, Stock.class_number == class_number)
        .values(sold=Stock.sold + len(owners))
    )
    return tickets

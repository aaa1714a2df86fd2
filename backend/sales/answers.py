"""What buyers are told of an order: plain values, ready for JSON. Times are RFC 3339 in UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from backend.domain.ids import ticket_id
from backend.domain.selling.facts import EventFacts, OrderFacts, places_of
from backend.domain.selling.outcomes import Held


def held_body(held: Held, event: EventFacts, labels: Mapping[int, str]) -> str:
    """The first answer to a hold, as JSON; the order's secret is added when it is sent, never stored."""
    codes = {one.number: one.code for one in event.classes}
    body: dict[str, Any] = {
        "order_id": str(held.order_id),
        "state": "held",
        "total_minor": held.total_minor,
        "currency": event.currency,
        "hold_expires_at": rfc3339(held.hold_expires_ms),
        "lines": [
            {
                "class": codes[line.class_number],
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
                "seats": [labels[seat] for seat in line.seats],
            }
            for line in held.lines
        ],
    }
    return orjson.dumps(body).decode()


def paid_body(
    order: OrderFacts, currency: str, classes: Mapping[int, tuple[str, int]], labels: Mapping[int, str]
) -> str:
    """The answer to the payment that bought an order's tickets, as JSON: the same whenever it is asked for again.

    `classes`: number -> code and zone. `labels`: seat number -> label.
    """
    places = [(classes[line.class_number], seat) for line in order.lines for seat in places_of(line)]
    body: dict[str, Any] = {
        "order_id": str(order.id),
        "state": "paid",
        "total_minor": order.total_minor,
        "currency": currency,
        "tickets": [
            {
                "ticket_id": str(ticket_id(order.id, position)),
                "class": code,
                "zone": zone,
                "seat": labels.get(seat),
                "stage": "paid",
            }
            for position, ((code, zone), seat) in enumerate(places)
        ],
    }
    return orjson.dumps(body).decode()


def rfc3339(ms: int) -> str:
    """Unix milliseconds as "2030-06-15T18:00:00.000Z"."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

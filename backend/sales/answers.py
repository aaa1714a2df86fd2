"""What buyers are told of an order: plain values, ready for JSON. Times are RFC 3339 in UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from backend.domain.selling.facts import EventFacts
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


def rfc3339(ms: int) -> str:
    """Unix milliseconds as "2030-06-15T18:00:00.000Z"."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

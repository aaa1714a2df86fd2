"""Events as their organiser sees them."""

from typing import Any

from sqlalchemy import Engine, func, select

from backend.db.engine import read
from backend.db.models import Event, Stock
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
    return [
        {
            "slug": row.slug,
            "name": row.name,
            "venue": row.venue,
            "time_zone": row.time_zone,
            "state": row.state,
            "starts_at": rfc3339(row.starts_ms),
            "capacity": int(row.capacity),
            "sold": int(row.sold),
        }
        for row in rows
    ]

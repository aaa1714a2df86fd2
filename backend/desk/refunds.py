"""What went back for an order, and why the desk gives money back."""

from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.tables.orders import Payment, Refund
from backend.sales.answers import rfc3339

REASONS = ("asked", "event_changed", "duplicate", "goodwill", "other")  # codes: free text would be kept for ever


def refunds_of(engine: Engine, order_id: UUID) -> list[dict[str, Any]]:
    """Refunds of the order, the oldest first."""
    query = (
        select(Refund, Payment.provider)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .where(Refund.order_id == order_id)
        .order_by(Refund.created_ms)
    )
    with read(engine) as connection:
        return [
            {
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "state": row.state,
                "reason": row.reason,
                "asked_by": row.asked_by,
                "tickets": len(row.tickets),
                "provider": row.provider,
                "at": rfc3339(row.created_ms),
            }
            for row in connection.execute(query)
        ]


def paid_by(engine: Engine, order_id: UUID) -> str | None:
    """The provider that took the order's money."""
    query = select(Payment.provider).where(Payment.order_id == order_id, Payment.state != "declined")
    with read(engine) as connection:
        found: str | None = connection.scalar(query.order_by(Payment.created_ms.desc()).limit(1))
    return found

"""Send back what has to be sent back: the outbox's refunds. Run by the worker; safe in several at once."""

import logging
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Engine, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Outbox, Payment
from backend.killpoints import reach
from backend.sales.payments.interface import Provider, Silent

REFUND = "payment.refund"
AT_ONCE = 100  # refunds in one run
FIRST_PAUSE_MS = 1_000  # after a provider's silence; doubles with each attempt
LONGEST_PAUSE_MS = 600_000

_log = logging.getLogger(__name__)


def run_due(engine: Engine, providers: Mapping[str, Provider]) -> int:
    """Give back the money of every due refund; how many were done. The payment's id keeps it from going back twice."""
    with read(engine) as connection:
        query = (
            select(Outbox.id, Outbox.payload, Outbox.attempts)
            .where(Outbox.state == "waiting", Outbox.topic == REFUND, Outbox.due_ms <= now_ms(connection))
            .order_by(Outbox.due_ms)
            .limit(AT_ONCE)
        )
        due = connection.execute(query).all()
    return sum(_refund(engine, providers, row.id, UUID(row.payload["payment_id"]), row.attempts) for row in due)


def _refund(engine: Engine, providers: Mapping[str, Provider], item: int, payment_id: UUID, attempts: int) -> bool:
    with read(engine) as connection:
        provider = connection.execute(select(Payment.provider).where(Payment.id == payment_id)).scalar_one()
    try:
        providers[provider].refund(payment_id)
    except Silent:
        _log.warning("refund of payment %s: no answer, attempt %d", payment_id, attempts + 1)
        _put_off(engine, item, attempts)
        return False
    reach("refund.sent")
    with engine.begin() as connection:
        now = now_ms(connection)
        connection.execute(update(Outbox).where(Outbox.id == item).values(state="done", attempts=attempts + 1))
        done = update(Payment).where(Payment.id == payment_id, Payment.state == "refunding")
        connection.execute(done.values(state="refunded", changed_ms=now))
    return True


def _put_off(engine: Engine, item: int, attempts: int) -> None:
    pause = min(FIRST_PAUSE_MS << min(attempts, 20), LONGEST_PAUSE_MS)
    with engine.begin() as connection:
        values = {"attempts": attempts + 1, "due_ms": now_ms(connection) + pause, "error": "no answer"}
        connection.execute(update(Outbox).where(Outbox.id == item, Outbox.state == "waiting").values(**values))

"""Send back what has to be sent back: the outbox's refunds. Run by the worker; safe in several at once."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update

from backend.db.clock import is_due, now_ms
from backend.db.engine import read
from backend.db.tables.orders import LedgerEntry, Order, Outbox, Payment, Refund
from backend.db.upsert import insert_missing
from backend.domain import ledger
from backend.killpoints import reach
from backend.notices.order_outbox import tell_money_back
from backend.sales.payments.failed import note_refused, note_sent, provider_key
from backend.sales.payments.interface import Provider, RefundRefused, Silent
from backend.sales.till.writing import ledger_rows

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
            .where(Outbox.state == "waiting", Outbox.topic == REFUND, is_due(Outbox.due_ms, now_ms(connection)))
            .order_by(Outbox.due_ms)
            .limit(AT_ONCE)
        )
        due = connection.execute(query).all()
    return sum(_refund(engine, providers, row.id, row.payload, row.attempts) for row in due)


def _refund(
    engine: Engine, providers: Mapping[str, Provider], item: int, payload: Mapping[str, Any], attempts: int
) -> bool:
    payment_id, tries = UUID(payload["payment_id"]), int(payload.get("tries", 0))
    # Money that bought nothing goes back whole, once: there the payment's own id is the refund's.
    refund_id, amount = UUID(payload.get("refund_id", payload["payment_id"])), payload.get("amount_minor")
    with read(engine) as connection:
        query = select(Payment.provider, Payment.provider_ref).where(Payment.id == payment_id)
        name, reference = connection.execute(query).one()
    if name not in providers:
        _log.error("refund of payment %s waits: provider %s is not set up", payment_id, name)
        _put_off(engine, item, attempts)
        return False
    try:
        providers[name].refund(payment_id, provider_key(refund_id, tries), amount, reference)
    except Silent:
        _log.warning("refund of payment %s: no answer, attempt %d", payment_id, attempts + 1)
        _put_off(engine, item, attempts)
        return False
    except RefundRefused as refused:
        _log.error("refund of payment %s: %s refuses it for good: %s", payment_id, name, refused.reason)
        with engine.begin() as connection:
            note_refused(connection, payment_id, refund_id, refused.reason)
        return False
    reach("refund.sent")
    with engine.begin() as connection:
        connection.execute(update(Outbox).where(Outbox.id == item).values(state="done", attempts=attempts + 1))
        note_refund_sent(connection, name, payment_id, refund_id, tries)
    return True


def note_refund_sent(connection: Connection, provider: str, payment_id: UUID, refund_id: UUID, tries: int) -> None:
    """The money is back: book it, once, and say so where it is looked for."""
    now = now_ms(connection)
    owed = connection.execute(
        select(LedgerEntry).where(LedgerEntry.key.in_((f"refund:{refund_id}", f"taken:{refund_id}")))
    ).one_or_none()
    if owed is not None:
        entry = ledger.paid_back(
            provider, refund_id, tries, owed.amount_minor, owed.currency, owed.order_id, payment_id
        )
        insert_missing(connection, LedgerEntry, ledger_rows([entry], owed.event_id, now))
    note_sent(connection, refund_id, now)
    if owed is not None and refund_id == payment_id:
        tell_money_back(connection, "stray", owed.order_id, payment_id)
    done = update(Refund).where(Refund.id == refund_id, Refund.state == "sending")
    connection.execute(done.values(state="done", changed_ms=now))
    stray = update(Payment).where(Payment.id == payment_id, Payment.state == "refunding")
    connection.execute(stray.values(state="refunded", changed_ms=now))
    open_refunds = select(Refund.id).where(Refund.payment_id == payment_id, Refund.state.in_(("sending", "failed")))
    all_gone = select(Order.id).where(Order.id == Payment.order_id, Order.state == "refunded")
    whole = update(Payment).where(Payment.id == payment_id, Payment.state == "succeeded")
    whole = whole.where(all_gone.exists(), ~open_refunds.exists())
    connection.execute(whole.values(state="refunded", changed_ms=now))


def _put_off(engine: Engine, item: int, attempts: int) -> None:
    pause = min(FIRST_PAUSE_MS << min(attempts, 20), LONGEST_PAUSE_MS)
    with engine.begin() as connection:
        values = {"attempts": attempts + 1, "due_ms": now_ms(connection) + pause, "error": "no answer"}
        connection.execute(update(Outbox).where(Outbox.id == item, Outbox.state == "waiting").values(**values))

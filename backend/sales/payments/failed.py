"""Refunds that a provider refused for good: written down, shown at the desk, sent again or paid by hand.

The money stays owed in the ledger until one of the two is done. The tickets stay void: only the way of the money is
open. Each step is one transaction and may be repeated.
"""

from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import Connection, Engine, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import LedgerEntry, Outbox, Payment, Refund
from backend.db.tables.payments import FailedRefund
from backend.domain import ledger
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.payments.interface import RefundFailed, Silent
from backend.sales.till.writing import ledger_rows

WAYS = ("bank_transfer", "cash", "at_provider", "other")  # how the money reached the buyer after all
SHOWN = 200  # failed refunds in one list


@dataclass(frozen=True, slots=True)
class FailedView:
    """A refund that did not reach the buyer."""

    refund_id: UUID
    order_id: UUID
    provider: str
    amount_minor: int
    currency: str
    reason: str
    state: str
    settled_how: str | None
    failed_ms: int


def failed_refunds(engine: Engine, order_id: UUID | None = None) -> list[FailedView]:
    """Those of an order, whatever became of them; without one, all that wait for somebody. The oldest first."""
    query = (
        select(FailedRefund, Payment.provider)
        .join(Payment, Payment.id == FailedRefund.payment_id)
        .where(FailedRefund.state == "failed" if order_id is None else FailedRefund.order_id == order_id)
        .order_by(FailedRefund.failed_ms)
        .limit(SHOWN)
    )
    with read(engine) as connection:
        return [
            FailedView(
                row.refund_id,
                row.order_id,
                row.provider,
                row.amount_minor,
                row.currency,
                row.reason,
                row.state,
                row.settled_how,
                row.failed_ms,
            )
            for row in connection.execute(query)
        ]


def provider_key(refund_id: UUID, tries: int) -> UUID:
    """What the provider knows the refund by: a refusal is its answer to that key for ever, so each try has its own."""
    return refund_id if tries == 0 else uuid5(refund_id, str(tries))


def note_refused(connection: Connection, payment_id: UUID, refund_id: UUID, reason: str) -> None:
    """The provider will not send it. The outbox gives it up, the ledger goes on owing it."""
    payment = connection.execute(select(Payment).where(Payment.id == payment_id)).one()
    before = connection.execute(select(FailedRefund).where(FailedRefund.refund_id == refund_id)).one_or_none()
    now = now_ms(connection)
    if before is None:
        refund = connection.execute(select(Refund.amount_minor).where(Refund.id == refund_id)).one_or_none()
        stray = select(LedgerEntry.amount_minor, LedgerEntry.currency).where(LedgerEntry.key == f"taken:{payment_id}")
        taken = connection.execute(stray).one_or_none()
        whole = taken.amount_minor if taken is not None else payment.amount_minor
        row = {
            "refund_id": refund_id,
            "payment_id": payment_id,
            "order_id": payment.order_id,
            "amount_minor": refund.amount_minor if refund is not None else whole,
            "currency": taken.currency if taken is not None else payment.currency,
            "reason": reason[:60],
            "state": "failed",
            "tries": 0,
            "failed_ms": now,
            "changed_ms": now,
        }
        connection.execute(insert(FailedRefund).values(row))
    else:
        values = {"state": "failed", "reason": reason[:60], "changed_ms": now}
        connection.execute(update(FailedRefund).where(FailedRefund.refund_id == refund_id).values(values))
    _set_states(connection, payment_id, refund_id, "failed", "refund_failed", now)
    mine = update(Outbox).where(Outbox.key == f"refund:{refund_id}")
    connection.execute(mine.values(state="failed", error=reason[:200]))


def note_came_back(engine: Engine, failed: RefundFailed) -> bool:
    """A refund that was sent did not arrive; whether that was news. Raises `Silent` if it must be said again later."""
    with engine.begin() as connection:
        found = _ours(connection, failed)
        if found is None:
            return False
        refund_id, tries = found
        paid = connection.execute(
            select(LedgerEntry).where(LedgerEntry.key == ledger.paid_back_key(refund_id, tries))
        ).one_or_none()
        if paid is None:
            if connection.scalar(
                select(Outbox.id).where(Outbox.key == f"refund:{refund_id}", Outbox.state == "waiting")
            ):
                raise Silent  # faster than our note that it was sent
            return False
        entry = ledger.came_back(
            paid.credit, refund_id, tries, paid.amount_minor, paid.currency, paid.order_id, failed.payment_id
        )
        if connection.scalar(select(LedgerEntry.id).where(LedgerEntry.key == entry.key)) is not None:
            return False
        connection.execute(insert(LedgerEntry), ledger_rows([entry], paid.event_id, now_ms(connection)))
        note_refused(connection, failed.payment_id, refund_id, failed.reason)
    return True


def send_again(engine: Engine, refund_id: UUID) -> None:
    """Ask the provider anew. Refuses (`nothing_failed`) what waits for nobody."""
    with engine.begin() as connection:
        row, now = _failed(connection, refund_id), now_ms(connection)
        tries = row.tries + 1
        values = {"state": "again", "tries": tries, "changed_ms": now}
        connection.execute(update(FailedRefund).where(FailedRefund.refund_id == refund_id).values(values))
        mine = Outbox.key == f"refund:{refund_id}"
        payload = connection.scalars(select(Outbox.payload).where(mine)).one()
        again = {
            "state": "waiting",
            "attempts": 0,
            "due_ms": now,
            "error": None,
            "payload": {**payload, "tries": tries},
        }
        connection.execute(update(Outbox).where(mine).values(again))
        _set_states(connection, row.payment_id, refund_id, "sending", "refunding", now)


def settle_by_hand(engine: Engine, refund_id: UUID, how: str) -> None:
    """The organiser paid the buyer another way. Refuses (`nothing_failed`) what waits for nobody."""
    if how not in WAYS:
        raise refuse("unknown_way", _("Say how the money was paid"))
    with engine.begin() as connection:
        row, now = _failed(connection, refund_id), now_ms(connection)
        values = {"state": "settled", "settled_how": how, "changed_ms": now}
        connection.execute(update(FailedRefund).where(FailedRefund.refund_id == refund_id).values(values))
        keys = (f"refund:{refund_id}", f"taken:{refund_id}")
        owed = connection.execute(select(LedgerEntry).where(LedgerEntry.key.in_(keys))).one_or_none()
        if owed is not None:
            provider = connection.scalars(select(Payment.provider).where(Payment.id == row.payment_id)).one()
            account = ledger.provider_account(provider) if how == "at_provider" else ledger.BY_HAND
            entry = ledger.paid_by_hand(
                account, refund_id, owed.amount_minor, owed.currency, owed.order_id, row.payment_id
            )
            connection.execute(insert(LedgerEntry), ledger_rows([entry], owed.event_id, now))
        connection.execute(update(Outbox).where(Outbox.key == f"refund:{refund_id}").values(state="done"))
        _set_states(connection, row.payment_id, refund_id, "settled", "refunded", now)


def note_sent(connection: Connection, refund_id: UUID, now: int) -> None:
    """A refund that had failed was sent after all."""
    mine = update(FailedRefund).where(FailedRefund.refund_id == refund_id, FailedRefund.state == "again")
    connection.execute(mine.values(state="done", changed_ms=now))


def _set_states(connection: Connection, payment_id: UUID, refund_id: UUID, refund: str, payment: str, now: int) -> None:
    """Of the refund, or of the payment whose money bought nothing: there the payment's own id is the refund's."""
    connection.execute(update(Refund).where(Refund.id == refund_id).values(state=refund, changed_ms=now))
    mine = update(Payment).where(Payment.id == payment_id)
    if refund_id == payment_id:
        connection.execute(mine.values(state=payment, changed_ms=now))
    elif refund != "settled":  # while some of its money is open, a payment is not wholly refunded
        connection.execute(mine.where(Payment.state == "refunded").values(state="succeeded", changed_ms=now))


def _failed(connection: Connection, refund_id: UUID) -> FailedRefund:
    query = select(FailedRefund.__table__).where(FailedRefund.refund_id == refund_id, FailedRefund.state == "failed")
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise refuse("nothing_failed", _("This refund waits for nobody; look at the order again"))
    return row  # type: ignore[return-value] # a row with the table's columns


def _ours(connection: Connection, failed: RefundFailed) -> tuple[UUID, int] | None:
    """The refund that the provider knows by this id, and which try of it."""
    refunds = connection.scalars(select(Refund.id).where(Refund.payment_id == failed.payment_id))
    tries = dict(
        connection.execute(
            select(FailedRefund.refund_id, FailedRefund.tries).where(FailedRefund.payment_id == failed.payment_id)
        ).all()
    )
    for one in (failed.payment_id, *refunds):
        for number in range(tries.get(one, 0) + 1):
            if provider_key(one, number) == failed.refund_id:
                return one, number
    return None

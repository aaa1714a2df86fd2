"""Ask the provider about every payment whose fate we don't know. Run by the worker, again and again."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import Order, Payment
from backend.errors import Refused
from backend.sales.payments.flow import OPEN, find_payment, settle
from backend.sales.payments.interface import AWAITING_BUYER, IN_FLIGHT_SECONDS, Provider, Said, Silent
from backend.sales.till.till import Tills

ASK_AFTER_SECONDS = 3  # a younger payment is probably being asked for right now
BUYER_SECONDS = 15  # at least this between two questions while a buyer types, and
BUYER_SHARE = 0.25  # of the payment's age
AT_ONCE = 200  # payments looked up in one run

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Open:
    id: UUID
    provider: str
    reference: str | None
    age_ms: int
    quiet_ms: int  # since it was asked about, or changed
    at_provider: bool  # the buyer was sent to the provider's page
    over: bool  # its order keeps no tickets any more


def reconcile(engine: Engine, tills: Tills, providers: Mapping[str, Provider]) -> int:
    """Settle what can be settled; how many payments are known now that were not before.

    Before sales open after a restore, run it until it returns 0: a restored database would sell again what was paid.
    """
    known, silent = 0, set[str]()
    for payment in _open_payments(engine):
        provider = providers.get(payment.provider)
        if provider is None:
            _log.error("payment %s stays open: provider %s is not set up", payment.id, payment.provider)
            _note_asked(engine, payment.id)
        elif _is_due(payment) and payment.provider not in silent:
            try:
                known += _reconcile_one(engine, tills, provider, payment)
            except (Silent, Refused) as error:
                _log.warning("payment %s stays open: %s", payment.id, type(error).__name__)
                _note_asked(engine, payment.id)
                if isinstance(error, Silent):
                    silent.add(payment.provider)  # asking it about the others would only take as long again
    return known


def _open_payments(engine: Engine) -> list[_Open]:
    """Those that were left alone for the longest come first, so that none is forgotten behind the others."""
    with read(engine) as connection:
        now = now_ms(connection)
        query = (
            select(Payment, Order.state.label("order_state"), Order.hold_expires_ms)
            .join(Order, Order.id == Payment.order_id)
            .where(Payment.state.in_(OPEN), Payment.created_ms <= now - 1000 * ASK_AFTER_SECONDS)
            .order_by(Payment.changed_ms)
            .limit(AT_ONCE)
        )
        return [
            _Open(
                row.id,
                row.provider,
                row.provider_ref,
                now - row.created_ms,
                now - row.changed_ms,
                row.state == "unknown" and row.reason == AWAITING_BUYER,
                row.order_state != "held" or row.hold_expires_ms <= now,
            )
            for row in connection.execute(query)
        ]


def _is_due(payment: _Open) -> bool:
    waits = payment.at_provider and not payment.over
    return not waits or payment.quiet_ms >= max(1000 * BUYER_SECONDS, payment.age_ms * BUYER_SHARE)


def _reconcile_one(engine: Engine, tills: Tills, provider: Provider, payment: _Open) -> bool:
    # Nobody should pay for tickets that went back on sale: the provider is asked to close its page.
    ask = provider.withdraw if payment.at_provider and payment.over else provider.look_up
    said = ask(payment.id, payment.reference)
    if said is None:
        if payment.age_ms <= 1000 * IN_FLIGHT_SECONDS:
            return False
        said = Said(payment.id, "declined", reason="never_arrived")
    if said.verdict == "unknown":
        if payment.reference is None and said.reference is not None:
            settle(engine, tills, find_payment(engine, payment.id), said)
        _note_asked(engine, payment.id)
        return False
    settle(engine, tills, find_payment(engine, payment.id), said)
    return True


def _note_asked(engine: Engine, payment_id: UUID) -> None:
    with engine.begin() as connection:
        mine = update(Payment).where(Payment.id == payment_id, Payment.state.in_(OPEN))
        connection.execute(mine.values(changed_ms=now_ms(connection)))

"""Ask the provider about every payment whose fate we don't know. Run by the worker, again and again."""

import logging
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Payment
from backend.errors import Refused
from backend.sales.payments.flow import OPEN, find_payment, settle
from backend.sales.payments.interface import IN_FLIGHT_SECONDS, Provider, Said, Silent
from backend.sales.till.till import Tills

ASK_AFTER_SECONDS = 3  # a younger payment is probably being asked for right now
AT_ONCE = 200  # payments looked up in one run

_log = logging.getLogger(__name__)


def reconcile(engine: Engine, tills: Tills, providers: Mapping[str, Provider]) -> int:
    """Settle what can be settled; how many payments are known now that were not before.

    Before sales open after a restore, run it until it returns 0: a restored database would sell again what was paid.
    """
    known = 0
    for payment_id, provider, age_ms in _open_payments(engine):
        try:
            known += _reconcile_one(engine, tills, providers[provider], payment_id, age_ms)
        except (Silent, Refused) as error:
            _log.warning("payment %s stays open: %s", payment_id, type(error).__name__)
    return known


def _open_payments(engine: Engine) -> list[tuple[UUID, str, int]]:
    with read(engine) as connection:
        now = now_ms(connection)
        query = (
            select(Payment.id, Payment.provider, Payment.created_ms)
            .where(Payment.state.in_(OPEN), Payment.created_ms <= now - 1000 * ASK_AFTER_SECONDS)
            .order_by(Payment.created_ms)
            .limit(AT_ONCE)
        )
        return [(row.id, row.provider, now - row.created_ms) for row in connection.execute(query)]


def _reconcile_one(engine: Engine, tills: Tills, provider: Provider, payment_id: UUID, age_ms: int) -> bool:
    said = provider.look_up(payment_id)
    if said is None:
        if age_ms <= 1000 * IN_FLIGHT_SECONDS:
            return False
        said = Said(payment_id, "declined", reason="never_arrived")
    if said.verdict == "unknown":
        return False
    settle(engine, tills, find_payment(engine, payment_id), said)
    return True

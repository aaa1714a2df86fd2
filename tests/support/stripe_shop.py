"""A shop whose buyers pay at a local Stripe (tests/support/localstripe.py)."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from backend.db.tables.events import Event
from backend.db.tables.orders import Payment
from backend.sales.ledger import balances, check_ledger
from backend.sales.payments import reconcile
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer, new_key, opens
from tests.support.checker import check_sales
from tests.support.localstripe import KEY, WEBHOOK_SECRET, LocalStripe, signed
from tests.support.patience import patient
from tests.support.shop import put_on_sale

NOTIFY = "/payments/stripe/notify"
PRICE = 4950


def with_stripe(database_url: str, data: Path, bank: LocalStripe) -> Services:
    """Everything wired, with the event `gig` on sale and self-service refunds. Whoever asks closes it."""
    settings = settings_from(
        {
            "TRUESTUB_DATA_DIR": str(data),
            "TRUESTUB_DATABASE_URL": database_url,
            "TRUESTUB_STRIPE_KEY": KEY,
            "TRUESTUB_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "TRUESTUB_STRIPE_API_URL": bank.url,
            "TRUESTUB_STRIPE_PAGES": bank.url,
        }
    )
    services = patient(wire(settings))
    put_on_sale(services.engine)
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms, refund_keep_bps=0))
    return services


def ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reconciler asks about every open payment whenever it runs."""
    monkeypatch.setattr(reconcile, "ASK_AFTER_SECONDS", 0)
    monkeypatch.setattr(reconcile, "BUYER_SECONDS", 0)
    monkeypatch.setattr(reconcile, "BUYER_SHARE", 0)


def checkout(buyer: Buyer, order: dict[str, Any], key: str = "") -> Any:
    return buyer.client.post(
        f"/api/v1/orders/{order['order_id']}/payments",
        json={"method": "stripe", "token": "checkout"},
        headers={"Idempotency-Key": key or new_key(), **opens(order)},
    )


def started(buyer: Buyer, *lines: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """An order whose buyer was sent to Stripe's page, and that page."""
    order = buyer.held(*lines)
    answer = checkout(buyer, order)
    assert answer.status_code == 202, answer.text
    return order, answer.get_json()["payment"]["pay_at"]


def bought(buyer: Buyer, services: Services, bank: LocalStripe, *lines: dict[str, Any]) -> dict[str, Any]:
    order, pay_at = started(buyer, *lines)
    assert bank.pay(pay_at)[0] == 303
    assert ask(services) == 1
    return {**order, **buyer.look(order)}


def ask(services: Services) -> int:
    return reconcile.reconcile(services.engine, services.tills, services.payments)


def payment_of(services: Services, order: dict[str, Any]) -> Any:
    with services.engine.connect() as connection:
        return connection.execute(select(Payment).where(Payment.order_id == UUID(order["order_id"]))).one()


def tell(client: FlaskClient, body: bytes, headers: dict[str, str] | None = None) -> int:
    return client.post(NOTIFY, data=body, headers=headers if headers is not None else signed(body)).status_code


def held_by_stripe(services: Services) -> int:
    with services.engine.connect() as connection:
        return balances(connection).get(("provider:stripe", "EUR"), 0)


def adds_up(services: Services) -> None:
    assert check_ledger(services.engine, {}) == []
    assert check_sales(services.engine).problems == []

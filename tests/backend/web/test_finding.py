"""A restored wallet finds its owner's orders: those, all those, and nobody else's."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend.app import create_app
from backend.settings import settings_from
from backend.wiring import wire
from credential.finding import finding_typed_data
from tests.support.shop import put_on_sale

ADA, BEN = (Account.from_key(bytes([number]) * 32) for number in (1, 2))


@pytest.fixture
def shop(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[FlaskClient]:
    put_on_sale(engine, floor=50)
    settings = settings_from({"TRUESTUB_DATABASE_URL": database_url, "TRUESTUB_DATA_DIR": str(tmp_path / "data")})
    services = wire(settings)
    yield create_app(services).test_client()
    services.close()


def hold(shop: FlaskClient, key: str, owner: LocalAccount | None) -> dict[str, Any]:
    body: dict[str, Any] = {"lines": [{"class": "floor", "quantity": 1}]}
    if owner is not None:
        body["owner"] = owner.address
    answer = shop.post("/api/v1/events/gig/orders", json=body, headers={"Idempotency-Key": f"the-purchase-{key}"})
    assert answer.status_code == 201
    return dict(answer.json or {})


def buy(shop: FlaskClient, key: str, owner: LocalAccount | None) -> dict[str, Any]:
    held = hold(shop, key, owner)
    headers = {"Idempotency-Key": f"the-payment-{key}", "Authorization": f"Bearer {held['order_secret']}"}
    payment = {"method": "sandbox", "token": "approve"}
    assert shop.post(f"/api/v1/orders/{held['order_id']}/payments", json=payment, headers=headers).status_code == 200
    return held


def find(shop: FlaskClient, owner: LocalAccount, signer: LocalAccount | None = None, ahead: int = 600) -> Any:
    event = shop.get("/api/v1/events/gig").json or {}
    platform, tag = bytes.fromhex(event["platform_id"]), bytes.fromhex(event["tag"])
    expiry = int(time.time()) + ahead
    typed = finding_typed_data(platform, tag, bytes.fromhex(owner.address[2:]), expiry)
    signature = (signer or owner).sign_message(encode_typed_data(full_message=typed)).signature
    body = {"owner": owner.address, "expiry": expiry, "signature": "0x" + signature.hex()}
    return shop.post("/api/v1/events/gig/orders/find", json=body)


def test_owner_finds_every_paid_order_with_the_secret_that_opens_it(shop: FlaskClient) -> None:
    bought = [buy(shop, f"adas-order-{number}", ADA) for number in range(2)]
    hold(shop, "adas-unpaid-order", ADA)
    buy(shop, "a-guests-order", None)

    found = find(shop, ADA).json["orders"]

    assert found == [{name: one[name] for name in ("order_id", "order_secret")} for one in bought]
    opened = shop.get(
        f"/api/v1/orders/{found[0]['order_id']}", headers={"Authorization": f"Bearer {found[0]['order_secret']}"}
    )
    assert (opened.json or {})["state"] == "paid"


def test_others_find_nothing(shop: FlaskClient) -> None:
    buy(shop, "adas-order", ADA)

    assert find(shop, BEN).json == {"orders": [], "received": []}


def test_another_key_does_not_find_an_owners_orders(shop: FlaskClient) -> None:
    buy(shop, "adas-order", ADA)

    answer = find(shop, ADA, signer=BEN)

    assert (answer.status_code, answer.json["code"]) == (422, "owner_signature_invalid")


@pytest.mark.parametrize("ahead", [-1, 1000])
def test_a_wish_that_ran_out_or_lasts_too_long_is_refused(shop: FlaskClient, ahead: int) -> None:
    answer = find(shop, ADA, ahead=ahead)

    assert (answer.status_code, answer.json["code"]) == (422, "wish_expired")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"owner": ADA.address, "expiry": "soon", "signature": "0x" + "00" * 65},
        {"owner": ADA.address, "expiry": 1, "signature": "0x00"},
        {"owner": "0x00", "expiry": 1, "signature": "0x" + "00" * 65},
    ],
)
def test_junk_is_refused_by_name(shop: FlaskClient, body: dict[str, Any]) -> None:
    assert shop.post("/api/v1/events/gig/orders/find", json=body).status_code == 422

"""Buying over the API: what is promised to a buyer and what each mistake gets."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from backend.db.tables.events import Stock
from backend.db.tables.orders import Order
from backend.sales.expiry import expire_holds
from backend.wiring import Services
from tests.support.buyer import ORDERS, Buyer, new_key, opens, problem
from tests.support.checker import check_sales


def end_holds(services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))


def test_hold_pay_look(buyer: Buyer, services: Services) -> None:
    held = buyer.held({"class": "floor", "quantity": 2}, {"class": "balcony", "quantity": 1, "seats": ["A-3"]})
    assert held["total_minor"] == 2 * 4950 + 7200
    assert held["lines"][1]["seats"] == ["A-3"]
    paid = buyer.pay(held)
    assert paid.status_code == 200
    assert [ticket["seat"] for ticket in paid.get_json()["tickets"]] == [None, None, "A-3"]
    seen = buyer.look(held)
    assert seen["state"] == "paid"
    assert [ticket["stage"] for ticket in seen["tickets"]] == ["paid"] * 3
    assert [ticket["ticket_id"] for ticket in seen["tickets"]] == [
        ticket["ticket_id"] for ticket in paid.get_json()["tickets"]
    ]
    assert check_sales(services.engine).problems == []


def test_repeating_a_request_gets_the_first_answer(buyer: Buyer) -> None:
    first, second = (buyer.order(key="the-very-same-key-1") for _ in range(2))
    assert first.get_json() == second.get_json()
    order = first.get_json()
    once, twice = (buyer.pay(order, key="the-very-same-key-2") for _ in range(2))
    assert once.get_json() == twice.get_json()
    assert buyer.order(key="the-very-same-key-1").get_json() == order  # also when it is paid long since


def test_a_key_is_for_one_request_only(buyer: Buyer) -> None:
    buyer.order({"class": "floor", "quantity": 1}, key="the-very-same-key-1")
    assert problem(buyer.order({"class": "floor", "quantity": 2}, key="the-very-same-key-1")) == (
        422,
        "idempotency_key_reused",
    )
    order = buyer.held()
    buyer.pay(order, "approve", key="the-very-same-key-2")
    assert problem(buyer.pay(order, "decline", key="the-very-same-key-2")) == (422, "idempotency_key_reused")


def test_another_buyers_key_tells_nothing(buyer: Buyer) -> None:
    """A key opens nothing by itself: the scope of a payment's key is its order."""
    mine, yours = buyer.held(), buyer.held()
    assert buyer.pay(mine, key="the-very-same-key-1").get_json()["order_id"] == mine["order_id"]
    assert buyer.pay(yours, key="the-very-same-key-1").get_json()["order_id"] == yours["order_id"]


def test_an_order_opens_only_with_its_secret(buyer: Buyer, client: FlaskClient) -> None:
    mine, yours = buyer.held(), buyer.held()
    path = f"/api/v1/orders/{mine['order_id']}"
    assert problem(client.get(path)) == (401, "order_secret_missing")
    assert problem(client.get(path, headers={"Authorization": "Basic abc"})) == (401, "order_secret_missing")
    for method in (client.get, client.delete):
        assert problem(method(path, headers=opens(yours))) == (404, "unknown_order")
    pay = {**opens(yours), "Idempotency-Key": new_key()}
    body = {"method": "sandbox", "token": "approve"}
    assert problem(client.post(f"{path}/payments", json=body, headers=pay)) == (404, "unknown_order")
    assert buyer.look(mine)["state"] == "held"


def test_a_secret_opens_its_order_after_a_restart_too(buyer: Buyer, services: Services) -> None:
    order = buyer.held()
    services.tills._by_order.clear()  # what a new process does not remember
    assert buyer.look(order)["state"] == "held"


def test_releasing_gives_the_tickets_back(buyer: Buyer, client: FlaskClient, services: Services) -> None:
    order = buyer.held({"class": "balcony", "quantity": 2, "seats": ["A-1", "A-2"]})
    for _round in range(2):
        answer = client.delete(f"/api/v1/orders/{order['order_id']}", headers=opens(order))
        assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    assert problem(buyer.pay(order)) == (409, "order_cancelled")
    buyer.held({"class": "balcony", "quantity": 2, "seats": ["A-1", "A-2"]})


def test_an_expired_hold_cannot_be_paid_and_makes_room(buyer: Buyer, services: Services) -> None:
    order = buyer.held({"class": "floor", "quantity": 8})
    end_holds(services)
    assert buyer.look(order)["state"] == "expired"
    assert problem(buyer.pay(order)) == (409, "hold_expired")
    assert expire_holds(services.engine) == 1
    assert expire_holds(services.engine) == 0
    with services.engine.connect() as connection:
        assert set(connection.scalars(select(Stock.held))) == {0}


def test_double_pay_is_refused_and_charged_once(buyer: Buyer, services: Services) -> None:
    order = buyer.held()
    assert buyer.pay(order).status_code == 200
    assert problem(buyer.pay(order)) == (409, "already_paid")
    assert services.bank
    assert services.bank.balance() == {"EUR": 4950}


def test_sold_out_is_said_and_not_remembered_against_the_first_buyer(buyer: Buyer) -> None:
    first = buyer.order({"class": "floor", "quantity": 8}, key="the-very-same-key-1")
    buyer.held({"class": "floor", "quantity": 2})
    for _round in range(3):
        assert problem(buyer.order()) == (409, "sold_out")
    assert buyer.order({"class": "floor", "quantity": 8}, key="the-very-same-key-1").get_json() == first.get_json()


def test_a_taken_seat_is_named(buyer: Buyer) -> None:
    buyer.held({"class": "balcony", "quantity": 1, "seats": ["A-1"]})
    refused = buyer.order({"class": "balcony", "quantity": 2, "seats": ["A-1", "A-2"]})
    assert problem(refused) == (409, "seat_taken")
    assert refused.get_json()["seats"] == ["A-1"]


LINE = {"class": "floor", "quantity": 1}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"lines": [{"class": "nowhere", "quantity": 1}]}, 422, "unknown_class"),
        ({"lines": [{"class": "floor", "quantity": 9}]}, 422, "over_limit"),
        ({"lines": [{"class": "floor", "quantity": 10_001}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": 0}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": -1}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": 10**30}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": 1.5}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": "1"}]}, 422, "invalid_request"),
        ({"lines": [{"class": "floor", "quantity": True}]}, 422, "invalid_request"),
        ({"lines": [{"class": "x" * 41, "quantity": 1}]}, 422, "invalid_request"),
        ({"lines": [{"class": "fl\u0000oor", "quantity": 1}]}, 422, "unknown_class"),
        ({"lines": []}, 422, "invalid_request"),
        ({"lines": [LINE] * 21}, 422, "invalid_request"),
        ({"lines": [LINE], "owner": "0x12"}, 422, "invalid_request"),
        ({"lines": [LINE], "total_minor": 1}, 422, "unknown_field"),
        ({"lines": [{**LINE, "price": 0}]}, 422, "unknown_field"),
        ({"lines": [{"class": "floor", "quantity": 1, "seats": ["A-1"]}]}, 422, "class_has_no_seats"),
        ({"lines": [{"class": "balcony", "quantity": 2, "seats": ["A-1"]}]}, 422, "seats_do_not_match_quantity"),
        ({"lines": [{"class": "balcony", "quantity": 1, "seats": ["Z-99"]}]}, 422, "unknown_seat"),
        ({"lines": [{"class": "balcony", "quantity": 1, "seats": ["'; DROP TABLE seats--"]}]}, 422, "unknown_seat"),
        ({"lines": [{"class": "balcony", "quantity": 1, "seats": ["座\u202e1"]}]}, 422, "unknown_seat"),
        ([], 422, "invalid_request"),
        ("x", 422, "invalid_request"),
    ],
)
def test_each_mistake_in_an_order_has_a_code_and_costs_nothing(
    client: FlaskClient, services: Services, body: object, status: int, code: str
) -> None:
    answer = client.post(ORDERS, json=body, headers={"Idempotency-Key": new_key()})
    assert problem(answer) == (status, code)
    with services.engine.connect() as connection:
        assert set(connection.scalars(select(Stock.held))) == {0}


def test_keys_and_bodies_must_be_fit(client: FlaskClient) -> None:
    good = {"lines": [LINE]}
    assert problem(client.post(ORDERS, json=good)) == (400, "idempotency_key_missing")
    for key in ("short", "x" * 81, "with space but long", "schlüssel-mit-umlaut"):
        answer = client.post(ORDERS, json=good, headers={"Idempotency-Key": key})
        assert problem(answer) == (400, "idempotency_key_invalid"), key
    keyed = {"Idempotency-Key": new_key()}
    assert problem(client.post(ORDERS, data=b"{}", headers=keyed)) == (415, "not_json")
    as_json = {**keyed, "Content-Type": "application/json"}
    for broken in (b"", b"{", b"\xff\xfe", b"NaN", b"[" * 30_000, b'{"lines":' * 5_000):
        assert problem(client.post(ORDERS, data=broken, headers=as_json))[0] in (400, 422)
    assert problem(client.post(ORDERS, data=b" " * 70_000, headers=as_json)) == (413, "body_too_large")


def test_unknown_things_are_not_found(client: FlaskClient, buyer: Buyer) -> None:
    keyed = {"Idempotency-Key": new_key()}
    answer = client.post("/api/v1/events/no-such/orders", json={"lines": [LINE]}, headers=keyed)
    assert problem(answer) == (404, "unknown_event")
    nobody = {"Authorization": "Bearer x"}
    missing = "/api/v1/orders/01890000-0000-7000-8000-000000000000"
    assert problem(client.get(missing, headers=nobody)) == (404, "unknown_order")
    assert problem(client.get("/api/v1/orders/not-a-uuid", headers=nobody)) == (404, "not_found")
    order = buyer.held()
    assert problem(buyer.pay(order, method="cash")) == (422, "unknown_payment_method")
    assert problem(buyer.pay(order, "gold")) == (422, "unknown_payment_token")

"""The waiting list: what comes back goes to who waits, in order, and nobody from the street gets it first."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from backend.db.tables.events import Event
from backend.db.tables.orders import Order
from backend.sales.expiry import expire_holds
from backend.sales.waiting_list import offer_returned
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key, opens, problem
from tests.support.checker import check_sales

LIST = "/api/v1/events/gig/waiting-list"


@pytest.fixture
def sold(services: Services, buyer: Buyer) -> list[dict[str, Any]]:
    """Five orders of two that have bought the whole floor."""
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    return [buyer.bought({"class": "floor", "quantity": 2}) for _ in range(5)]


def wait(client: FlaskClient, quantity: int = 2) -> dict[str, Any]:
    answer = ask(client, quantity=quantity)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def ask(client: FlaskClient, key: str = "", code: str = "floor", quantity: int = 2) -> TestResponse:
    body = {"class": code, "quantity": quantity}
    return client.post(LIST, json=body, headers={"Idempotency-Key": key or new_key()})


def look(client: FlaskClient, waiter: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {waiter['waiter_secret']}"}
    return dict(client.get(f"/api/v1/waiting-list/{waiter['waiter_id']}", headers=headers).get_json())


def offer(services: Services) -> int:
    return offer_returned(services.engine, services.tills, services.secret)


def test_what_comes_back_is_offered_in_order_and_kept_from_the_street(
    services: Services, client: FlaskClient, buyer: Buyer, sold: list[dict[str, Any]]
) -> None:
    first, second = wait(client), wait(client)
    assert [look(client, one)["ahead"] for one in (first, second)] == [0, 1]
    buyer.give_back(sold[0])
    assert problem(buyer.order()) == (409, "sold_out"), "before the offer was made"
    assert offer(services) == 1
    assert offer(services) == 0
    assert [look(client, one)["state"] for one in (first, second)] == ["offered", "waiting"]
    assert problem(buyer.order()) == (409, "sold_out")
    offered = look(client, first)
    assert buyer.pay(offered).status_code == 200
    offer(services)
    assert look(client, first)["state"] == "done"
    assert check_sales(services.engine).problems == []


def test_place_asked_for_twice_is_one_place(client: FlaskClient, sold: list[dict[str, Any]]) -> None:
    """An answer that got lost is asked for again; a stranger who guesses another wish with the key learns nothing."""
    key = new_key()
    first, again = ask(client, key), ask(client, key)
    assert (first.status_code, again.get_json()) == (201, first.get_json())
    assert problem(ask(client, key, quantity=1)) == (422, "idempotency_key_reused")
    assert look(client, wait(client))["ahead"] == 1
    assert problem(client.post(LIST, json={"class": "floor", "quantity": 2})) == (400, "idempotency_key_missing")


def test_who_does_not_take_the_offer_makes_way_for_the_next(
    services: Services, client: FlaskClient, buyer: Buyer, sold: list[dict[str, Any]]
) -> None:
    first, second = wait(client), wait(client)
    buyer.give_back(sold[0])
    offer(services)
    with services.engine.begin() as connection:
        connection.execute(update(Order).where(Order.state == "held").values(hold_expires_ms=1))
    expire_holds(services.engine)
    assert offer(services) == 1
    assert [look(client, one)["state"] for one in (first, second)] == ["lapsed", "offered"]


def test_a_limit_lowered_since_does_not_lock_the_class(
    services: Services, client: FlaskClient, buyer: Buyer, sold: list[dict[str, Any]]
) -> None:
    """Else nobody gets an offer, and the street is told "sold out" for ever."""
    waiter = wait(client, 2)
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(max_per_order=1))
    buyer.give_back(sold[0])
    assert offer(services) == 1
    assert look(client, waiter)["state"] == "offered"


def test_who_wants_more_than_came_back_keeps_it_from_nobody(
    services: Services, client: FlaskClient, buyer: Buyer, sold: list[dict[str, Any]]
) -> None:
    many, few = wait(client, 4), wait(client, 1)
    buyer.give_back(sold[0], sold[0]["tickets"][0]["ticket_id"])
    assert offer(services) == 1
    assert [look(client, one)["state"] for one in (many, few)] == ["waiting", "offered"]
    buyer.give_back(sold[1], sold[1]["tickets"][0]["ticket_id"])
    assert offer(services) == 0
    assert buyer.held()["state"] == "held", "nobody on the list can use a single ticket"


def test_the_list_is_for_what_is_sold_out_and_for_whoever_holds_the_secret(
    services: Services, client: FlaskClient, buyer: Buyer, sold: list[dict[str, Any]]
) -> None:
    balcony = ask(client, code="balcony")
    assert problem(balcony) == (409, "not_sold_out")
    assert problem(ask(client, code="none")) == (422, "unknown_class")
    assert problem(ask(client, quantity=9)) == (422, "over_limit")
    mine, yours = wait(client), wait(client)
    stolen = {**yours, "order_secret": mine["waiter_secret"]}
    address = f"/api/v1/waiting-list/{yours['waiter_id']}"
    assert problem(client.get(address, headers=opens(stolen))) == (404, "unknown_waiter")
    left = client.delete(address, headers={"Authorization": f"Bearer {yours['waiter_secret']}"})
    assert left.get_json()["state"] == "left"
    buyer.give_back(sold[0])
    buyer.give_back(sold[1])
    assert offer(services) == 1
    assert look(client, yours)["order_id"] is None

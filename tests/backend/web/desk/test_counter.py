"""The counter: cash, refunds, cancelled events, help. Each is tried by the wrong people as well."""

import re
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Payment, Refund, Ticket
from backend.sales.calling_off import give_back_cancelled
from backend.sales.payments.outbox import run_due
from backend.sales.refunds import refunds_of
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key, opens, problem
from tests.support.checker import check_sales
from tests.support.desk import at_desk, post
from tests.support.forms import HTML, token_of


@pytest.fixture
def cashier(app: Flask, services: Services) -> FlaskClient:
    return at_desk(app, services, "box_office")


def sell(client: FlaskClient, wanted: str = "floor:2") -> str:
    """Two of the three taps; the order's number."""
    held = post(client, "/desk/events/gig/sell", "/desk/events/gig/sell", form="one", wanted=wanted)
    where = held.headers["Location"]
    assert where.endswith("/cash"), held.text
    order = where.split("/")[3]
    done = post(client, where, where, form="two")
    assert done.status_code == 200, done.text
    assert f"truestub-receipt-1 http://127.0.0.1:8080 {order}" in done.text
    return order


def states(services: Services) -> list[str]:
    with services.engine.connect() as connection:
        return sorted(connection.scalars(select(Ticket.state)))


def test_a_ticket_is_sold_for_cash_in_three_taps(cashier: FlaskClient, services: Services) -> None:
    order = sell(cashier)
    assert states(services) == ["valid", "valid"]
    with services.engine.connect() as connection:
        paid = connection.execute(select(Payment.provider, Payment.state, Payment.amount_minor)).one()
    assert tuple(paid) == ("cash", "succeeded", 2 * 4950)
    assert check_sales(services.engine).problems == []
    assert f"order:{order}" in at_desk(cashier.application, services, "owner").get("/desk/audit", headers=HTML).text


def test_a_double_tap_sells_once(cashier: FlaskClient, services: Services) -> None:
    page = cashier.get("/desk/events/gig/sell", headers=HTML).text
    fields = {"csrf_token": token_of(page), "form": "one", "wanted": "floor:1"}
    first, second = (cashier.post("/desk/events/gig/sell", data=fields, headers=HTML) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    for _ in range(2):
        assert cashier.post(first.headers["Location"], data=fields, headers=HTML).status_code == 200
    assert states(services) == ["valid"]


def test_a_buyer_cannot_pay_in_cash_by_himself(buyer: Buyer, services: Services) -> None:
    held = buyer.held()
    for token in ("approve", "", "cash"):
        answer = buyer.client.post(
            f"/api/v1/orders/{held['order_id']}/payments",
            json={"method": "cash", "token": token or "x"},
            headers={"Idempotency-Key": new_key(), **opens(held)},
        )
        assert problem(answer) == (422, "unknown_payment_method")
    assert states(services) == []


def test_chosen_tickets_go_back_and_the_others_stay(app: Flask, services: Services, buyer: Buyer) -> None:
    finance = at_desk(app, services, "finance")
    bought = buyer.pay(buyer.held({"class": "floor", "quantity": 3})).get_json()
    page = f"/desk/orders/{bought['order_id']}"
    ticket = bought["tickets"][1]["ticket_id"]
    for _ in range(2):  # the same form twice
        post(finance, f"{page}/refund", page, form="one", ticket=ticket, reason="goodwill")
    assert states(services) == ["refunded", "valid", "valid"]
    with services.engine.connect() as connection:
        assert connection.execute(select(Refund.amount_minor, Refund.reason, Refund.asked_by)).all() == [
            (4950, "goodwill", "organiser")
        ]
    run_due(services.engine, services.payments)
    assert "goodwill" in finance.get(page, headers=HTML).text
    assert check_sales(services.engine).problems == []


def test_cash_goes_back_as_cash(app: Flask, services: Services, cashier: FlaskClient) -> None:
    order = sell(cashier)
    owner = at_desk(app, services, "owner")
    page = f"/desk/orders/{order}"
    tickets = re.findall(r'name="ticket" value="([^"]+)"', owner.get(page, headers=HTML).text)
    post(owner, f"{page}/refund", page, form="one", ticket=tickets, reason="asked")
    run_due(services.engine, services.payments)
    assert states(services) == ["refunded", "refunded"]
    assert "pay it out in cash" in owner.get(page, headers=HTML).text
    assert [one.by_hand for one in refunds_of(services.engine, UUID(order))] == [True], "no bank sends this money"
    assert check_sales(services.engine).problems == []


def test_a_refund_without_a_reason_or_for_anothers_ticket_is_none(app: Flask, services: Services, buyer: Buyer) -> None:
    finance = at_desk(app, services, "finance")
    mine, other = (buyer.pay(buyer.held()).get_json() for _ in range(2))
    page = f"/desk/orders/{mine['order_id']}"
    post(finance, f"{page}/refund", page, form="a", ticket=mine["tickets"][0]["ticket_id"], reason="because")
    post(finance, f"{page}/refund", page, form="b", ticket=other["tickets"][0]["ticket_id"], reason="asked")
    assert states(services) == ["valid", "valid"]


def test_an_event_is_cancelled_only_by_who_types_its_address(app: Flask, services: Services, buyer: Buyer) -> None:
    owner = at_desk(app, services, "owner")
    buyer.pay(buyer.held({"class": "floor", "quantity": 2}))
    page = "/desk/events/gig/cancel"
    assert post(owner, page, page, slug="gag").status_code == 409
    assert state_of_event(services) == "on_sale"
    assert post(owner, page, page, slug="gig").status_code == 303
    assert state_of_event(services) == "cancelled"
    give_back_cancelled(services.engine)
    run_due(services.engine, services.payments)
    assert states(services) == ["refunded", "refunded"]
    assert buyer.order().status_code == 409
    assert check_sales(services.engine).problems == []


def test_help_shows_the_receipt_only_after_a_check_that_is_written_down(
    app: Flask, services: Services, buyer: Buyer
) -> None:
    helper = at_desk(app, services, "gate_supervisor")
    held = buyer.held()
    buyer.pay(held)
    page = f"/desk/orders/{held['order_id']}"
    refused = post(helper, f"{page}/help", page, trouble="dead_phone")
    assert refused.status_code == 303
    assert held["order_secret"] not in helper.get(page, headers=HTML).text
    helped = post(helper, f"{page}/help", page, trouble="dead_phone", checked=["receipt", "identity_card"])
    assert held["order_secret"] in helped.text
    log = at_desk(app, services, "owner").get("/desk/audit", headers=HTML).text
    assert "identity_card" in log
    assert held["order_secret"] not in log


def test_a_hold_at_the_counter_is_let_go(cashier: FlaskClient, services: Services) -> None:
    held = post(cashier, "/desk/events/gig/sell", "/desk/events/gig/sell", form="one", wanted="balcony:2")
    page = held.headers["Location"]
    assert post(cashier, page.replace("/cash", "/release"), page).status_code == 303
    with services.engine.connect() as connection:
        assert connection.scalars(select(Order.state)).all() == ["cancelled"]


@pytest.mark.parametrize("wanted", ["floor:0", "floor:-1", "floor:9", "none:1", "floor", "", "floor:1:1", "floor:²"])
def test_absurd_taps_sell_nothing(cashier: FlaskClient, services: Services, wanted: str) -> None:
    answer = post(cashier, "/desk/events/gig/sell", "/desk/events/gig/sell", form="one", wanted=wanted)
    assert answer.headers["Location"] == "/desk/events/gig/sell"
    with services.engine.connect() as connection:
        assert connection.scalars(select(Order.id)).all() == []


def state_of_event(services: Services) -> str | None:
    with services.engine.connect() as connection:
        return connection.scalar(select(Event.state))

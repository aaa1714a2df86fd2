"""One pass, one order; one guest, one limit; a new link makes the old one dead; the terms stand with each order."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.db.tables.buyers import BuyerMark, UsedPass
from backend.db.tables.events import Event
from backend.db.tables.orders import Order
from backend.errors import Refused
from backend.privacy.buyers import normal_mail
from backend.privacy.contacts import consent_of
from backend.privacy.rights import erase_due, erase_person, export_person
from backend.sales.expiry import expire_holds
from backend.wiring import Services
from tests.backend.web.test_waiting_room import HOUR, open_room
from tests.support.buyer import ORDERS, Buyer, new_key, opens, problem
from tests.support.checker import check_sales
from tests.support.desk import at_desk, post
from tests.support.forms import HTML
from tests.support.passes import give_pass

MAIL = "zorblatt.quexington@planted.example"


def set_event(services: Services, **values: Any) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(values))


def order(client: FlaskClient, leave: str, key: str = "") -> TestResponse:
    headers = {"Idempotency-Key": key or new_key(), "Waiting-Pass": leave}
    return client.post(ORDERS, json={"lines": [{"class": "floor", "quantity": 1}]}, headers=headers)


# --- a waiting room's pass --------------------------------------------------------------------------------------------


def test_of_two_orders_with_one_pass_in_a_race_one_is_held(services: Services) -> None:
    open_room(services, started_ago=HOUR)
    app, leave = create_app(services), give_pass(services)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _number: order(app.test_client(), leave), range(16)))
    assert sorted(one.status_code for one in answers) == [201, *[403] * 15]
    assert {problem(one) for one in answers if one.status_code != 201} == {(403, "pass_used")}
    assert order(app.test_client(), give_pass(services)).status_code == 201, "another's pass is another pass"


def test_a_pass_is_given_back_by_an_order_that_ends_unpaid(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=HOUR)
    leave, key = give_pass(services), new_key()
    released = order(client, leave, key).get_json()
    assert order(client, leave, key).get_json() == released, "the same order sent twice is one"
    assert client.delete(f"/api/v1/orders/{released['order_id']}", headers=opens(released)).status_code == 200
    lapsed = order(client, leave)
    assert lapsed.status_code == 201
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    kept = order(client, leave)
    assert kept.status_code == 201, "time ran out: not even the sweep is needed"
    expire_holds(services.engine)
    assert problem(order(client, leave)) == (403, "pass_used")
    assert Buyer(client).pay(kept.get_json()).status_code == 200
    assert problem(order(client, leave)) == (403, "pass_used")
    with services.engine.connect() as connection:
        assert connection.scalars(select(UsedPass.order_id)).all() == [UUID(kept.get_json()["order_id"])]
    set_event(services, doors_ms=1, starts_ms=2, ends_ms=3)
    erase_due(services.engine, services.secret)
    with services.engine.connect() as connection:
        assert connection.scalars(select(UsedPass.order_id)).all() == []


# --- a guest's limit --------------------------------------------------------------------------------------------------


def test_a_guest_has_no_more_than_the_limit_in_any_number_of_orders(services: Services, buyer: Buyer) -> None:
    set_event(services, max_per_buyer=3)
    two = {"class": "floor", "quantity": 2}
    nameless = buyer.held(two)
    assert problem(buyer.pay(nameless)) == (422, "buyer_unknown")
    assert problem(buyer.pay(nameless, mail="nonsense")) == (409, "bad_mail_address")
    assert buyer.pay(nameless, mail=MAIL).status_code == 200
    other = buyer.held(two)
    for spelled in (MAIL, MAIL.upper(), MAIL.replace("@", "+more@")):
        assert problem(buyer.pay(other, mail=spelled)) == (409, "over_buyers_limit")
    assert buyer.pay(buyer.held(), mail=MAIL).status_code == 200
    assert problem(buyer.pay(buyer.held(), mail=MAIL)) == (409, "over_buyers_limit")
    assert buyer.pay(buyer.held(), mail="another@planted.example").status_code == 200
    assert check_sales(services.engine).problems == []


def test_a_guest_in_eight_tabs_at_once_gets_the_limit(services: Services, client: FlaskClient) -> None:
    set_event(services, max_per_buyer=3)
    app = create_app(services)
    held = [Buyer(client).held() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        paid = list(pool.map(lambda one: Buyer(app.test_client()).pay(one, mail=MAIL).status_code, held))
    assert sorted(paid) == [200] * 3 + [409] * 5


def test_what_a_guest_let_go_is_counted_no_more(services: Services, buyer: Buyer, client: FlaskClient) -> None:
    set_event(services, max_per_buyer=1)
    order = buyer.held()
    assert buyer.pay(order, token="decline", mail=MAIL).status_code == 402
    other = buyer.held()
    assert problem(buyer.pay(other, mail=MAIL)) == (409, "over_buyers_limit"), "the first is still held"
    assert client.delete(f"/api/v1/orders/{order['order_id']}", headers=opens(order)).status_code == 200
    assert buyer.pay(other, mail=MAIL).status_code == 200


def test_what_is_kept_of_a_guests_address_can_be_asked_for_and_erased(services: Services, buyer: Buyer) -> None:
    set_event(services, max_per_buyer=1)
    mine = buyer.held()
    buyer.pay(mine, mail=MAIL)
    buyer.pay(buyer.held(), mail="another@planted.example")
    told = export_person(services.engine, services.secret, MAIL.title())["orders"]
    assert [(one["order_id"], one["counted_for_the_limit"]) for one in told] == [(mine["order_id"], True)]
    assert erase_person(services.engine, services.secret, "command line", MAIL) == 1
    with pytest.raises(Refused, match="unknown_person"):
        export_person(services.engine, services.secret, MAIL)
    with services.engine.begin() as connection:
        assert len(connection.scalars(select(BuyerMark.mark)).all()) == 1, "the other's stays"
        connection.execute(update(Event).values(doors_ms=1, starts_ms=2, ends_ms=3))
    erase_due(services.engine, services.secret)
    with services.engine.connect() as connection:
        assert connection.scalars(select(BuyerMark.mark)).all() == [], "after the event nobody needs it"


def test_addresses_of_one_box_are_one_guest() -> None:
    assert normal_mail(" Ann.Lee+gig@GoogleMail.com") == normal_mail("annlee@gmail.com")
    assert normal_mail("ann.lee@example.org") != normal_mail("annlee@example.org")
    assert normal_mail("ann@example.org") != normal_mail("ann@example.com")


def test_an_order_without_room_and_limit_costs_no_statement_for_them(services: Services, buyer: Buyer) -> None:
    statements: list[str] = []
    sqlalchemy_event.listen(services.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    assert buyer.pay(buyer.held(), mail=MAIL).status_code == 200
    assert not [one for one in statements if "used_passes" in one or "buyer_marks" in one]


# --- terms and links --------------------------------------------------------------------------------------------------


def test_each_order_keeps_the_terms_it_was_made_under(services: Services, buyer: Buyer) -> None:
    order = buyer.held(terms_version=services.settings.terms_version)
    assert consent_of(services.engine, UUID(order["order_id"])) == (services.settings.terms_version, False)
    assert consent_of(services.engine, UUID(buyer.held()["order_id"])) == (services.settings.terms_version, False)
    assert problem(buyer.order(terms_version="0")) == (409, "terms_changed")


def renew(client: FlaskClient, order: dict[str, Any], key: str = "") -> TestResponse:
    headers = {"Idempotency-Key": key or new_key(), **opens(order)}
    return client.post(f"/api/v1/orders/{order['order_id']}/secret", headers=headers)


def test_a_new_link_makes_the_old_one_dead(services: Services, buyer: Buyer, client: FlaskClient) -> None:
    held = buyer.held()
    assert problem(renew(client, held)) == (409, "order_not_settled")
    buyer.pay(held)
    app, key = create_app(services), new_key()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _number: renew(app.test_client(), held, key), range(8)))
    made = answers[0].get_json()
    assert {(one.status_code, one.get_json()["order_secret"]) for one in answers} == {(200, made["order_secret"])}
    assert made["order_secret"] != held["order_secret"]
    assert problem(client.get(f"/api/v1/orders/{held['order_id']}", headers=opens(held))) == (404, "unknown_order")
    assert problem(buyer.give_back(held)) == (404, "unknown_order")
    assert problem(renew(client, held)) == (404, "unknown_order"), "a thief's wish comes too late"
    assert renew(client, held, key).get_json() == made, "an answer that got lost is given again"
    assert len(buyer.look(made)["tickets"]) == 1
    third = renew(client, made).get_json()
    assert problem(renew(client, held, key)) == (404, "unknown_order"), "but never the secret after next"
    assert len(buyer.look(third)["tickets"]) == 1


def test_the_page_makes_a_new_link_and_the_old_receipt_is_dead(services: Services) -> None:
    app = create_app(services)
    client, thief = app.test_client(), app.test_client()
    held = post(client, "/events/gig", "/events/gig", form="one", **{"quantity-floor": "1"})
    page = held.headers["Location"]
    post(client, f"{page}/pay", page, form="pay", method="sandbox", token="approve")
    receipt = client.get(page, headers=HTML).text.partition("truestub-receipt-1")[2].partition("</textarea>")[0]
    post(thief, "/orders", "/orders", receipt=f"truestub-receipt-1{receipt}")
    assert thief.get(page, headers=HTML).status_code == 200
    assert post(client, f"{page}/renew", page, form="anew").status_code == 303
    assert thief.get(page, headers=HTML).status_code == 404
    assert "Gig" not in thief.get("/orders", headers=HTML).text
    assert thief.get("/wallet/orders").get_json() == {"orders": []}
    assert len(client.get("/wallet/orders").get_json()["orders"]) == 1
    assert receipt not in client.get(page, headers=HTML).text
    assert client.get(page, headers=HTML).status_code == 200


def test_help_with_a_lost_phone_makes_the_order_on_it_dead(services: Services, buyer: Buyer) -> None:
    helper, order = at_desk(create_app(services), services, "gate_supervisor"), buyer.bought()
    page = f"/desk/orders/{order['order_id']}"
    helped = post(helper, f"{page}/help", page, trouble="lost_phone", checked=["identity_card"])
    assert helped.status_code == 200
    assert order["order_secret"] not in helped.text
    assert problem(buyer.client.get(f"/api/v1/orders/{order['order_id']}", headers=opens(order)))[0] == 404

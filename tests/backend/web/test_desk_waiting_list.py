"""The desk's view of a waiting list, on both databases: in order, counted, exported, and left at people's wish."""

import csv
import io
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from backend.app import create_app
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import Order
from backend.desk.audit import latest
from backend.desk.waiters import counts, places
from backend.sales import waiting_list
from backend.sales.expiry import expire_holds
from backend.sales.till.till import Tills
from backend.sales.waiting_list import offer_returned
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key
from tests.support.desk import at_desk, post
from tests.support.forms import HTML

API, PAGE = "/api/v1/events/gig/waiting-list", "/desk/events/gig/waiting-list"
MAILS = ("first@planted.example", "second@planted.example", "third@planted.example")


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they cost is no matter here."""
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def sold(services: Services, buyer: Buyer) -> list[dict[str, Any]]:
    """Five orders of two that have bought the whole floor."""
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    return [buyer.bought({"class": "floor", "quantity": 2}) for _ in range(5)]


@pytest.fixture
def line(client: FlaskClient, sold: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three people who wait for two tickets each."""
    return [wait(client, mail) for mail in MAILS]


def wait(client: FlaskClient, mail: str = "", quantity: int = 2) -> dict[str, Any]:
    body = {"class": "floor", "quantity": quantity} | ({"mail": mail} if mail else {})
    answer = client.post(API, json=body, headers={"Idempotency-Key": new_key()})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def stands(client: FlaskClient, waiter: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {waiter['waiter_secret']}"}
    return dict(client.get(f"/api/v1/waiting-list/{waiter['waiter_id']}", headers=headers).get_json())


def offer(services: Services) -> int:
    return offer_returned(services.engine, services.tills, services.secret)


def text(client: FlaskClient, path: str = PAGE) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def actions(services: Services) -> list[str]:
    return [one["action"] for one in latest(services.engine)]


def event_of(services: Services) -> Any:
    return services.tills.event_id("gig")


def remove(desk: FlaskClient, waiter: dict[str, Any], **fields: object) -> None:
    answer = post(
        desk, f"{PAGE}/{waiter['waiter_id']}/remove", PAGE, **{"reason": "asked", "shown": "place_page", **fields}
    )
    assert answer.status_code == 303


def test_people_are_listed_in_order_with_what_became_of_them(
    app: Flask, services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any
) -> None:
    wait(client)
    for one in sold[:2]:
        buyer.give_back(one)
    assert offer(services) == 2
    assert buyer.pay(stands(client, line[0])).status_code == 200
    with services.engine.begin() as connection:
        connection.execute(update(Order).where(Order.state == "held").values(hold_expires_ms=1))
    expire_holds(services.engine)
    buyer.give_back(sold[2])
    offer(services)
    listed = places(services.engine, event_of(services))
    assert [str(one.waiter_id) for one in listed[:3]] == [one["waiter_id"] for one in line]
    # two places came free at once (one passed, one given back), and both who waited have their offers
    assert [one.state for one in listed] == ["bought", "passed", "offered", "offered"]
    assert listed[2].offered_until == stands(client, line[2])["offer_ends_at"]
    page = text(at_desk(app, services, "gate_supervisor"))
    assert page.index(line[0]["waiter_id"][-12:]) < page.index(line[2]["waiter_id"][-12:])
    for word in ("Bought", "Passed", "Offered until"):
        assert f">{word}</span>" in page


def test_counts_and_those_before_somebody_add_up(services: Services, client: FlaskClient, line: Any) -> None:
    wait(client, quantity=3)
    headers = {"Authorization": f"Bearer {line[1]['waiter_secret']}"}
    client.delete(f"/api/v1/waiting-list/{line[1]['waiter_id']}", headers=headers)
    event_id = event_of(services)
    (floor,) = counts(services.engine, event_id)
    assert (floor.class_name, floor.wanted) == ("Floor", 2 + 2 + 3)
    assert floor.people == {"waiting": 3, "offered": 0, "bought": 0, "passed": 0, "left": 1}
    assert [one.ahead for one in places(services.engine, event_id)] == [0, None, 1, 2]
    only = places(services.engine, event_id, waiting=True)
    assert [one.ahead for one in only] == [0, 1, 2]


def test_pages_of_the_list_leave_nobody_out(services: Services, line: Any) -> None:
    event_id = event_of(services)
    first = places(services.engine, event_id, limit=2)
    rest = places(services.engine, event_id, first[-1].waiter_id, limit=2)
    assert [str(one.waiter_id) for one in (*first, *rest)] == [one["waiter_id"] for one in line]
    assert places(services.engine, event_id, rest[-1].waiter_id) == []


def test_addresses_are_shown_to_who_may_see_them_and_reading_is_logged(
    app: Flask, services: Services, line: Any
) -> None:
    gate = at_desk(app, services, "gate_supervisor")
    assert MAILS[0] not in text(gate)
    assert "Show mail addresses" not in text(gate)
    assert post(gate, f"{PAGE}/addresses", PAGE).status_code == 403
    post(gate, f"{PAGE}/find", PAGE, wanted=MAILS[0])
    assert "does not see mail addresses" in text(gate)
    seller = at_desk(app, services, "box_office")
    assert MAILS[0] not in text(seller), "not before it was asked for"
    assert "waiting_list_read" not in actions(services)
    shown = post(seller, f"{PAGE}/addresses", PAGE).text
    assert all(mail in shown for mail in MAILS)
    assert actions(services)[0] == "waiting_list_read"


def test_somebody_is_found_by_mail_address_or_the_number_of_their_place(
    app: Flask, services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any
) -> None:
    desk = at_desk(app, services, "box_office")
    buyer.give_back(sold[0])
    offer(services)  # the first one's address is their order's now
    for wanted, mine in (
        (MAILS[0], line[0]),
        (MAILS[1].upper(), line[1]),
        (line[2]["waiter_id"], line[2]),
        (line[2]["waiter_id"][-12:], line[2]),
        (f"https://shop.example/waiting-list/{line[2]['waiter_id']}", line[2]),
    ):
        found = re.findall(rf'{PAGE}/([0-9a-f-]{{36}})"', post(desk, f"{PAGE}/find", PAGE, wanted=wanted).text)
        assert found == [mine["waiter_id"]], wanted
    for nobody in ("nobody@planted.example", "ffffffffffff", "%", "ab", "______"):
        assert "Nothing was found" in post(desk, f"{PAGE}/find", PAGE, wanted=nobody).text, nobody
    assert all(mail not in str(latest(services.engine)) for mail in MAILS)


def test_the_export_has_everybody_once_is_logged_and_no_cell_of_it_is_a_formula(
    app: Flask, services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any
) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(TicketClass).values(name="=cmd|' /C calc'!A0"))
    wait(client, "+1@planted.example")
    buyer.give_back(sold[0])
    offer(services)
    for role in ("box_office", "gate_supervisor"):
        assert post(at_desk(app, services, role), f"{PAGE}.csv", PAGE).status_code == 403
    answer = post(at_desk(app, services, "finance"), f"{PAGE}.csv", PAGE)
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["mail"] for row in rows] == [*MAILS, "'+1@planted.example"]
    assert [row["state"] for row in rows] == ["offered", *["waiting"] * 3]
    assert [row["ahead"] for row in rows] == ["", "0", "1", "2"]
    assert {row["class"][0] for row in rows} == {"'"}
    assert actions(services)[0] == "waiting_list_export"


def test_who_asks_for_it_is_taken_off_with_a_reason_in_the_log_and_the_next_moves_up(
    app: Flask, services: Services, client: FlaskClient, line: Any
) -> None:
    desk = at_desk(app, services, "gate_supervisor")
    remove(desk, line[0], reason="")
    remove(desk, line[0], reason="because")
    remove(desk, line[0], shown="a friend said so")
    assert stands(client, line[0])["state"] == "waiting"
    assert "waiting_list_remove" not in actions(services)
    remove(desk, line[0], reason="twice")
    assert stands(client, line[0])["state"] == "left"
    assert stands(client, line[1])["ahead"] == 0
    (entry,) = [one for one in latest(services.engine) if one["action"] == "waiting_list_remove"]
    assert (entry["about"], entry["detail"]["reason"]) == (f"waiter:{line[0]['waiter_id']}", "twice")
    seller = at_desk(app, services, "box_office")
    assert MAILS[0] not in post(seller, f"{PAGE}/addresses", PAGE).text, "the address is forgotten"
    remove(desk, line[0])
    assert "not in line any more" in text(desk, f"{PAGE}/{line[0]['waiter_id']}")


def test_what_was_offered_to_who_is_taken_off_goes_to_the_next(
    app: Flask, services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any
) -> None:
    buyer.give_back(sold[0])
    assert offer(services) == 1
    offered = stands(client, line[0])
    remove(at_desk(app, services, "owner"), line[0])
    assert [stands(client, one)["state"] for one in line] == ["left", "waiting", "waiting"]
    assert buyer.pay(offered).status_code == 409
    assert offer(services) == 1
    assert [stands(client, one)["state"] for one in line] == ["left", "offered", "waiting"]


def test_who_has_bought_is_not_taken_off(
    app: Flask, services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any
) -> None:
    buyer.give_back(sold[0])
    offer(services)
    assert buyer.pay(stands(client, line[0])).status_code == 200
    desk = at_desk(app, services, "owner")
    remove(desk, line[0])
    assert "paid already" in text(desk, f"{PAGE}/{line[0]['waiter_id']}")
    offer(services)
    assert stands(client, line[0])["state"] == "done"


def test_leaving_while_the_offer_is_being_made_keeps_the_tickets_from_nobody(
    services: Services, client: FlaskClient, buyer: Buyer, sold: Any, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The till has kept the tickets, and they leave before the list is told: else nobody could buy them for hours."""
    ask = Tills.of

    def leaves(tills: Tills, event_id: Any) -> Any:
        monkeypatch.undo()
        till = ask(tills, event_id)
        take = till.ask

        def asked(request: Any) -> Any:
            till.ask = take  # type: ignore[method-assign]
            outcome = take(request)
            waiting_list.take_off(services.engine, tills, event_id, listed[0].waiter_id)
            return outcome

        till.ask = asked  # type: ignore[method-assign]
        return till

    listed = places(services.engine, event_of(services))
    buyer.give_back(sold[0])
    monkeypatch.setattr(Tills, "of", leaves)
    assert offer(services) == 1, "the next gets them in this very run"
    assert [stands(client, one)["state"] for one in line] == ["left", "offered", "waiting"]


def test_a_place_opens_under_its_own_event_only(app: Flask, services: Services, line: Any) -> None:
    desk = at_desk(app, services, "owner")
    other = f"/desk/events/other/waiting-list/{line[0]['waiter_id']}"
    assert desk.get(other, headers=HTML).status_code == 404
    unknown = f"{PAGE}/{'0' * 8}-0000-7000-8000-{'0' * 12}"
    assert create_app(services).test_client().get(unknown, headers=HTML).status_code == 303
    assert desk.get(unknown, headers=HTML).status_code == 404

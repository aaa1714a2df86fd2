"""Mail to who waits: tickets came back, until when they are kept, and where to take them. Real SMTP."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.db.tables.events import Event
from backend.db.tables.orders import Order
from backend.db.tables.privacy import PersonalField
from backend.notices.order_sending import OrderSending
from backend.notices.sending import Sending
from backend.notices.subscribers import Book
from backend.privacy.rights import erase_person, export_person
from backend.sales.expiry import expire_holds
from backend.sales.waiting_list import offer_returned
from backend.wiring import Services
from tests.backend.notices.conftest import Post
from tests.backend.notices.test_order_mail import MAIL, work
from tests.support.buyer import Buyer, new_key, problem
from tests.support.desk import post as submit
from tests.support.forms import HTML

LIST = "/api/v1/events/gig/waiting-list"


@pytest.fixture
def sending(services: Services) -> Sending:
    letters = OrderSending(services.engine, services.settings, services.secret)
    return Sending(services.engine, services.settings, Book(services.secret), letters)


@pytest.fixture
def sold(services: Services, client: FlaskClient) -> list[dict[str, Any]]:
    """Two orders that have bought the whole floor."""
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    return [Buyer(client).bought({"class": "floor", "quantity": 5}) for _ in range(2)]


def offer(services: Services) -> int:
    return offer_returned(services.engine, services.tills, services.secret)


def fields(services: Services) -> list[str]:
    with services.engine.connect() as connection:
        return list(connection.scalars(select(PersonalField.table_name)))


def test_an_offer_is_mailed_once_with_its_deadline_and_a_link_that_opens_nothing_by_itself(
    services: Services, client: FlaskClient, sending: Sending, post: Post, sold: list[dict[str, Any]]
) -> None:
    form = {"class": "floor", "quantity": "2", "mail": MAIL}
    joined = submit(client, "/events/gig/waiting-list", "/events/gig", **form)
    place = joined.headers["Location"]
    assert "You are mailed when tickets are offered to you" in client.get(place, headers=HTML).text
    assert offer(services) == 0
    Buyer(client).give_back(sold[0])
    assert (offer(services), offer(services)) == (1, 0)
    post.refuses = True
    work(services, sending)
    post.refuses = False
    work(services, sending)
    work(services, sending)
    (letter,) = [one for one in post.letters if one["To"] == MAIL]
    assert letter["Subject"] == "Tickets for you: Gig"
    told = letter.get_content()
    with services.engine.connect() as connection:
        order = connection.execute(select(Order).where(Order.state == "held")).one()
    until = datetime.fromtimestamp(order.hold_expires_ms / 1000, UTC)
    assert f"http://shop.example{place}" in told
    assert re.search(rf"kept for you until .*{until.year}\D+\d\d:{until:%M}:{until:%S}", told)
    assert "2 x Floor: €99.00" in told
    assert create_app(services).test_client().get(place, headers=HTML).status_code == 403, "mail is read on its way"
    client.get(place, headers=HTML)
    pay = {"form": "pay", "method": "sandbox", "token": "approve"}
    assert submit(client, f"/orders/{order.id}/pay", f"/orders/{order.id}", **pay).status_code == 303
    work(services, sending)
    assert [str(one["Subject"]) for one in post.letters if one["To"] == MAIL][1:] == ["Your tickets: Gig"]


def test_an_offer_speaks_the_waiters_language_and_opens_in_another_browser_by_a_code(
    services: Services, client: FlaskClient, sending: Sending, post: Post, sold: list[dict[str, Any]]
) -> None:
    assert ask(client, MAIL, "zh-CN").status_code == 201
    Buyer(client).give_back(sold[0])
    assert offer(services) == 1
    work(services, sending)
    (letter,) = [one for one in post.letters if one["To"] == MAIL]
    assert str(letter["Subject"]).startswith("有票给您")
    assert "候补名单" in letter.get_content()
    elsewhere = create_app(services).test_client()
    submit(elsewhere, "/orders/code", "/orders", mail=MAIL)
    work(services, sending)
    code = re.search(r"truestub-recover-1-\S+", post.letters[-1].get_content())
    assert code
    submit(elsewhere, "/orders", "/orders", receipt=code[0])
    with services.engine.connect() as connection:
        order = connection.scalar(select(Order.id).where(Order.state == "held"))
    assert elsewhere.get(f"/orders/{order}", headers=HTML).status_code == 200


def test_who_left_was_erased_or_was_too_late_is_mailed_nothing(
    services: Services, client: FlaskClient, sending: Sending, post: Post, sold: list[dict[str, Any]]
) -> None:
    def wait(mail: str) -> dict[str, Any]:
        return dict(ask(client, mail).get_json())

    assert problem(ask(client, "no address"))[0] == 409
    left = wait("left@example.org")
    client.delete(f"{LIST.replace('/events/gig', '')}/{left['waiter_id']}", headers=bearer(left))
    assert fields(services) == [], "an address that is not needed is not kept"
    wait("erased@example.org")
    assert export_person(services.engine, services.secret, "erased@example.org")["waiting_lists"][0]["class"] == "floor"
    erase_person(services.engine, services.secret, "test", "erased@example.org")
    wait("late@example.org")
    Buyer(client).give_back(sold[0])
    assert offer(services) == 2
    assert set(fields(services)) == {"orders"}
    with services.engine.begin() as connection:
        connection.execute(update(Order).where(Order.state == "held").values(hold_expires_ms=1))
    expire_holds(services.engine)
    work(services, sending)
    assert [one for one in post.letters if one["To"] in ("left@example.org", "late@example.org")] == []


def ask(client: FlaskClient, mail: str, language: str = "en") -> TestResponse:
    body = {"class": "floor", "quantity": 2, "mail": mail}
    return client.post(LIST, json=body, headers={"Idempotency-Key": new_key(), "Accept-Language": language})


def bearer(waiter: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {waiter['waiter_secret']}"}

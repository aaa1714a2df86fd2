"""Mail to buyers of their own orders: a receipt, money that goes back, a code that opens them elsewhere. Real SMTP."""

import re
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from backend.app import create_app
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import Order, Outbox
from backend.db.tables.privacy import RecoveryCode
from backend.notices.order_outbox import LETTER, release_receipts
from backend.notices.order_sending import OrderSending
from backend.notices.outbox import send_due
from backend.notices.sending import Sending
from backend.notices.subscribers import Book
from backend.privacy.rights import erase_person
from backend.sales.calling_off import Times, cancel_event, give_back_cancelled, postpone_event
from backend.sales.payments import outbox
from backend.sales.refunds import Wish, refund
from backend.wiring import Services
from tests.backend.notices.conftest import Post
from tests.support.forms import HTML, token_of

MAIL = "ada@example.org"


@pytest.fixture
def sending(services: Services) -> Sending:
    letters = OrderSending(services.engine, services.settings, services.secret)
    return Sending(services.engine, services.settings, Book(services.secret), letters)


def hold(client: FlaskClient, form: str = "one") -> str:
    page = client.get("/events/gig", headers=HTML).text
    fields = {"csrf_token": token_of(page), "form": form, "quantity-floor": "2"}
    return client.post("/events/gig", data=fields, headers=HTML).headers["Location"]


def pay(client: FlaskClient, order: str, mail: str = MAIL, token: str = "approve", **headers: str) -> None:
    page = client.get(order, headers=HTML).text
    fields = {"csrf_token": token_of(page), "form": f"pay-{token}", "method": "sandbox", "token": token, "mail": mail}
    assert client.post(f"{order}/pay", data=fields, headers={**HTML, **headers}).status_code == 303


def work(services: Services, sending: Sending) -> None:
    """What the worker does, as if all pauses were over."""
    for _round in range(3):
        with services.engine.begin() as connection:
            connection.execute(update(Outbox).where(Outbox.state == "waiting").values(due_ms=0))
        release_receipts(services.engine)
        send_due(services.engine, sending.send, (LETTER,))


def number(order: str) -> UUID:
    return UUID(order.rpartition("/")[2])


def event_of(services: Services) -> UUID:
    found = services.tills.event_id("gig")
    assert found
    return found


def subjects(post: Post) -> list[str]:
    return [str(one["Subject"]) for one in post.letters]


def test_a_receipt_is_mailed_once_after_the_payment_and_holds_no_secret(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    order = hold(client)
    pay(client, order, token="decline")
    work(services, sending)
    assert post.letters == [], "not paid: no receipt"
    pay(client, order)
    post.refuses = True
    work(services, sending)
    post.refuses = False
    work(services, sending)
    work(services, sending)
    (letter,) = post.letters
    assert (letter["To"], letter["Subject"]) == (MAIL, "Your tickets: Gig")
    told = letter.get_content()
    assert "2 x Floor: €99.00" in told
    assert str(number(order)) in told
    shown = client.get(order, headers=HTML).text
    secret = re.search(r"truestub-receipt-1 \S+ \S+ (\S+)</textarea>", shown)
    assert secret
    assert secret[1] not in str(letter), "who reads the mail does not have the tickets"


def test_nobody_is_mailed_who_left_no_address_or_was_erased(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    pay(client, hold(client, "one"), mail="")
    pay(client, hold(client, "two"))
    erase_person(services.engine, services.secret, "test", MAIL)
    work(services, sending)
    assert post.letters == []


def test_a_hold_that_ends_unpaid_leaves_no_letter_waiting_for_ever(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    order = hold(client)
    pay(client, order, token="decline")
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(state="cancelled"))
        connection.execute(update(Stock).values(held=0))
    work(services, sending)
    with services.engine.connect() as connection:
        assert connection.scalars(select(Outbox.state)).all() == ["done"]
    assert post.letters == []


def test_refunds_are_told_in_the_buyers_language(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    client.get("/language/zh")
    pay(client, order := hold(client))
    work(services, sending)
    refund(services.engine, event_of(services), Wish(number(order), "organiser", "goodwill"))
    work(services, sending)
    assert len(post.letters) == 2
    assert not any("Your" in subject or not subject.endswith("Gig") for subject in subjects(post))
    assert all("99.00" in one.get_content() for one in post.letters)


def test_everybody_is_told_that_the_event_was_cancelled(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    pay(client, hold(client))
    work(services, sending)
    cancel_event(services.engine, "gig")
    give_back_cancelled(services.engine)
    work(services, sending)
    assert subjects(post) == ["Your tickets: Gig", "Cancelled: Gig"]


def test_everybody_is_told_of_an_events_new_time_once_in_their_language(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    client.get("/language/zh")
    pay(client, hold(client))
    client.get("/language/en")
    pay(client, hold(client, "two"))
    hold(client, "three")  # bought nothing: is told nothing
    work(services, sending)
    post.letters.clear()
    with services.engine.connect() as connection:
        row = connection.execute(select(Event)).one()
    day = 24 * 3600 * 1000
    first, last = (
        Times(row.doors_ms + days * day, row.starts_ms + days * day, row.ends_ms + days * day, row.freeze_ms)
        for days in (1, 2)
    )
    for times in (first, last, last):
        postpone_event(services.engine, "gig", times, None)
    work(services, sending)
    told = sorted(one[:4] for one in subjects(post))
    assert told == ["New ", "时间变更"], "of the last time alone, each once, in their language"
    assert any("for the whole price until" in one.get_content() for one in post.letters)


def test_money_that_bought_nothing_is_told_of_when_it_goes_back(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    pay(client, hold(client), token="short")
    outbox.run_due(services.engine, services.payments)
    work(services, sending)
    assert subjects(post) == ["Your refund: Gig"]
    assert "€98.99" in post.letters[0].get_content()


def ask_code(client: FlaskClient, mail: str) -> str:
    fields = {"csrf_token": token_of(client.get("/orders", headers=HTML).text), "mail": mail}
    assert client.post("/orders/code", data=fields, headers=HTML).status_code == 303
    return client.get("/orders", headers=HTML).text


def test_a_code_by_mail_opens_the_orders_in_another_browser_once(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    pay(client, order := hold(client))
    work(services, sending)
    other = create_app(services).test_client()
    assert other.get(order, headers=HTML).status_code == 403
    known, unknown = ask_code(other, MAIL.upper()), ask_code(other, "nobody@example.org")
    assert "a mail with a code is on its way" in known
    assert "a mail with a code is on its way" in unknown, "a stranger learns nothing of who bought"
    ask_code(other, MAIL)
    work(services, sending)
    receipt, letter = post.letters
    assert receipt["To"] == letter["To"] == MAIL
    link = re.search(r"http://shop\.example/orders#(truestub-recover-1-[\w-]+)", letter.get_content())
    assert link, "behind the #: a browser sends it to nobody, so it stands in no log"
    for expected in (200, 403):
        browser = create_app(services).test_client()
        fields = {"csrf_token": token_of(browser.get("/orders", headers=HTML).text), "receipt": link[1]}
        assert browser.post("/orders", data=fields, headers=HTML).status_code == 303
        assert browser.get(order, headers=HTML).status_code == expected


def test_a_code_is_too_old_after_half_an_hour_and_stored_as_a_hash(
    client: FlaskClient, services: Services, sending: Sending, post: Post
) -> None:
    pay(client, order := hold(client))
    ask_code(client, MAIL)
    work(services, sending)
    code = re.search(r"orders#(\S+)", "".join(one.get_content() for one in post.letters))
    assert code
    with services.engine.begin() as connection:
        assert len(connection.scalar(select(RecoveryCode.hash)) or b"") == 32
        connection.execute(update(RecoveryCode).values(expires_ms=1))
    other = create_app(services).test_client()
    fields = {"csrf_token": token_of(other.get("/orders", headers=HTML).text), "receipt": code[1]}
    other.post("/orders", data=fields, headers=HTML)
    assert other.get(order, headers=HTML).status_code == 403

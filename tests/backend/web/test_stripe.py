"""Payments by Stripe: the SDK against localstripe (tests/support/localstripe_server.py), and bodies signed offline.

Refused and returned refunds are shown by offline bodies and refusals put into localstripe's mouth alone: it
has none of its own.
"""

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.serving import make_server

from backend.app import create_app
from backend.db.tables.events import Stock
from backend.db.tables.orders import Order, Outbox
from backend.db.tables.payments import FailedRefund
from backend.sales.expiry import expire_holds
from backend.sales.ledger import balances
from backend.sales.payments import outbox
from backend.sales.payments.failed import failed_refunds, send_again, settle_by_hand
from backend.sales.sent_back import Booked, book_sent_back
from backend.wiring import Services
from tests.support.buyer import Buyer, problem
from tests.support.forms import HTML, token_of
from tests.support.installation import wait_until
from tests.support.localstripe import CARD, DECLINED_CARD, KEY, WEBHOOK_SECRET, LocalStripe, event, signed
from tests.support.stripe_shop import (
    NOTIFY,
    PRICE,
    adds_up,
    ask,
    ask_at_once,
    bought,
    checkout,
    held_by_stripe,
    payment_of,
    started,
    tell,
    with_stripe,
)

DEADLINE_SECONDS = 0.4


@pytest.fixture
def services(database_url: str, tmp_path: Path, bank: LocalStripe) -> Iterator[Services]:
    services = with_stripe(database_url, tmp_path / "data", bank)
    yield services
    services.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_at_once(monkeypatch)


def send_refunds(services: Services) -> int:
    with services.engine.begin() as connection:
        connection.execute(update(Outbox).where(Outbox.state == "waiting").values(due_ms=0))
    return outbox.run_due(services.engine, services.payments)


def session_of(services: Services, order: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A Checkout Session as an event tells of it."""
    payment = payment_of(services, order)
    told = {
        "id": payment.provider_ref,
        "client_reference_id": str(payment.id),
        "currency": "eur",
        "amount_total": PRICE,
    }
    return {**told, "status": "complete", "payment_status": "paid", "payment_intent": "pi_x", **more}


def refunds_at(bank: LocalStripe, services: Services, order: dict[str, Any]) -> list[int]:
    mine = str(payment_of(services, order).id)
    return [one["amount"] for one in bank.list("refunds") if one["metadata"].get("payment_id") == mine]


# --- paying -----------------------------------------------------------------------------------------------------------


def test_paying_at_stripes_page_and_coming_back_gives_the_ticket(
    client: FlaskClient, services: Services, bank: LocalStripe
) -> None:
    """No script, one cookie jar: hold, pay there, come back; and before that leave the page, and come back by hand."""
    page = client.get("/events/gig", headers=HTML).text
    held = client.post(
        "/events/gig", data={"csrf_token": token_of(page), "form": "one", "quantity-floor": "1"}, headers=HTML
    )
    order = held.headers["Location"]
    shown = client.get(order, headers=HTML)
    forms = next(one for one in shown.headers["Content-Security-Policy"].split("; ") if one.startswith("form-action"))
    assert forms == f"form-action 'self' {bank.url}", "else a browser stops the redirect"
    fields = {"csrf_token": token_of(shown.text), "form": "a", "method": "stripe", "token": "checkout"}
    sent = client.post(f"{order}/pay", data=fields, headers=HTML)
    pay_at = sent.headers["Location"]
    assert sent.status_code == 303
    assert pay_at.startswith(bank.url + "/")
    left = client.get(f"{order}/paid", headers=HTML, follow_redirects=True).text
    assert "Not paid yet" in left
    again = client.post(f"{order}/pay/on", data={"csrf_token": token_of(left)}, headers=HTML)
    assert again.headers["Location"] == pay_at, "the same page: nothing can be paid twice"
    assert bank.pay(pay_at, DECLINED_CARD)[0] == 402
    status, back = bank.pay(pay_at)
    assert (status, back) == (303, f"{services.settings.public_url}{order}/paid")
    assert "Your ticket" in client.get(f"{order}/paid", headers=HTML, follow_redirects=True).text
    adds_up(services)


def test_a_payment_given_up_can_be_made_anew_and_the_old_page_takes_no_money(
    client: FlaskClient, services: Services, bank: LocalStripe
) -> None:
    page = client.get("/events/gig", headers=HTML).text
    fields = {"csrf_token": token_of(page), "form": "one", "quantity-floor": "1"}
    order = client.post("/events/gig", data=fields, headers=HTML).headers["Location"]
    pay = {"csrf_token": token_of(client.get(order, headers=HTML).text), "method": "stripe", "token": "checkout"}
    first = client.post(f"{order}/pay", data={**pay, "form": "a"}, headers=HTML).headers["Location"]
    client.post(f"{order}/pay/stop", data=pay, headers=HTML)
    assert "The payment was given up" in client.get(order, headers=HTML).text
    assert bank.pay(first)[0] == 400
    second = client.post(f"{order}/pay", data={**pay, "form": "b"}, headers=HTML).headers["Location"]
    assert bank.pay(second)[0] == 303
    assert ask(services) == 1
    adds_up(services)


@pytest.mark.parametrize("kind", ["drip", "500"])
def test_an_answer_lost_after_the_session_was_made_makes_no_second(
    buyer: Buyer, services: Services, bank: LocalStripe, kind: str
) -> None:
    assert services.stripe
    services.stripe._http._seconds = DEADLINE_SECONDS
    order, before = buyer.held(), len(bank.list("checkout/sessions"))
    bank.fail_next("checkout/sessions", kind)
    began = time.monotonic()
    lost = checkout(buyer, order, key="the-very-same-key-1")
    assert (lost.status_code, lost.get_json()["payment"]["state"]) == (202, "unknown")
    assert time.monotonic() - began < DEADLINE_SECONDS + 30, "a drip of bytes keeps nobody waiting"
    services.stripe._http._seconds = 10

    def again() -> str | None:
        told: dict[str, str] = checkout(buyer, order, key="the-very-same-key-1").get_json()["payment"]
        return told.get("pay_at")

    pay_at = wait_until(again, "Stripe's page, by the same request with the same key")
    assert len(bank.list("checkout/sessions")) == before + 1
    assert bank.pay(pay_at)[0] == 303
    assert ask(services) == 1
    assert buyer.look(order)["state"] == "paid"
    adds_up(services)


def test_asking_for_the_same_payment_twice_makes_one_session(services: Services, bank: LocalStripe) -> None:
    """By the idempotency key alone: no look-up comes between."""
    from backend.domain.ids import new_id
    from backend.sales.payments.interface import Charge

    assert services.stripe
    charge = Charge(new_id(int(time.time() * 1000)), PRICE, "EUR", "checkout", "http://shop.example/back")
    before = len(bank.list("checkout/sessions"))
    assert services.stripe.charge(charge).pay_at == services.stripe.charge(charge).pay_at
    assert len(bank.list("checkout/sessions")) == before + 1


def test_when_the_hold_ends_stripes_page_is_closed(buyer: Buyer, services: Services, bank: LocalStripe) -> None:
    order, pay_at = started(buyer)
    assert ask(services) == 0, "a buyer who types is left alone"
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    expire_holds(services.engine)
    assert ask(services) == 1
    assert bank.pay(pay_at)[0] == 400, "nobody pays for tickets that went back on sale"
    assert buyer.look(order)["payment"] == {"state": "declined", "reason": "withdrawn"}


def test_money_that_came_as_the_hold_ended_buys_the_ticket_if_there_is_room(
    buyer: Buyer, services: Services, bank: LocalStripe
) -> None:
    order, pay_at = started(buyer)
    assert bank.pay(pay_at)[0] == 303
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    expire_holds(services.engine)
    assert ask(services) == 1
    assert buyer.look(order)["state"] == "paid"
    adds_up(services)


def test_too_small_an_amount_is_refused_before_anybody_pays(
    buyer: Buyer, services: Services, bank: LocalStripe, caplog: pytest.LogCaptureFixture
) -> None:
    bank.fail_next("checkout/sessions", "refuse", code="amount_too_small")
    order = buyer.held()
    assert problem(checkout(buyer, order)) == (422, "payment_refused")
    assert buyer.look(order)["state"] == "held"
    assert checkout(buyer, order).status_code == 202, "the order is free to be paid again at once"
    assert "sk_test_" not in caplog.text


def test_a_refused_key_is_no_answer_and_stands_in_no_log(
    buyer: Buyer, services: Services, bank: LocalStripe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    order, pay_at = started(buyer)
    bank.pay(pay_at)
    bank.fail_next("checkout/sessions", "refuse", "GET", code="api_key_expired", status=401)
    assert ask(services) == 0
    assert buyer.look(order)["payment"]["state"] == "unknown"
    assert ask(services) == 1
    ours = "".join(
        one.getMessage() for one in caplog.records if not one.name.startswith("urllib3")
    )  # that is the buyer
    assert "Stripe refuses our key" in ours
    assert not any(secret in ours for secret in (KEY, WEBHOOK_SECRET, "sk_test_", pay_at))


# --- what Stripe tells ------------------------------------------------------------------------------------------------


def test_a_webhook_that_localstripe_signs_and_sends_gives_the_ticket(
    buyer: Buyer, services: Services, bank: LocalStripe
) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        bank.send_webhooks_to(f"http://127.0.0.1:{server.port}{NOTIFY}")
        order, pay_at = started(buyer)
        assert bank.pay(pay_at)[0] == 303
        deadline = time.monotonic() + 20
        while buyer.look(order)["state"] != "paid":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        bank.send_webhooks_to("http://127.0.0.1:9/nobody")
        server.shutdown()
        thread.join()
        server.server_close()
    adds_up(services)


def test_only_what_stripe_signed_lately_for_our_mode_is_believed(
    buyer: Buyer, client: FlaskClient, services: Services
) -> None:
    order, _pay_at = started(buyer)
    body = event("checkout.session.completed", session_of(services, order))
    other_mode = event("checkout.session.completed", session_of(services, order), live=True)
    now = time.time()
    forged: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, {"Stripe-Signature": ""}),
        (body, {"Stripe-Signature": "t=,v1="}),
        (body, {"Stripe-Signature": "t=99999999999999999999999,v1=00"}),
        (body, signed(body, secret="whsec_another")),
        (body, signed(body, secret="")),
        (body.replace(b"4950", b"9999"), signed(body)),
        (body + b" ", signed(body)),
        (body, {"Stripe-Signature": signed(body)["Stripe-Signature"].replace("v1=", "v0=")}),
        (body, signed(body, now - 301)),
        (body, signed(body, now + 310)),
        (other_mode, signed(other_mode)),
    ]
    for told, headers in forged:
        assert tell(client, told, headers) == 401, headers
    for unreadable in (b"", b"[]", b'{"type": 3, "livemode": false}', b"\xff\xfe"):
        assert tell(client, unreadable) in (400, 401)
    assert buyer.look(order)["state"] == "held"
    assert tell(client, body) == 204
    assert buyer.look(order)["state"] == "paid"


def test_webhooks_twice_and_in_every_order_give_one_ticket(
    buyer: Buyer, client: FlaskClient, services: Services
) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Stock).values(capacity=100))
    for told in sorted(set(itertools.permutations(["paid", "paid", "expired", "open"]))):
        order, _pay_at = started(buyer)
        paid = session_of(services, order)
        bodies = {
            "paid": event("checkout.session.completed", paid),
            "expired": event("checkout.session.expired", {**paid, "status": "expired", "payment_status": "unpaid"}),
            "open": event("checkout.session.updated", {**paid, "status": "open", "payment_status": "unpaid"}),
        }
        for one in told:
            assert tell(client, bodies[one]) == 204
        found = buyer.look(order)
        assert (found["state"], len(found["tickets"]), found["payment"]["state"]) == ("paid", 1, "succeeded"), told
    adds_up(services)


def test_what_says_nothing_to_us_is_taken_and_left_alone(buyer: Buyer, client: FlaskClient, services: Services) -> None:
    order, _pay_at = started(buyer)
    for body in (
        event("customer.created", {"id": "cus_1"}),
        event("checkout.session.completed", session_of(services, order, client_reference_id="of-another-shop")),
        event("refund.failed", {"id": "re_1", "status": "failed", "metadata": {}}),
        event("refund.updated", {"id": "re_1", "status": "succeeded", "metadata": {"payment_id": "x"}}),
    ):
        assert tell(client, body) == 204
    assert buyer.look(order)["state"] == "held"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"amount_total": PRICE - 1}, "another_amount"),
        ({"currency": "usd"}, "another_currency"),
        ({"currency": "jpy"}, "another_currency"),
    ],
)
def test_other_money_than_was_asked_for_buys_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, more: dict[str, Any], reason: str
) -> None:
    order, _pay_at = started(buyer)
    assert tell(client, event("checkout.session.completed", session_of(services, order, **more))) == 204
    found = buyer.look(order)
    assert (found["state"], found["tickets"], found["payment"]["reason"]) == ("held", [], reason)


# --- money that goes back ---------------------------------------------------------------------------------------------


def test_refunds_in_part_and_whole_are_made_once(buyer: Buyer, services: Services, bank: LocalStripe) -> None:
    order = bought(buyer, services, bank, {"class": "floor", "quantity": 2})
    first, _second = (one["ticket_id"] for one in order["tickets"])
    buyer.give_back(order, first)
    assert send_refunds(services) == 1
    assert refunds_at(bank, services, order) == [PRICE]
    buyer.give_back(order)
    assert send_refunds(services) == 1
    assert refunds_at(bank, services, order) == [PRICE, PRICE]
    assert buyer.look(order)["payment"]["state"] == "refunded"
    assert held_by_stripe(services) == 0
    adds_up(services)


def test_a_refund_whose_answer_was_lost_is_not_made_twice(
    buyer: Buyer, services: Services, bank: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day later Stripe has forgotten the key; then the refund is found by what stands in it."""
    order = bought(buyer, services, bank)
    buyer.give_back(order)
    assert services.stripe
    made = services.stripe._client.v1.refunds.create

    def lost(*about: Any, **named: Any) -> Any:
        import stripe

        made(*about, **named)
        raise stripe.APIConnectionError("lost")  # type: ignore[no-untyped-call] # the SDK's has no types

    with monkeypatch.context() as broken:
        broken.setattr(services.stripe._client.v1.refunds, "create", lost)
        assert send_refunds(services) == 0
    monkeypatch.setattr(
        services.stripe._client.v1.refunds, "create", lambda *_about, **_named: pytest.fail("asked again")
    )
    assert send_refunds(services) == 1
    assert refunds_at(bank, services, order) == [PRICE]
    adds_up(services)


def test_a_refund_stripe_cannot_pay_yet_is_tried_again(buyer: Buyer, services: Services, bank: LocalStripe) -> None:
    order = bought(buyer, services, bank)
    buyer.give_back(order)
    bank.fail_next("refunds", "refuse", code="balance_insufficient")
    assert send_refunds(services) == 0
    assert failed_refunds(services.engine) == []
    assert send_refunds(services) == 1
    adds_up(services)


def test_a_refund_refused_for_good_stays_owed_until_it_is_paid_by_hand(
    buyer: Buyer, services: Services, bank: LocalStripe
) -> None:
    order = bought(buyer, services, bank)
    buyer.give_back(order)
    bank.fail_next("refunds", "refuse", code="charge_disputed")
    assert send_refunds(services) == 0
    (waits,) = failed_refunds(services.engine)
    assert (waits.amount_minor, waits.reason, waits.state) == (PRICE, "charge_disputed", "failed")
    assert buyer.look(order)["payment"] == {"state": "refund_failed", "reason": "charge_disputed"}
    assert send_refunds(services) == 0, "it is not asked for again by itself"
    adds_up(services)
    settle_by_hand(services.engine, waits.refund_id, "bank_transfer")
    with services.engine.connect() as connection:
        assert balances(connection)["by_hand", "EUR"] == -PRICE
    assert held_by_stripe(services) == PRICE, "Stripe still has it"
    assert failed_refunds(services.engine) == []
    adds_up(services)


def test_a_refund_that_comes_back_days_later_is_owed_again_and_sent_anew(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe
) -> None:
    order = bought(buyer, services, bank)
    back = buyer.give_back(order).get_json()
    assert send_refunds(services) == 1
    about = {
        "id": "re_1",
        "status": "failed",
        "failure_reason": "expired_or_canceled_card",
        "metadata": {"payment_id": str(payment_of(services, order).id), "refund_id": back["refund_id"]},
    }
    body = event("refund.failed", about)
    assert [tell(client, body), tell(client, body)] == [204, 204]
    (waits,) = failed_refunds(services.engine)
    assert waits.reason == "expired_or_canceled_card"
    assert held_by_stripe(services) == PRICE
    adds_up(services)
    send_again(services.engine, waits.refund_id)
    assert tell(client, body) in (204, 503), "the old news, once more"
    assert send_refunds(services) == 1
    assert refunds_at(bank, services, order) == [PRICE, PRICE], (
        "a try of its own: the first one's answer is a refusal for ever"
    )
    assert held_by_stripe(services) == 0
    assert failed_refunds(services.engine) == []
    with services.engine.connect() as connection:
        assert connection.scalar(select(FailedRefund.state)) == "done"
    adds_up(services)


def test_after_a_restore_stripe_tells_what_it_took(buyer: Buyer, services: Services, bank: LocalStripe) -> None:
    order = bought(buyer, services, bank)
    given_back = bought(buyer, services, bank)
    buyer.give_back(given_back)
    send_refunds(services)
    assert services.stripe
    taken = {one.payment_id: one.amount_minor for one in services.stripe.taken_since(time.time() - 3600)}
    assert taken[payment_of(services, order).id] == PRICE
    back = payment_of(services, given_back).id
    told = services.stripe.sent_back_since(time.time() - 3600)
    assert [(one.payment_id, one.amount_minor) for one in told if one.payment_id == back] == [(back, PRICE)]
    with services.engine.connect() as connection:
        assert book_sent_back(connection, told) == Booked(), "what is known is not booked again"
    assert CARD

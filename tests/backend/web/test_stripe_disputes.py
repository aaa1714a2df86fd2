"""Disputes at Stripe: what a bank takes and gives back, by bodies signed offline (docs.stripe.com/api/disputes)."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from backend.app import create_app
from backend.db.models import LedgerEntry, Order, Payment, Ticket
from backend.sales.charge_backs import undecided_disputes
from backend.sales.ledger import balances
from backend.sales.payments import reconcile
from backend.wiring import Services
from tests.support.buyer import Buyer
from tests.support.checker import check_sales
from tests.support.desk import at_desk
from tests.support.forms import HTML
from tests.support.localstripe import LocalStripe, event, signed
from tests.support.stripe_shop import (
    PRICE,
    adds_up,
    ask_at_once,
    bought,
    held_by_stripe,
    payment_of,
    started,
    tell,
    with_stripe,
)

TWO = {"class": "floor", "quantity": 2}
WHOLE, PART = 2 * PRICE, 1500
TAKEN, REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"


@pytest.fixture
def services(database_url: str, tmp_path: Path, bank: LocalStripe) -> Iterator[Services]:
    services = with_stripe(database_url, tmp_path / "data", bank)
    yield services
    services.close()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_at_once(monkeypatch)
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)


@pytest.fixture
def order(buyer: Buyer, services: Services, bank: LocalStripe) -> dict[str, Any]:
    """Two tickets, paid at Stripe."""
    return bought(buyer, services, bank, TWO)


def disputed(
    services: Services, bank: LocalStripe, order: dict[str, Any], kind: str, amount: int = WHOLE, **more: Any
) -> bytes:
    mine = str(payment_of(services, order).id)
    intent = next(one["id"] for one in bank.list("payment_intents") if one["metadata"].get("payment_id") == mine)
    about = {"id": "dp_1", "payment_intent": intent, "amount": amount, "currency": "eur"}
    return event(kind, {**about, **more})


def states(buyer: Buyer, order: dict[str, Any]) -> list[str]:
    found = buyer.look(order)
    return [found["payment"]["state"], *(one["state"] for one in found["tickets"])]


def account(services: Services, name: str) -> int:
    with services.engine.connect() as connection:
        return balances(connection).get((name, "EUR"), 0)


def entries(services: Services) -> list[tuple[str, int]]:
    query = select(LedgerEntry.kind, LedgerEntry.amount_minor).where(LedgerEntry.kind != "sale")
    with services.engine.connect() as connection:
        return [(kind, amount) for kind, amount in connection.execute(query.order_by(LedgerEntry.id))]


def test_a_dispute_of_everything_voids_the_tickets_once(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    body = disputed(services, bank, order, TAKEN)
    bank.fail_next("payment_intents", "500", "GET")
    assert tell(client, body) == 503, "Stripe sends again what we could not ask about"
    assert [tell(client, body), tell(client, body)] == [204, 204]
    assert states(buyer, order) == ["charged_back", "revoked", "revoked"]
    assert entries(services) == [("charge_back", WHOLE)]
    assert held_by_stripe(services) == 0
    adds_up(services)


def test_a_dispute_of_a_part_takes_that_part_and_stops_no_ticket(
    buyer: Buyer,
    client: FlaskClient,
    services: Services,
    bank: LocalStripe,
    order: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = disputed(services, bank, order, TAKEN, PART)
    caplog.set_level(logging.WARNING)
    assert [tell(client, body), tell(client, body)] == [204, 204]
    assert caplog.text.count("stay as they are until the desk decides") == 1
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    assert entries(services) == [("loss", PART)]
    assert held_by_stripe(services) == WHOLE - PART
    adds_up(services)
    desk = at_desk(create_app(services), services, "finance")
    assert "dp_1" in desk.get("/desk/refunds", headers=HTML).text
    assert "A bank took €15.00 back" in desk.get(f"/desk/orders/{order['order_id']}", headers=HTML).text


def test_disputes_of_parts_stop_the_tickets_once_nothing_is_left(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, PART)) == 204
    assert tell(client, disputed(services, bank, order, TAKEN, WHOLE - PART - 1, id="dp_2")) == 204
    assert states(buyer, order) == ["succeeded", "valid", "valid"], "a cent is left"
    assert tell(client, disputed(services, bank, order, TAKEN, 1, id="dp_3")) == 204
    assert states(buyer, order) == ["charged_back", "revoked", "revoked"]
    assert held_by_stripe(services) == 0
    assert undecided_disputes(services.engine) == []
    adds_up(services)


def test_what_was_given_back_before_need_not_be_disputed_to_stop_the_rest(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert buyer.give_back(order, order["tickets"][0]["ticket_id"]).status_code == 200
    assert tell(client, disputed(services, bank, order, TAKEN, PRICE)) == 204
    assert states(buyer, order) == ["charged_back", "refunded", "revoked"]
    assert entries(services) == [("refund", PRICE), ("charge_back", PRICE)]
    adds_up(services)


@pytest.mark.parametrize("amount", [PART, WHOLE])
def test_money_that_is_reinstated_is_booked_back_once_and_void_tickets_stay_void(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any], amount: int
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, amount)) == 204
    before = states(buyer, order)
    won = disputed(services, bank, order, REINSTATED, amount)
    assert [tell(client, won), tell(client, won)] == [204, 204]
    assert tell(client, disputed(services, bank, order, TAKEN, amount)) == 204, "old news"
    assert states(buyer, order) == before
    assert [one for one in entries(services) if one[0] == "reinstated"] == [("reinstated", amount)]
    assert held_by_stripe(services) == WHOLE
    assert account(services, "losses") == 0
    assert undecided_disputes(services.engine) == []
    adds_up(services)


def test_a_dispute_whose_end_is_told_first_stops_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    won, taken = (disputed(services, bank, order, kind) for kind in (REINSTATED, TAKEN))
    assert [tell(client, one) for one in (won, taken, won, taken)] == [204] * 4
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    assert entries(services) == [("loss", WHOLE), ("reinstated", WHOLE)]
    assert held_by_stripe(services) == WHOLE
    adds_up(services)


def test_what_the_account_was_booked_goes_before_what_was_disputed(
    client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    """After a refund in part Stripe may give back less than it took."""
    moves = [
        {"amount": -WHOLE, "currency": "eur"},
        {"amount": 2000, "currency": "eur"},
        {"amount": 9, "currency": "usd"},
    ]
    assert tell(client, disputed(services, bank, order, TAKEN, balance_transactions=moves[:1])) == 204
    assert tell(client, disputed(services, bank, order, REINSTATED, balance_transactions=moves)) == 204
    assert held_by_stripe(services) == 2000
    adds_up(services)


def test_a_dispute_in_another_currency_is_a_loss_of_that_currency_and_stops_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, 10 * WHOLE, currency="usd")) == 204
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    with services.engine.connect() as connection:
        assert balances(connection)["losses", "USD"] == 10 * WHOLE
    assert held_by_stripe(services) == WHOLE
    adds_up(services)


def test_a_dispute_that_comes_before_the_payment_is_told_again_later(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe
) -> None:
    held, pay_at = started(buyer, TWO)
    assert bank.pay(pay_at)[0] == 303
    body = disputed(services, bank, held, TAKEN, PART)
    assert tell(client, body) == 503
    assert entries(services) == []
    assert reconcile.reconcile(services.engine, services.tills, services.payments) == 1
    assert tell(client, body) == 204
    assert entries(services) == [("loss", PART)]
    adds_up(services)


def test_forged_unreadable_and_foreign_disputes_move_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    good = disputed(services, bank, order, TAKEN)
    for headers in ({}, signed(good, secret="whsec_another"), signed(good, time.time() - 301)):
        assert tell(client, good, headers) == 401
    for more in ({"amount": None}, {"amount": -5}, {"amount": 0}, {"id": None}, {"id": "d" * 51}, {"currency": "???"}):
        assert tell(client, disputed(services, bank, order, TAKEN, **more)) == 400, more
    for kind in ("charge.dispute.created", "charge.dispute.closed"):
        assert tell(client, disputed(services, bank, order, kind, status="won")) == 204, "they move no money"
    foreign = bank.foreign_intent({})
    assert tell(client, disputed(services, bank, order, TAKEN, payment_intent=foreign)) == 204, "another shop's"
    unknown = bank.foreign_intent({"payment_id": "00000000-0000-7000-8000-000000000001"})
    assert tell(client, disputed(services, bank, order, TAKEN, payment_intent=unknown)) == 404
    assert tell(client, disputed(services, bank, order, TAKEN, payment_intent=None)) == 204
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    assert entries(services) == []
    adds_up(services)


def test_the_check_finds_tickets_stopped_for_a_part_and_more_reinstated_than_taken(
    client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, PART)) == 204
    assert tell(client, disputed(services, bank, order, REINSTATED, PART)) == 204
    with services.engine.begin() as connection:
        connection.execute(update(Payment).values(state="charged_back"))
        connection.execute(update(Ticket).values(state="revoked"))
        connection.execute(update(Order).values(state="refunded"))
        back = select(LedgerEntry.__table__).where(LedgerEntry.kind == "reinstated")
        twice = {**connection.execute(back).one()._mapping, "id": 1_000, "key": "once more"}
        connection.execute(insert(LedgerEntry).values(twice))
    found = " ".join(check_sales(services.engine).problems)
    assert "tickets stopped for a part of their money" in found
    assert "more came back from banks than they took" in found

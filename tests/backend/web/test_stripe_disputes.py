"""Disputes at Stripe: what a bank takes and gives back, by bodies signed offline (docs.stripe.com/api/disputes)."""

import logging
import shutil
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from backend.app import create_app
from backend.db.tables.events import Stock
from backend.db.tables.orders import LedgerEntry, Order, Payment
from backend.ops.check import check_rows
from backend.sales.charge_backs import undecided_disputes
from backend.sales.disputes_by_hand import book_by_hand
from backend.sales.payments import reconcile
from backend.sales.payments.interface import Dispute
from backend.wiring import Services
from tests.support.buyer import Buyer
from tests.support.desk import at_desk
from tests.support.forms import HTML
from tests.support.localstripe import LocalStripe, event, signed
from tests.support.postgres import PostgresServer
from tests.support.stripe_shop import (
    PRICE,
    adds_up,
    ask_at_once,
    bought,
    payment_of,
    started,
    tell,
    with_stripe,
)

TWO = {"class": "floor", "quantity": 2}
WHOLE, PART = 2 * PRICE, 1500
TAKEN, REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def _shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bank: LocalStripe
) -> Iterator[Services]:
    """One for all: each test looks at an order of its own, and at the sums of all."""
    data = tmp_path_factory.mktemp("disputes")
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('_sqlite_template'), data / 'truestub.sqlite')}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database(request.getfixturevalue("_postgres_template"))
    services = with_stripe(url, data / "data", bank)
    with services.engine.begin() as connection:
        connection.execute(update(Stock).values(capacity=100))
    yield services
    services.close()


@pytest.fixture
def services(_shop: Services) -> Services:
    return _shop


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
    about = {"id": name_of(order), "payment_intent": intent, "amount": amount, "currency": "eur"}
    return event(kind, {**about, **more})


def name_of(order: dict[str, Any], number: int = 1) -> str:
    return f"dp_{order['order_id']}_{number}"


def states(buyer: Buyer, order: dict[str, Any]) -> list[str]:
    found = buyer.look(order)
    return [found["payment"]["state"], *(one["state"] for one in found["tickets"])]


def booked(services: Services, order: dict[str, Any]) -> list[Any]:
    """The order's entries after its sale."""
    mine = (LedgerEntry.order_id == UUID(order["order_id"])) & (LedgerEntry.kind != "sale")
    with services.engine.connect() as connection:
        return list(connection.execute(select(LedgerEntry).where(mine).order_by(LedgerEntry.id)))


def entries(services: Services, order: dict[str, Any]) -> list[tuple[str, int]]:
    return [(one.kind, one.amount_minor) for one in booked(services, order)]


def held(services: Services, order: dict[str, Any]) -> int:
    """What Stripe still holds of the order's money."""
    moves = [one for one in booked(services, order) if one.currency == "EUR"]
    stripe = "provider:stripe"
    moved: int = sum(one.amount_minor * ((one.debit == stripe) - (one.credit == stripe)) for one in moves)
    return WHOLE + moved


def test_a_dispute_of_everything_voids_the_tickets_once(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    body = disputed(services, bank, order, TAKEN)
    bank.fail_next("payment_intents", "500", "GET")
    assert tell(client, body) == 503, "Stripe sends again what we could not ask about"
    assert [tell(client, body), tell(client, body)] == [204, 204]
    assert states(buyer, order) == ["charged_back", "revoked", "revoked"]
    assert entries(services, order) == [("charge_back", WHOLE)]
    assert held(services, order) == 0
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
    assert entries(services, order) == [("loss", PART)]
    assert held(services, order) == WHOLE - PART
    adds_up(services)
    desk = at_desk(create_app(services), services, "finance")
    assert name_of(order) in desk.get("/desk/refunds", headers=HTML).text
    assert "A bank took €15.00 back" in desk.get(f"/desk/orders/{order['order_id']}", headers=HTML).text


def test_what_the_desk_booked_is_known_when_stripe_tells_it_after_all(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    for reinstated, kind in ((False, TAKEN), (True, REINSTATED)):
        book_by_hand(services.engine, UUID(order["order_id"]), Dispute(name_of(order), PART, "EUR", reinstated))
        assert tell(client, disputed(services, bank, order, kind, PART)) == 204
    assert entries(services, order) == [("loss", PART), ("reinstated", PART)]
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    adds_up(services)


def test_disputes_of_parts_stop_the_tickets_once_nothing_is_left(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, PART)) == 204
    assert tell(client, disputed(services, bank, order, TAKEN, WHOLE - PART - 1, id=name_of(order, 2))) == 204
    assert states(buyer, order) == ["succeeded", "valid", "valid"], "a cent is left"
    assert tell(client, disputed(services, bank, order, TAKEN, 1, id=name_of(order, 3))) == 204
    assert states(buyer, order) == ["charged_back", "revoked", "revoked"]
    assert held(services, order) == 0
    assert undecided_disputes(services.engine, UUID(order["order_id"])) == []
    adds_up(services)


def test_what_was_given_back_before_need_not_be_disputed_to_stop_the_rest(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert buyer.give_back(order, order["tickets"][0]["ticket_id"]).status_code == 200
    assert tell(client, disputed(services, bank, order, TAKEN, PRICE)) == 204
    assert states(buyer, order) == ["charged_back", "refunded", "revoked"]
    assert entries(services, order) == [("refund", PRICE), ("charge_back", PRICE)]
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
    assert [one for one in entries(services, order) if one[0] == "reinstated"] == [("reinstated", amount)]
    taken, back = booked(services, order)
    assert (taken.debit, taken.credit) == (back.credit, back.debit), "to where it was taken from"
    assert held(services, order) == WHOLE
    assert undecided_disputes(services.engine, UUID(order["order_id"])) == []
    adds_up(services)


def test_a_dispute_whose_end_is_told_first_stops_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    won, taken = (disputed(services, bank, order, kind) for kind in (REINSTATED, TAKEN))
    assert [tell(client, one) for one in (won, taken, won, taken)] == [204] * 4
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    assert entries(services, order) == [("loss", WHOLE), ("reinstated", WHOLE)]
    assert held(services, order) == WHOLE
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
    assert held(services, order) == 2000
    adds_up(services)


def test_a_dispute_in_another_currency_is_a_loss_of_that_currency_and_stops_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, 10 * WHOLE, currency="usd")) == 204
    assert states(buyer, order) == ["succeeded", "valid", "valid"]
    (loss,) = booked(services, order)
    assert (loss.kind, loss.currency, loss.amount_minor) == ("loss", "USD", 10 * WHOLE)
    assert held(services, order) == WHOLE
    adds_up(services)


def test_a_dispute_that_comes_before_the_payment_is_told_again_later(
    buyer: Buyer, client: FlaskClient, services: Services, bank: LocalStripe
) -> None:
    order, pay_at = started(buyer, TWO)
    assert bank.pay(pay_at)[0] == 303
    body = disputed(services, bank, order, TAKEN, PART)
    assert tell(client, body) == 503
    assert entries(services, order) == []
    assert reconcile.reconcile(services.engine, services.tills, services.payments) == 1
    assert tell(client, body) == 204
    assert entries(services, order) == [("loss", PART)]
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
    assert entries(services, order) == []
    adds_up(services)


def test_the_check_finds_tickets_stopped_for_a_part_and_more_reinstated_than_taken(
    client: FlaskClient, services: Services, bank: LocalStripe, order: dict[str, Any]
) -> None:
    assert tell(client, disputed(services, bank, order, TAKEN, PART)) == 204
    assert tell(client, disputed(services, bank, order, REINSTATED, PART)) == 204
    (back,) = (one for one in booked(services, order) if one.kind == "reinstated")
    with services.engine.connect() as connection:  # rolled back
        mine = Order.id == UUID(order["order_id"])
        connection.execute(
            update(Payment).where(Payment.order_id == UUID(order["order_id"])).values(state="charged_back")
        )
        connection.execute(update(Order).where(mine).values(state="refunded"))
        connection.execute(insert(LedgerEntry).values({**back._mapping, "id": 10**6, "key": "once more"}))
        found = " ".join(check_rows(connection).problems)
    assert "tickets stopped for a part of their money" in found
    assert "more came back from banks than they took" in found
    adds_up(services)

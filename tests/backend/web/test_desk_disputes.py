"""A dispute that somebody at the desk books: checked, once, and the books add up. On both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from backend.app import create_app
from backend.db.tables.events import Event
from backend.db.tables.orders import LedgerEntry, Payment
from backend.desk.audit import latest
from backend.errors import Refused
from backend.ops.check import check_rows
from backend.sales.charge_backs import take_charge_back, undecided_disputes
from backend.sales.disputes_by_hand import book_by_hand, disputable
from backend.sales.ledger import balances, check_ledger
from backend.sales.payments.interface import Dispute
from backend.sales.payments.outbox import run_due
from backend.sales.refunds import Wish, refund
from backend.wiring import Services
from tests.support.buyer import Buyer, problem
from tests.support.checker import check_sales
from tests.support.desk import at_desk, post
from tests.support.forms import HTML

TWO = {"class": "floor", "quantity": 2}
WHOLE, PART = 9900, 1500
NUMBER = "CASE-2026.17"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they cost is no matter here."""
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


@pytest.fixture
def desk(app: Flask, services: Services) -> FlaskClient:
    return at_desk(app, services, "finance")


@pytest.fixture
def order(buyer: Buyer, services: Services) -> dict[str, Any]:
    """Two tickets, paid by card."""
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    return buyer.bought(TWO)


def book(desk: FlaskClient, order: dict[str, Any], **fields: str) -> str:
    """The order's page after the form was sent."""
    page = f"/desk/orders/{order['order_id']}"
    wish = {"dispute": NUMBER, "amount": "15.00", "became": "lost", **fields}
    assert post(desk, f"{page}/dispute", page, **wish).status_code == 303
    return desk.get(page, headers=HTML).text.replace("&#39;", "'")


def entries(services: Services, order: dict[str, Any]) -> list[tuple[str, int]]:
    """The order's entries after its sale."""
    mine = (LedgerEntry.order_id == UUID(order["order_id"])) & (LedgerEntry.kind != "sale")
    with services.engine.connect() as connection:
        rows = connection.execute(select(LedgerEntry).where(mine).order_by(LedgerEntry.id))
        return [(one.kind, one.amount_minor) for one in rows]


def tickets(buyer: Buyer, order: dict[str, Any]) -> list[str]:
    return [one["state"] for one in buyer.look(order)["tickets"]]


def payment_id(services: Services, order: dict[str, Any]) -> UUID:
    with services.engine.connect() as connection:
        query = select(Payment.id).where(Payment.order_id == UUID(order["order_id"]), Payment.state != "declined")
        return connection.execute(query).scalar_one()


def adds_up(services: Services, held: int) -> None:
    """The books, and what the provider holds for us."""
    assert check_ledger(services.engine, {}) == []
    assert check_sales(services.engine).problems == []
    with services.engine.connect() as connection:
        assert check_rows(connection).problems == ()
        assert balances(connection).get(("provider:sandbox", "EUR"), 0) == held


def test_a_part_that_a_bank_took_is_a_loss_and_stops_no_ticket(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    page = book(desk, order)
    assert f"<code>{NUMBER}</code> · the bank took €15.00" in page
    assert entries(services, order) == [("loss", PART)]
    assert tickets(buyer, order) == ["valid", "valid"]
    adds_up(services, WHOLE - PART)
    assert [one.name for one in undecided_disputes(services.engine)] == [NUMBER]
    entry = latest(services.engine)[0]
    assert (entry["action"], entry["about"]) == ("dispute", f"order:{order['order_id']}")
    assert entry["detail"] == {
        "dispute": NUMBER,
        "amount_minor": PART,
        "currency": "EUR",
        "became": "lost",
    }


def test_the_same_dispute_sent_twice_is_booked_once(
    services: Services, desk: FlaskClient, order: dict[str, Any]
) -> None:
    book(desk, order)
    assert "booked before" in book(desk, order)
    assert "booked already, with 15.00" in book(desk, order, amount="20.00")
    assert entries(services, order) == [("loss", PART)]
    for _twice in range(2):
        page = book(desk, order, became="won")
    assert "€15.00 came back" in page
    assert "booked already, with 15.00" in book(desk, order, became="won", amount="14.00")
    assert entries(services, order) == [("loss", PART), ("reinstated", PART)]
    adds_up(services, WHOLE)


def test_a_won_dispute_brings_the_money_back_whole_or_in_part(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    book(desk, order)
    assert "can't give back more" in book(desk, order, became="won", amount="15.01")
    book(desk, order, became="won", amount="10.00")
    adds_up(services, WHOLE - PART + 1000)
    book(desk, order, dispute="won-at-once", amount="20", became="won")
    adds_up(services, WHOLE - PART + 1000)
    assert tickets(buyer, order) == ["valid", "valid"]
    assert undecided_disputes(services.engine) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"amount": "0"}, "above zero"),
        ({"amount": "0.00"}, "above zero"),
        ({"amount": "-15.00"}, "not an amount"),
        ({"amount": ""}, "not an amount"),
        ({"amount": "1e3"}, "not an amount"),
        ({"amount": "15.001"}, "smallest coin"),
        ({"amount": "99.01"}, "Only 99.00"),
        ({"amount": "999999999999999"}, "more than we can sell for"),
        ({"dispute": ""}, "number as the provider shows it"),
        ({"dispute": "x" * 51}, "number as the provider shows it"),
        ({"dispute": "a:b"}, "number as the provider shows it"),
        ({"dispute": "<script>"}, "number as the provider shows it"),
        ({"became": "lost and won"}, "what became of the dispute"),
    ],
)
def test_what_can_t_be_a_dispute_moves_nothing(
    services: Services, desk: FlaskClient, order: dict[str, Any], fields: dict[str, str], words: str
) -> None:
    page = book(desk, order, **fields)
    assert words in page
    assert entries(services, order) == []


def test_all_that_is_left_stops_what_was_not_used_and_more_than_that_is_refused(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    book(desk, order)
    assert "Only 84.00" in book(desk, order, dispute="two", amount="84.01")
    assert "let nobody in any more" in book(desk, order, dispute="two", amount="84.00")
    assert tickets(buyer, order) == ["revoked", "revoked"]
    adds_up(services, 0)
    assert "Only 0.00" in book(desk, order, dispute="three", amount="0.01")
    book(desk, order, dispute="two", amount="84.00", became="won")
    assert tickets(buyer, order) == ["revoked", "revoked"]
    adds_up(services, 8400)


def test_what_was_refunded_can_be_disputed_no_more(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    assert buyer.give_back(order, order["tickets"][0]["ticket_id"]).status_code in (200, 201, 202)
    assert "Only 49.50" in book(desk, order, amount="49.51")
    book(desk, order, amount="49.49")
    assert entries(services, order)[-1] == ("loss", 4949)


def test_what_a_bank_gave_the_buyer_back_is_not_given_back_again(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    """Of 99.00 a bank took 60.00: who then gives both tickets back gets 39.00, and from the organiser only."""
    book(desk, order, amount="60.00")
    assert problem(buyer.give_back(order)) == (409, "refund_by_organiser")
    one = order["tickets"][0]["ticket_id"]
    assert problem(buyer.give_back(order, one)) == (409, "refund_by_organiser")
    assert tickets(buyer, order) == ["valid", "valid"]
    with services.engine.connect() as connection:
        event_id = connection.execute(select(Event.id)).scalar_one()
    back = refund(services.engine, event_id, Wish(UUID(order["order_id"]), "organiser", "asked"))
    assert (back.amount_minor, back.kept_minor) == (WHOLE - 6000, 0)
    assert tickets(buyer, order) == ["refunded", "refunded"]
    adds_up(services, WHOLE - 6000)
    run_due(services.engine, services.payments)
    adds_up(services, 0)
    for _twice in range(2):
        book(desk, order, amount="60.00", became="won")
    adds_up(services, 6000)
    run_due(services.engine, services.payments)
    adds_up(services, 0)
    assert sum(amount for kind, amount in entries(services, order) if kind == "paid_back") == WHOLE, "the buyer's money"
    assert "60.00" in desk.get(f"/desk/orders/{order['order_id']}", headers=HTML).text


def test_what_a_bank_gave_back_to_us_goes_back_as_any_other_money(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    book(desk, order, amount="60.00")
    book(desk, order, amount="60.00", became="won")
    assert buyer.give_back(order).get_json()["amount_minor"] == WHOLE
    run_due(services.engine, services.payments)
    adds_up(services, 0)


def test_a_number_of_another_orders_dispute_is_refused(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    book(desk, order)
    other = buyer.bought(TWO)
    for became in ("lost", "won"):
        assert "another order" in book(desk, other, became=became)
    assert entries(services, other) == []
    assert entries(services, order) == [("loss", PART)]


def test_cash_is_disputed_at_no_bank(services: Services, desk: FlaskClient, order: dict[str, Any]) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Payment).values(provider="cash"))
    assert disputable(services.engine, UUID(order["order_id"])) is None
    assert "only money that a bank holds" in book(desk, order)
    with pytest.raises(Refused, match="nothing_to_dispute"):
        book_by_hand(services.engine, UUID(order["order_id"]), Dispute("x", 1, "EUR", reinstated=False))
    assert entries(services, order) == []


def test_an_unpaid_order_has_nothing_to_dispute(desk: FlaskClient, buyer: Buyer) -> None:
    assert "Book a dispute" not in desk.get(f"/desk/orders/{buyer.held()['order_id']}", headers=HTML).text


def test_only_finance_and_owner_book_disputes(app: Flask, services: Services, order: dict[str, Any]) -> None:
    page = f"/desk/orders/{order['order_id']}"
    for role in ("box_office", "gate_supervisor"):
        client = at_desk(app, services, role)
        assert "Book a dispute" not in client.get(page, headers=HTML).text
        assert post(client, f"{page}/dispute", page, dispute=NUMBER, amount="1", became="lost").status_code == 403
    assert entries(services, order) == []
    assert "Book a dispute" in at_desk(app, services, "owner").get(page, headers=HTML).text


def test_disputes_at_the_same_moment_take_no_more_than_there_is(services: Services, order: dict[str, Any]) -> None:
    """Eight people at the desk: the same case is booked once, and of two that are too much one is refused."""

    def ask(number: str) -> str:
        told = Dispute(number, 6000, "EUR", reinstated=False)
        try:
            return book_by_hand(services.engine, UUID(order["order_id"]), told)
        except Refused as refused:
            return refused.refusal.code

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(ask, ["one", "two"] * 4))
    assert sorted(said) == ["dispute_too_large"] * 4 + ["known"] * 3 + ["undecided"]
    assert entries(services, order) == [("loss", 6000)]
    adds_up(services, WHOLE - 6000)


def test_a_bank_that_takes_everything_afterwards_does_not_take_the_part_twice(
    services: Services, desk: FlaskClient, buyer: Buyer, order: dict[str, Any]
) -> None:
    book(desk, order)
    with services.engine.connect() as connection:
        event_id = connection.execute(select(Event.id)).scalar_one()
    assert take_charge_back(services.engine, event_id, payment_id(services, order))
    assert tickets(buyer, order) == ["revoked", "revoked"]
    assert sum(amount for _kind, amount in entries(services, order)) == WHOLE
    adds_up(services, 0)

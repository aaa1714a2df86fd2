"""Money, on the bank's good and bad days: nobody pays for nothing, nobody gets a ticket for nothing."""

import itertools
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from backend.db.tables.orders import Order, Outbox, Payment, Ticket
from backend.sales.expiry import expire_holds
from backend.sales.ledger import check_ledger
from backend.sales.payments import interface, outbox, reconcile, sandbox
from backend.sales.payments.interface import Silent
from backend.sales.payments.sandbox import SIGNATURE_HEADER, Letter, Sandbox
from backend.sales.till import batch, writing
from backend.wiring import Services
from tests.support.buyer import Buyer, problem
from tests.support.checker import check_sales

NOTIFY = "/payments/sandbox/notify"
PRICE = 4950


@pytest.fixture(autouse=True)
def _the_bank_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "LATE_SECONDS", 0.2)
    monkeypatch.setattr(reconcile, "ASK_AFTER_SECONDS", 0)


@pytest.fixture
def bank(services: Services) -> Sandbox:
    assert services.bank
    return services.bank


def hand_over(client: FlaskClient, letter: Letter) -> int:
    return client.post(NOTIFY, data=letter.body, headers=letter.headers).status_code


def deliver_all(client: FlaskClient, bank: Sandbox) -> int:
    letters = bank.due(time.time())
    for letter in letters:
        assert hand_over(client, letter) == 204
        bank.delivered(letter)
    return len(letters)


def ask_bank(services: Services) -> int:
    return reconcile.reconcile(services.engine, services.tills, services.payments)


def send_refunds(services: Services) -> int:
    return outbox.run_due(services.engine, services.payments)


def until(ready: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def money_adds_up(services: Services, bank: Sandbox) -> None:
    """What the bank has taken and kept is what the tickets cost."""
    assert check_sales(services.engine).problems == []
    with services.engine.connect() as connection:
        paid = connection.scalar(select(func.sum(Order.total_minor)).where(Order.state == "paid")) or 0
    assert bank.balance().get("EUR", 0) == paid
    assert check_ledger(services.engine, {}) == []


def end_holds(services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))


def test_approved(buyer: Buyer, services: Services, bank: Sandbox) -> None:
    assert buyer.pay(buyer.held()).status_code == 200
    money_adds_up(services, bank)


def test_declined_costs_nothing_and_can_be_tried_again(buyer: Buyer, services: Services, bank: Sandbox) -> None:
    order = buyer.held()
    refused = buyer.pay(order, "decline", key="the-very-same-key-1")
    assert problem(refused) == (402, "payment_declined")
    assert problem(buyer.pay(order, "decline", key="the-very-same-key-1")) == (402, "payment_declined")
    assert bank.balance() == {}
    assert buyer.pay(order).status_code == 200
    money_adds_up(services, bank)


def test_an_answer_lost_after_the_charge_is_found_by_asking(buyer: Buyer, services: Services, bank: Sandbox) -> None:
    order = buyer.held()
    answer = buyer.pay(order, "timeout_then_approve")
    assert answer.status_code == 202
    assert answer.headers["Retry-After"]
    assert answer.get_json()["payment"]["state"] == "unknown"
    assert ask_bank(services) == 1
    assert buyer.look(order)["state"] == "paid"
    money_adds_up(services, bank)


def test_an_answer_lost_after_the_charge_is_found_by_repeating(buyer: Buyer, services: Services, bank: Sandbox) -> None:
    order = buyer.held()
    assert buyer.pay(order, "timeout_then_approve", key="the-very-same-key-1").status_code == 202
    assert buyer.pay(order, "timeout_then_approve", key="the-very-same-key-1").status_code == 200
    money_adds_up(services, bank)


def test_a_charge_that_never_arrived_ends_as_declined(
    buyer: Buyer, services: Services, bank: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buyer.held()
    assert buyer.pay(order, "silent").status_code == 202
    assert ask_bank(services) == 0  # it might still be on its way
    assert problem(buyer.pay(order)) == (409, "payment_under_way")
    monkeypatch.setattr(reconcile, "IN_FLIGHT_SECONDS", 0)
    until(lambda: ask_bank(services) == 1)
    assert buyer.look(order)["payment"] == {"state": "declined", "reason": "never_arrived"}
    assert buyer.pay(order).status_code == 200
    money_adds_up(services, bank)


def test_a_silent_bank_is_asked_once_a_round_and_keeps_nobody_from_being_asked_about(
    buyer: Buyer, services: Services, bank: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "AT_ONCE", 2)
    orders = [buyer.held() for _ in range(4)]
    for order in orders:
        assert buyer.pay(order, "timeout_then_approve").status_code == 202
    with services.engine.begin() as connection:
        connection.execute(update(Payment).values(created_ms=1))
    asked: list[UUID] = []

    def silent(payment_id: UUID, _reference: str | None = None) -> None:
        asked.append(payment_id)
        raise Silent

    with monkeypatch.context() as patch:
        patch.setattr(bank, "look_up", silent)
        for _round in range(4):
            ask_bank(services)
    assert len(asked) == 4, "one question a round, however many are open"
    assert len(set(asked)) == 4, "each of them in its turn"


def test_late_money_is_taken_note_of(buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox) -> None:
    order = buyer.held()
    assert buyer.pay(order, "late").status_code == 202
    until(lambda: deliver_all(client, bank))
    assert buyer.look(order)["state"] == "paid"
    money_adds_up(services, bank)


def test_double_notifications_make_one_ticket(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    assert buyer.pay(order, "double").status_code == 200
    assert deliver_all(client, bank) == 2
    assert len(buyer.look(order)["tickets"]) == 1
    money_adds_up(services, bank)


def test_notifications_out_of_order_do_not_take_a_ticket_back(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    assert buyer.pay(order, "out_of_order").status_code == 200
    assert deliver_all(client, bank) == 2
    assert buyer.look(order)["state"] == "paid"
    money_adds_up(services, bank)


def test_a_bank_that_changes_its_mind_gives_the_ticket(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    assert problem(buyer.pay(order, "decline_then_approve")) == (402, "payment_declined")
    until(lambda: deliver_all(client, bank))
    assert buyer.look(order)["state"] == "paid"
    money_adds_up(services, bank)


def test_a_bank_that_changes_its_mind_after_another_payment_gives_the_money_back(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    buyer.pay(order, "decline_then_approve")
    assert buyer.pay(order).status_code == 200
    until(lambda: deliver_all(client, bank))
    assert send_refunds(services) == 1
    money_adds_up(services, bank)


@pytest.mark.parametrize("token", ["double", "out_of_order", "decline_then_approve", "charge_back"])
def test_webhooks_in_every_permutation_each_twice_come_to_the_same(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox, token: str
) -> None:
    """Late, early, again: the end is what the bank's own book says, whatever came first."""
    ends, count = set(), len(sandbox._LETTERS[token])
    twice = itertools.permutations([*range(count), *range(count)])
    for sequence in sorted(set(twice)):
        order = buyer.held()
        buyer.pay(order, token)
        until(lambda: len(bank.due(time.time())) == count)
        letters = bank.due(time.time())
        for place in sequence:
            assert hand_over(client, letters[place]) == 204
        for letter in letters:
            bank.delivered(letter)
        send_refunds(services)
        ends.add(buyer.look(order)["state"])
        money_adds_up(services, bank)
    assert ends == {"refunded" if token == "charge_back" else "paid"}


@pytest.mark.parametrize("sequence", sorted(set(itertools.permutations(["expire", "money", "other buyer", "money"]))))
def test_money_after_the_hold_in_every_order_of_things(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox, sequence: tuple[str, ...]
) -> None:
    """All ten standing tickets are wanted twice; whatever comes first, money is tickets plus refunds."""
    order = buyer.held({"class": "floor", "quantity": 8})
    assert buyer.pay(order, "late").status_code == 202
    end_holds(services)
    until(lambda: bank.due(time.time()))
    letters = bank.due(time.time())
    for step in sequence:
        match step:
            case "expire":
                expire_holds(services.engine)
            case "money":
                assert [hand_over(client, letter) for letter in letters] == [204]
            case "other buyer":
                answer = buyer.order({"class": "floor", "quantity": 8})
                if answer.status_code == 201:
                    buyer.pay(dict(answer.get_json()))
    send_refunds(services)
    money_adds_up(services, bank)
    with services.engine.connect() as connection:
        tickets = connection.scalar(select(func.count()).select_from(Ticket))
        refunded = connection.scalar(select(func.count()).select_from(Payment).where(Payment.state == "refunded"))
    assert (tickets, refunded) in ((8, 0), (8, 1))


def test_a_refund_is_sent_once_however_often_it_is_tried(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buyer.held({"class": "floor", "quantity": 8})
    buyer.pay(order, "late")
    end_holds(services)
    expire_holds(services.engine)
    buyer.held({"class": "floor", "quantity": 8})
    until(lambda: deliver_all(client, bank))

    real = Sandbox.refund

    def took_effect_but_silent(self: Sandbox, *about: Any) -> None:
        real(self, *about)
        raise interface.Silent

    with monkeypatch.context() as broken:
        broken.setattr(Sandbox, "refund", took_effect_but_silent)
        assert send_refunds(services) == 0
    with services.engine.begin() as connection:
        row = connection.execute(select(Outbox.state, Outbox.attempts)).one()
        assert tuple(row) == ("waiting", 1)
        connection.execute(update(Outbox).values(due_ms=0))
    assert send_refunds(services) == 1
    assert send_refunds(services) == 0
    assert buyer.look(order)["payment"]["state"] == "refunded"
    money_adds_up(services, bank)


def test_too_late_money_is_said_to_the_buyer_who_waits(buyer: Buyer, services: Services, bank: Sandbox) -> None:
    order = buyer.held({"class": "floor", "quantity": 8})
    assert buyer.pay(order, "timeout_then_approve", key="the-very-same-key-1").status_code == 202
    end_holds(services)
    expire_holds(services.engine)
    buyer.held({"class": "floor", "quantity": 8})
    assert problem(buyer.pay(order, "timeout_then_approve", key="the-very-same-key-1")) == (409, "payment_too_late")
    send_refunds(services)
    money_adds_up(services, bank)


@pytest.mark.parametrize(("token", "reason"), [("short", "another_amount"), ("foreign", "another_currency")])
def test_other_money_than_was_asked_for_goes_back_and_buys_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox, token: str, reason: str
) -> None:
    order = buyer.held()
    answer = buyer.pay(order, token, key="the-very-same-key-2")
    assert problem(answer) == (409, "payment_differs")
    assert answer.get_json()["reason"] == reason
    assert problem(buyer.pay(order, token, key="the-very-same-key-2")) == (409, "payment_differs")
    assert buyer.look(order)["state"] == "held", "not stuck: it can be paid once more"
    amounts = next(one for one in client.get("/status").get_json()["components"] if one["name"] == "amounts")
    assert amounts["state"] == "waits", "an operator is told"
    assert send_refunds(services) == 1
    assert bank.balance() == {}
    assert buyer.pay(order).status_code == 200
    money_adds_up(services, bank)


def test_notification_of_another_amount_does_not_give_a_ticket(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    buyer.pay(order, "late")
    bank._book.execute("UPDATE charges SET amount_minor = amount_minor - 1, verdict = 'unknown'")
    until(lambda: deliver_all(client, bank))
    assert buyer.look(order)["payment"] == {"state": "refunding", "reason": "another_amount"}
    assert buyer.look(order)["tickets"] == []
    send_refunds(services)
    money_adds_up(services, bank)


def test_money_that_was_taken_while_the_disk_is_full_is_not_called_not_charged(
    buyer: Buyer, services: Services, bank: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buyer.held()
    with monkeypatch.context() as broken:
        write = writing.write_and_commit

        def full_at_the_settling(connection: Any, event: Any, changes: Any, *rest: Any) -> None:
            if changes.payments:
                raise OperationalError("UPDATE", {}, psycopg.errors.DiskFull("no space left"))
            write(connection, event, changes, *rest)

        broken.setattr(batch, "write_and_commit", full_at_the_settling)
        answer = buyer.pay(order, key="the-very-same-key-3")
        assert problem(answer) == (503, "payment_unrecorded")
        assert bank.balance() == {"EUR": PRICE}
        assert "not charged" not in answer.get_json()["detail"].replace("not charged twice", "")
    assert buyer.pay(order, key="the-very-same-key-3").status_code == 200
    money_adds_up(services, bank)


def test_a_bank_that_cannot_write_its_book_is_silent_not_broken(
    buyer: Buyer, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    bank._book.execute("PRAGMA query_only = 1")
    assert buyer.pay(order, key="the-very-same-key-4").status_code == 202
    bank._book.execute("PRAGMA query_only = 0")
    assert buyer.pay(order, key="the-very-same-key-4").status_code == 200
    money_adds_up(services, bank)


# --- notifications that nobody should believe -----------------------------------------------------------------------


def a_letter(buyer: Buyer, bank: Sandbox) -> Letter:
    buyer.pay(buyer.held(), "double")
    return bank.due(time.time())[0]


def test_a_forged_notification_is_refused(buyer: Buyer, client: FlaskClient, bank: Sandbox) -> None:
    letter = a_letter(buyer, bank)
    forged = [
        Letter(0, {}, letter.body),
        Letter(0, {SIGNATURE_HEADER: ""}, letter.body),
        Letter(0, {SIGNATURE_HEADER: "t=,v1="}, letter.body),
        Letter(0, {SIGNATURE_HEADER: "t=99999999999999999999,v1=00"}, letter.body),
        Letter(0, letter.headers, letter.body.replace(b"4950", b"9999")),
        Letter(0, {SIGNATURE_HEADER: letter.headers[SIGNATURE_HEADER][:-1] + "x"}, letter.body),
    ]
    for one in forged:
        assert hand_over(client, one) == 401
    assert hand_over(client, letter) == 204


def test_a_replayed_notification_is_too_old(
    buyer: Buyer, client: FlaskClient, bank: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = a_letter(buyer, bank)
    monkeypatch.setattr(sandbox, "SIGNATURE_SECONDS", -1)
    assert hand_over(client, letter) == 401


def test_a_signed_notification_about_nothing_is_refused(buyer: Buyer, client: FlaskClient, bank: Sandbox) -> None:
    letter = a_letter(buyer, bank)
    for body, status in (
        (letter.body.replace(b'"payment_id":"01', b'"payment_id":"99'), 404),
        (b"[]", 400),
        (b"", 400),
    ):
        at = int(time.time())
        signed = {SIGNATURE_HEADER: f"t={at},v1={bank._mac(at, body)}"}
        assert hand_over(client, Letter(0, signed, body)) == status
    assert client.post("/payments/nobody/notify", data=b"").status_code == 404


def test_a_wrong_amount_does_not_buy_a_ticket(
    buyer: Buyer, client: FlaskClient, services: Services, bank: Sandbox
) -> None:
    order = buyer.held()
    buyer.pay(order, "late")
    until(lambda: bank.due(time.time()))
    body = bank.due(time.time())[0].body.replace(b"4950", b"1")
    at = int(time.time())
    signed = {SIGNATURE_HEADER: f"t={at},v1={bank._mac(at, body)}"}
    assert hand_over(client, Letter(0, signed, body)) == 204
    assert buyer.look(order)["state"] == "held"

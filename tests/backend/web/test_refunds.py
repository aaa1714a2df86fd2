"""What goes back: tickets, codes, places and money, whole and in part, and nothing of it twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError

from backend.db.clock import now_ms
from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import LedgerEntry, Order, Outbox, Payment, Ticket
from backend.db.tables.privacy import Person
from backend.errors import refuse
from backend.privacy.contacts import Contact, keep_contact
from backend.sales import calling_off, refunds
from backend.sales.calling_off import Times, cancel_event, give_back_cancelled, postpone_event
from backend.sales.ledger import balances, check_ledger
from backend.sales.payments import sandbox
from backend.sales.payments.outbox import run_due
from backend.sales.refunds import Wish, refund
from backend.wiring import Services
from credential.bundle import Status
from tests.support.buyer import Buyer, problem
from tests.support.checker import check_sales

PRICE = 4950
NOTIFY = "/payments/sandbox/notify"
TWO = {"class": "floor", "quantity": 2}


@pytest.fixture(autouse=True)
def _buyers_may_give_back(services: Services) -> None:
    rules(services, refund_until_ms=Event.doors_ms, refund_keep_bps=0)


def rules(services: Services, **values: Any) -> None:
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(values))


def event_id(services: Services) -> UUID:
    found = services.tills.event_id("gig")
    assert found
    return found


def settle_books(services: Services) -> None:
    """Send what is to be sent; then everything adds up, here and at the bank."""
    while run_due(services.engine, services.payments):
        pass
    assert services.bank
    assert check_ledger(services.engine, {"sandbox": services.bank}) == []
    assert check_sales(services.engine).problems == []
    with services.engine.connect() as connection:
        assert sum(balances(connection).values()) == 0


def held_by_the_bank(services: Services) -> int:
    assert services.bank
    return services.bank.balance().get("EUR", 0)


def row_of(services: Services, ticket: str) -> Any:
    with services.engine.connect() as connection:
        return connection.execute(select(Ticket).where(Ticket.id == UUID(ticket))).one()


def enter(services: Services, ticket: str) -> None:
    """A gate let the ticket in."""
    with services.engine.begin() as connection:
        row = connection.execute(select(Ticket).where(Ticket.id == UUID(ticket))).one()
        token = row.token_id or 1 << 16 | row.position
        connection.execute(update(Ticket).where(Ticket.id == row.id).values(token_id=token, batch_number=1))
        values = {"gate_number": 1, "log_id": bytes(16), "number": row.position, "admits": True, "at_s": 1}
        connection.execute(
            insert(GateRecord).values(event_id=row.event_id, token_id=token, payload=b"", received_ms=1, **values)
        )


def on_chain(services: Services, ticket: str, *, epoch: int, status: Status = Status.VALID) -> None:
    """The chain has the ticket's token: with its buyer, or after `epoch` moves with somebody else."""
    with services.engine.begin() as connection:
        row = connection.execute(select(Ticket).where(Ticket.id == UUID(ticket))).one()
        token = 1 << 16 | row.position
        connection.execute(update(Ticket).where(Ticket.id == row.id).values(token_id=token, batch_number=1))
        owner = b"\x05" * 20 if epoch else row.owner
        values = {"owner": owner, "epoch": epoch, "status": status, "minted_block": 1, "changed_block": 1 + epoch}
        connection.execute(insert(Token).values(event_id=row.event_id, token_id=token, **values))


def test_a_whole_refund_kills_the_codes_frees_the_places_and_sends_the_money(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO, {"class": "balcony", "quantity": 1, "seats": ["A-1"]})
    before = [row_of(services, one["ticket_id"]) for one in order["tickets"]]
    back = buyer.give_back(order)
    assert back.status_code == 200
    assert back.get_json()["amount_minor"] == order["total_minor"]
    for row in before:
        after = row_of(services, str(row.id))
        assert (after.state, after.serial) == ("refunded", row.serial + 1)
        assert after.changed_ms >= row.changed_ms
    assert buyer.look(order)["state"] == "refunded"
    settle_books(services)
    assert held_by_the_bank(services) == 0
    assert buyer.held({"class": "balcony", "quantity": 1, "seats": ["A-1"]})["state"] == "held", "the seat is free"


def test_a_refunded_ticket_gets_no_new_credential(services: Services, buyer: Buyer, client: FlaskClient) -> None:
    order = buyer.bought()
    ticket = order["tickets"][0]["ticket_id"]
    buyer.give_back(order)
    body = {"device_key": "11" * 32, "number": 1, "epoch": 0, "expiry": 1 << 40, "possession_signature": "22" * 64}
    answer = client.post(
        f"/api/v1/tickets/{ticket}/credential",
        json=body,
        headers={"Idempotency-Key": "k" * 20, "Authorization": f"Bearer {order['order_secret']}"},
    )
    assert answer.status_code >= 400


def test_a_part_goes_back_and_the_rest_stays_good(services: Services, buyer: Buyer) -> None:
    rules(services, refund_keep_bps=1_000)
    order = buyer.bought(TWO)
    first, second = (one["ticket_id"] for one in order["tickets"])
    back = buyer.give_back(order, first).get_json()
    assert (back["amount_minor"], back["kept_minor"], back["tickets"]) == (PRICE - 495, 495, [first])
    assert [row_of(services, one).state for one in (first, second)] == ["refunded", "valid"]
    assert buyer.look(order)["state"] == "paid"
    settle_books(services)
    assert held_by_the_bank(services) == PRICE + 495
    assert problem(buyer.give_back(order, first)) == (409, "ticket_not_valid")
    assert buyer.give_back(order).get_json()["tickets"] == [second]
    settle_books(services)
    assert held_by_the_bank(services) == 2 * 495


def test_the_same_wish_twice_sends_money_once(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO)
    first = order["tickets"][0]["ticket_id"]
    answers = [buyer.give_back(order, first, key="same-key-for-both") for _ in range(2)]
    assert answers[0].get_json() == answers[1].get_json()
    assert problem(buyer.give_back(order, key="same-key-for-both")) == (422, "idempotency_key_reused")
    settle_books(services)
    assert held_by_the_bank(services) == PRICE


def test_a_bank_that_repeats_itself_gives_back_once(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO)
    buyer.give_back(order, order["tickets"][0]["ticket_id"])
    run_due(services.engine, services.payments)
    with services.engine.begin() as connection:
        connection.execute(update(Outbox).values(state="waiting"))
    settle_books(services)
    assert held_by_the_bank(services) == PRICE


def test_a_refund_cut_short_before_its_commit_left_nothing_and_may_be_asked_for_again(
    services: Services, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = buyer.bought(TWO)

    def die(_place: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(refunds, "reach", die)
        with pytest.raises(KeyboardInterrupt):
            refund(services.engine, event_id(services), Wish(UUID(order["order_id"]), "organiser", "cut short"))
    settle_books(services)
    assert held_by_the_bank(services) == 2 * PRICE
    assert buyer.give_back(order, key="the-very-same-key").status_code == 200
    settle_books(services)
    assert held_by_the_bank(services) == 0


def test_sixteen_at_once_give_one_ticket_back_once(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO)
    wish = Wish(UUID(order["order_id"]), "organiser", "race", (UUID(order["tickets"][0]["ticket_id"]),))

    def one(_number: int) -> bool:
        try:
            refund(services.engine, event_id(services), wish)
        except Exception:  # noqa: BLE001 - all but one are refused
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one, range(16))) == 1
    settle_books(services)
    assert held_by_the_bank(services) == PRICE


def test_a_used_ticket_is_never_given_back(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO)
    used, unused = (one["ticket_id"] for one in order["tickets"])
    enter(services, used)
    assert problem(buyer.give_back(order, used)) == (409, "ticket_used")
    assert buyer.give_back(order).get_json()["tickets"] == [unused], "what can go back goes back"
    assert row_of(services, used).state == "valid"
    settle_books(services)


def test_whoever_sold_a_ticket_on_gets_no_money_for_it_as_well(services: Services, buyer: Buyer) -> None:
    order = buyer.bought(TWO)
    sold_on, kept = (one["ticket_id"] for one in order["tickets"])
    on_chain(services, sold_on, epoch=1)
    on_chain(services, kept, epoch=0)
    assert problem(buyer.give_back(order, sold_on)) == (409, "ticket_moved")
    assert buyer.give_back(order).get_json()["tickets"] == [kept]
    wish = Wish(UUID(order["order_id"]), "organiser", "by the organiser's word", (UUID(sold_on),))
    assert refund(services.engine, event_id(services), wish).amount_minor == PRICE


@pytest.mark.parametrize(("status", "word"), [(Status.REVOKED, "revoked"), (Status.SUSPENDED, "suspended")])
def test_a_ticket_stopped_on_the_chain_alone_is_shown_so_and_only_the_organiser_gives_it_back(
    services: Services, buyer: Buyer, status: Status, word: str
) -> None:
    order = buyer.bought(TWO)
    stopped, kept = (one["ticket_id"] for one in order["tickets"])
    on_chain(services, stopped, epoch=0, status=status)
    on_chain(services, kept, epoch=0)
    assert {one["ticket_id"]: one["state"] for one in buyer.look(order)["tickets"]} == {stopped: word, kept: "valid"}
    assert problem(buyer.give_back(order, stopped)) == (409, "ticket_not_valid")
    assert buyer.give_back(order).get_json()["tickets"] == [kept]
    wish = Wish(UUID(order["order_id"]), "organiser", "by the organiser's word", (UUID(stopped),))
    assert refund(services.engine, event_id(services), wish).amount_minor == PRICE


@pytest.mark.parametrize("turn", range(3))
def test_refund_racing_use_gives_the_money_or_keeps_the_entry(services: Services, buyer: Buyer, turn: int) -> None:
    """A gate's record comes in while its buyer gives the ticket back; the record is kept, whichever was first."""
    order = buyer.bought()
    (ticket,) = (one["ticket_id"] for one in order["tickets"])
    together = Barrier(2)

    def use() -> None:
        together.wait()
        time.sleep(0.002 * turn)  # later each turn, so that either comes first
        enter(services, ticket)

    gate = Thread(target=use)
    gate.start()
    together.wait()
    back = buyer.give_back(order, ticket)
    gate.join()
    assert (back.status_code, row_of(services, ticket).state) in ((200, "refunded"), (409, "valid"))
    with services.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(GateRecord)) == 1
    settle_books(services)


@pytest.mark.parametrize("closed", ["never", "until", "doors"])
def test_self_service_closes_as_the_organiser_says_and_when_doors_open(
    services: Services, buyer: Buyer, closed: str
) -> None:
    order = buyer.bought()
    with services.engine.connect() as connection:
        now = now_ms(connection)
    match closed:
        case "never":
            rules(services, refund_until_ms=None)
        case "until":
            rules(services, refund_until_ms=now - 1)
        case "doors":
            rules(services, doors_ms=now - 1, refund_until_ms=now + 10**9)
    code = "refund_by_organiser" if closed == "never" else "refund_closed"
    assert problem(buyer.give_back(order)) == (409, code)
    back = refund(services.engine, event_id(services), Wish(UUID(order["order_id"]), "organiser", "goodwill"))
    assert back.amount_minor == PRICE, "the organiser may always"
    settle_books(services)


def test_nobody_gives_back_anothers_ticket(services: Services, buyer: Buyer) -> None:
    mine, yours = buyer.bought(), buyer.bought()
    assert problem(buyer.give_back(mine, yours["tickets"][0]["ticket_id"])) == (404, "unknown_ticket")
    stolen = {**yours, "order_secret": mine["order_secret"]}
    assert problem(buyer.give_back(stolen)) == (404, "unknown_order")
    assert problem(buyer.give_back(buyer.held())) == (409, "order_not_paid")
    settle_books(services)


def charged_back(client: FlaskClient, services: Services, times: int = 1) -> None:
    assert services.bank
    letters = services.bank.due(10**12)
    assert letters
    for letter in letters * times:
        # The bank's own clock signs it; the letter was due in the future, so it is made anew.
        now = services.clock()
        headers = {sandbox.SIGNATURE_HEADER: f"t={int(now)},v1={services.bank._mac(int(now), letter.body)}"}
        assert client.post(NOTIFY, data=letter.body, headers=headers).status_code == 204


def test_a_charge_back_before_entry_voids_the_tickets(
    services: Services, buyer: Buyer, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LATE_SECONDS", 0.0)
    order = buyer.bought(TWO, token="charge_back")
    charged_back(client, services, times=2)
    assert {row_of(services, one["ticket_id"]).state for one in order["tickets"]} == {"revoked"}
    assert buyer.look(order)["payment"]["state"] == "charged_back"
    assert problem(buyer.give_back(order)) == (409, "nothing_to_refund")
    settle_books(services)
    with services.engine.connect() as connection:
        assert connection.scalar(select(Stock.sold).where(Stock.class_number == 1)) == 0
        assert ("losses", "EUR") not in balances(connection)


def test_a_charge_back_after_entry_is_a_loss_and_the_place_stays_taken(
    services: Services, buyer: Buyer, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LATE_SECONDS", 0.0)
    order = buyer.bought(TWO, token="charge_back")
    used, unused = (one["ticket_id"] for one in order["tickets"])
    enter(services, used)
    charged_back(client, services)
    assert [row_of(services, one).state for one in (used, unused)] == ["valid", "revoked"]
    settle_books(services)
    with services.engine.connect() as connection:
        assert balances(connection)["losses", "EUR"] == PRICE


def test_a_charge_back_after_the_refund_loses_the_money_once_more_and_says_so(
    services: Services, buyer: Buyer, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "LATE_SECONDS", 0.0)
    order = buyer.bought(token="charge_back")
    buyer.give_back(order)
    run_due(services.engine, services.payments)
    charged_back(client, services)
    settle_books(services)
    with services.engine.connect() as connection:
        assert balances(connection)["losses", "EUR"] == PRICE


def test_a_cancelled_event_gives_everybody_everything_back(services: Services, buyer: Buyer) -> None:
    rules(services, refund_until_ms=None, refund_keep_bps=5_000)
    orders = [buyer.bought(TWO) for _ in range(3)]
    held = buyer.held()
    cancel_event(services.engine, "gig")
    cancel_event(services.engine, "gig")
    assert problem(buyer.order()) == (409, "event_cancelled")
    while give_back_cancelled(services.engine):
        pass
    assert {buyer.look(one)["state"] for one in orders} == {"refunded"}
    assert buyer.look(held)["state"] == "cancelled"
    settle_books(services)
    assert held_by_the_bank(services) == 0


def test_a_postponed_event_may_be_given_back_whole_until_its_new_doors(services: Services, buyer: Buyer) -> None:
    rules(services, refund_until_ms=None, refund_keep_bps=5_000)
    order = buyer.bought()
    with services.engine.connect() as connection:
        row = connection.execute(select(Event)).one()
    day = 24 * 3600 * 1000
    moved = Times(row.doors_ms + day, row.starts_ms + day, row.ends_ms + day, row.freeze_ms + day)
    postpone_event(services.engine, "gig", moved, None)
    assert buyer.give_back(order).get_json()["amount_minor"] == PRICE
    settle_books(services)


def test_a_postponed_events_buyers_can_be_written_to_until_after_its_new_date(services: Services, buyer: Buyer) -> None:
    order = UUID(buyer.bought(TWO)["order_id"])
    with services.engine.begin() as connection:
        keep_contact(connection, services.secret, order, Contact("ana@example.org", "Ana"), 180)
    half_a_year = 200 * 24 * 3600 * 1000
    with services.engine.connect() as connection:
        row = connection.execute(select(Event)).one()
        before = connection.scalar(select(Person.keep_until_ms))
    times = (one + half_a_year for one in (row.doors_ms, row.starts_ms, row.ends_ms, row.freeze_ms))
    postpone_event(services.engine, "gig", Times(*times), None)
    with services.engine.connect() as connection:
        assert connection.scalar(select(Person.keep_until_ms)) == (before or 0) + half_a_year


def test_used_tickets_of_a_cancelled_event_hold_up_nobodys_money(
    services: Services, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.sales.calling_off.AT_ONCE", 1)
    used, other = buyer.bought(), buyer.bought()
    enter(services, used["tickets"][0]["ticket_id"])
    cancel_event(services.engine, "gig")
    for _ in range(3):
        give_back_cancelled(services.engine)
    assert (buyer.look(used)["state"], buyer.look(other)["state"]) == ("paid", "refunded")


def test_an_order_that_is_refused_holds_up_nobodys_money(
    services: Services, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.sales.calling_off.AT_ONCE", 1)
    orders = sorted((buyer.bought(), buyer.bought()), key=lambda one: str(one["order_id"]))
    give = refund

    def refuses_the_first(engine: Engine, event: UUID, wish: Wish) -> object:
        if wish.order_id == UUID(orders[0]["order_id"]):
            raise refuse("refund_whole_only", "")
        return give(engine, event, wish)

    monkeypatch.setattr(calling_off, "refund", refuses_the_first)
    cancel_event(services.engine, "gig")
    assert give_back_cancelled(services.engine) == 1
    assert [buyer.look(one)["state"] for one in orders] == ["paid", "refunded"]


def test_the_ledger_can_not_be_changed_by_anybody(services: Services, buyer: Buyer) -> None:
    buyer.bought()
    attacks = [update(LedgerEntry).values(amount_minor=1), delete(LedgerEntry)]
    if services.engine.dialect.name == "postgresql":
        attacks.append(text("TRUNCATE ledger_entries"))  # type: ignore[arg-type]
    for attack in attacks:
        with pytest.raises(DatabaseError, match="append-only"), services.engine.begin() as connection:
            connection.execute(attack)
    settle_books(services)


def test_money_that_does_not_add_up_is_found(services: Services, buyer: Buyer) -> None:
    """The check sees a ticket's money that was never booked, a booked one that never came, and a bank that differs."""
    order = buyer.bought()
    settle_books(services)
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(total_minor=Order.total_minor + 1))
    assert [one.what for one in check_ledger(services.engine, {})] == ["sales"]
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(total_minor=Order.total_minor - 1))
        payment = connection.execute(select(Payment).where(Payment.order_id == UUID(order["order_id"]))).one()
        entry = {"key": "forged", "kind": "sale", "debit": "provider:sandbox", "credit": "sales", "amount_minor": 7}
        about = {"event_id": event_id(services), "order_id": payment.order_id, "payment_id": payment.id}
        connection.execute(insert(LedgerEntry).values(**entry, **about, currency="EUR", created_ms=1))
    assert services.bank
    found = check_ledger(services.engine, {"sandbox": services.bank})
    assert {one.what for one in found} == {"sales", "provider:sandbox"}
    with services.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(LedgerEntry)) == 2

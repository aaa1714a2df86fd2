"""However the network and the platform fail: one order, one payment, every ticket, and never a forged one."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from credential.digits import to_digits
from credential.keylist import KeyEntry, KeyList, Reason, Role, sign_key_list
from credential.signing import public_key_of
from tests.wallet.fake_http import FakeServer, Fault
from tests.wallet.fake_platform import SLUG
from tests.wallet.home import HASTY, Home
from wallet.errors import WalletError
from wallet.opened import OpenedWallet
from wallet.purchases import price, want
from wallet.records import Line, PaymentChoice, PaymentState, Purchase, PurchaseState, Ticket
from wallet.show import Kind, present
from wallet.tickets import carry_on
from wallet.transport import Broken, Problem

APPROVE = PaymentChoice(method="sandbox", token="approve")
ROUTES = ("event", "orders", "pay", "order", "credential", "keys")
KINDS = ("lost_before", "lost_after", "error_before", "error_after", "unavailable", "junk", "twice")


def buy(
    wallet: OpenedWallet,
    platform: FakeServer,
    quantity: int = 2,
    choice: PaymentChoice = APPROVE,
    *,
    guest: bool = False,
) -> Purchase:
    api = wallet.api(platform.url)
    lines = (Line(class_code="standing", quantity=quantity),)
    return want(wallet, api, api.event(SLUG), lines, choice, guest=guest)


def bought_once(wallet: OpenedWallet, platform: FakeServer, quantity: int = 2) -> bool:
    tickets = wallet.store.all(Ticket)
    return (
        len(platform.orders) == len(platform.paid_orders) == 1
        and list(platform.charges.values()) == [1]
        and len(tickets) == quantity
        and {ticket.serial for ticket in tickets} == {1}
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("route", ROUTES)
def test_one_failure_anywhere_is_got_over(home: Home, platform: FakeServer, route: str, kind: str) -> None:
    platform.faults = [Fault(route, kind)]
    with home.opened() as wallet:
        assert carry_on(wallet, buy(wallet, platform)).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


@pytest.mark.parametrize("route", ["orders", "pay", "order", "credential"])
@pytest.mark.parametrize("kind", ["drip", "late"])
def test_slow_answers_are_given_up_and_asked_again(home: Home, platform: FakeServer, route: str, kind: str) -> None:
    platform.faults = [Fault(route, kind, seconds=1.5 if kind == "late" else 0)]
    with home.opened() as wallet:
        assert carry_on(wallet, buy(wallet, platform)).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "error_after", "junk"])
@pytest.mark.parametrize("route", ["orders", "pay", "order", "credential"])
def test_a_server_that_stays_broken_costs_nothing_and_resumes(
    home: Home, platform: FakeServer, route: str, kind: str
) -> None:
    platform.faults = [Fault(route, kind, times=10_000)]
    impatient = replace(HASTY, attempt_seconds=1, first_contact_seconds=0.2, patience_seconds=0.2)
    with home.opened(limits=impatient) as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises((Broken, Problem)):
            carry_on(wallet, purchase)
    platform.faults = []
    with home.opened() as wallet:
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert carry_on(wallet, stored).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_tickets_hold_what_the_signer_signed(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        carry_on(wallet, buy(wallet, platform))
        for ticket in wallet.store.all(Ticket):
            assert ticket.issuer == "verified"
            assert ticket.event.tag == platform.tag
            shown = present(ticket, wallet.seed, Kind.FULL, int(time.time()))
            assert len(shown.digits) == 489


def test_a_guest_gives_no_chain_address(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        purchase = carry_on(wallet, buy(wallet, platform, guest=True))
        assert purchase.owner is None
        assert bought_once(wallet, platform)
        assert platform.paid_orders[0].owner is None


def test_waits_for_the_batch(home: Home, platform: FakeServer) -> None:
    platform.polls_until_batched = 3
    with home.opened() as wallet:
        assert carry_on(wallet, buy(wallet, platform)).state is PurchaseState.DONE
    assert platform.count("credential") == 2


def test_wait_for_the_batch_ends_and_resumes(home: Home, platform: FakeServer) -> None:
    platform.polls_until_batched = 1_000
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase, wait_seconds=0.5)
        assert caught.value.code == "tickets_on_their_way"
        platform.polls_until_batched = 0
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert carry_on(wallet, stored).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_provider_that_answers_later_is_waited_for(home: Home, platform: FakeServer) -> None:
    with home.opened(sleep=lambda _seconds: None) as wallet:
        slow = PaymentChoice(method="sandbox", token="slow")
        assert carry_on(wallet, buy(wallet, platform, choice=slow)).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_declined_payment_is_paid_another_way_under_another_key(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        purchase = buy(wallet, platform, choice=PaymentChoice(method="sandbox", token="decline"))
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == "payment_declined"
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, stored)  # resumed without another card: nothing is tried
        assert caught.value.code == "payment_declined"
        assert platform.count("pay") == 1
        assert carry_on(wallet, stored, APPROVE).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_money_taken_after_a_decline_still_brings_the_tickets(home: Home, platform: FakeServer) -> None:
    """Banks do that: the order is asked about before anybody is told to pay again."""
    with home.opened() as wallet:
        purchase = buy(wallet, platform, choice=PaymentChoice(method="sandbox", token="decline"))
        with pytest.raises(WalletError):
            carry_on(wallet, purchase)
        (order,) = platform.orders.values()
        order.state = "paid"
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert carry_on(wallet, stored).state is PurchaseState.DONE
    assert platform.count("pay") == 1


def test_no_second_payment_beside_one_whose_outcome_is_unknown(home: Home, platform: FakeServer) -> None:
    platform.faults = [Fault("pay", "lost_after", times=10_000)]
    impatient = replace(HASTY, attempt_seconds=1, first_contact_seconds=0.2, patience_seconds=0.2)
    with home.opened(limits=impatient) as wallet:
        purchase = buy(wallet, platform)
        for _attempt in range(3):
            with pytest.raises(Broken):
                carry_on(wallet, wallet.store.get(Purchase, purchase.key) or purchase, APPROVE)
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert [payment.state for payment in stored.payments] == [PaymentState.STARTED]
    assert list(platform.charges.values()) == [1]


@pytest.mark.parametrize(("quantity", "capacity", "code"), [(9, 100, "over_limit"), (2, 1, "sold_out")])
def test_a_refused_order_is_closed_and_costs_nothing(
    home: Home, platform: FakeServer, quantity: int, capacity: int, code: str
) -> None:
    platform.capacity = capacity
    with home.opened() as wallet:
        purchase = buy(wallet, platform, quantity)
        with pytest.raises(Problem) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == code
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert (stored.state, stored.reason) == (PurchaseState.CLOSED, code)
    assert not platform.charges


def test_a_hold_that_ended_before_the_payment_is_closed(home: Home, platform: FakeServer) -> None:
    platform.hold_seconds = -1
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == "hold_expired"
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert stored.state is PurchaseState.CLOSED
    assert not platform.charges


def test_a_mistyped_card_is_no_dead_end(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        purchase = buy(wallet, platform, choice=PaymentChoice(method="sandbox", token="aprove"))
        with pytest.raises(Problem) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == "unknown_payment_token"
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert carry_on(wallet, stored, APPROVE).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_money_that_came_too_late_is_not_called_unpaid(home: Home, platform: FakeServer) -> None:
    """The tickets were gone when the bank said yes: the platform's own sentence says where the money is."""
    platform.too_late = True
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises(Problem) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == "payment_too_late"
        assert "on its way back" in caught.value.sentence
        stored = wallet.store.get(Purchase, purchase.key)
        assert stored is not None
        assert (stored.state, stored.reason) == (PurchaseState.CLOSED, "payment_too_late")


def test_a_ticket_refunded_before_it_was_fetched_is_not_waited_for(home: Home, platform: FakeServer) -> None:
    platform.refunded_positions = {0}
    with home.opened() as wallet:
        assert carry_on(wallet, buy(wallet, platform)).state is PurchaseState.DONE
        assert len(wallet.store.all(Ticket)) == 1


def test_a_price_raised_between_look_and_order_is_not_paid(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        platform.price += 500
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase)
        assert caught.value.code == "price_changed"
    assert [order.state for order in platform.orders.values()] == ["cancelled"]
    assert not platform.charges


def test_unknown_class_is_named_with_those_there_are(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        event = wallet.api(platform.url).event(SLUG)
    with pytest.raises(WalletError) as caught:
        price(event, (Line(class_code="balcony", quantity=1),))
    assert caught.value.code == "unknown_class"
    assert "seated, standing" in caught.value.sentence


# --- what a wallet does not believe -----------------------------------------------------------------------------------


def test_event_that_borrows_another_events_tag_gets_no_address(home: Home, platform: FakeServer) -> None:
    platform.tag = bytes(8)
    with home.opened() as wallet, pytest.raises(WalletError) as caught:
        buy(wallet, platform)
    assert caught.value.code == "event_not_genuine"
    assert platform.count("orders") == 0


def test_a_server_posing_as_a_known_platform_gets_nothing(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet, FakeServer() as impostor:
        carry_on(wallet, buy(wallet, platform))
        with pytest.raises(WalletError) as caught:
            buy(wallet, impostor)
        assert caught.value.code == "platform_moved"
        assert impostor.count("orders") == 0


def flip(at: int) -> object:
    return lambda credential: credential[:at] + bytes([credential[at] ^ 1]) + credential[at + 1 :]


@pytest.mark.parametrize(
    ("at", "reason"),
    [(5, "event_tag"), (20, "token_id"), (40, "holder_key"), (24, "issuer_signature"), (100, "issuer_signature")],
)
def test_altered_credential_is_not_taken_and_the_order_stays(
    home: Home, platform: FakeServer, at: int, reason: str
) -> None:
    platform.mangle_credential = flip(at)  # type: ignore[assignment]
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase)
        assert caught.value.details["reason"] == reason
        assert not wallet.store.all(Ticket)


def test_credential_by_a_key_revoked_as_compromised_is_not_taken(home: Home, platform: FakeServer) -> None:
    now = int(time.time())
    key = public_key_of(platform.issuing_key)
    entry = KeyEntry(key, Role.ISSUING, platform.tag, now - 10, now + 1000, now - 5, Reason.COMPROMISED)
    platform.key_list_answer = _key_list(platform, entry, platform.root_key)
    with home.opened() as wallet:
        purchase = buy(wallet, platform)
        with pytest.raises(WalletError) as caught:
            carry_on(wallet, purchase)
        assert caught.value.details["reason"] == "key_compromised"


@pytest.mark.parametrize("answer", [b"", b"junk", b"TSK\0" + bytes(40)])
def test_no_usable_key_list_is_said_and_hinders_nobody(home: Home, platform: FakeServer, answer: bytes) -> None:
    platform.key_list_answer = answer
    with home.opened() as wallet:
        carry_on(wallet, buy(wallet, platform))
        assert {ticket.issuer for ticket in wallet.store.all(Ticket)} == {"no_key_list"}


def test_key_list_by_other_roots_than_the_pinned_ones_is_ignored(home: Home, platform: FakeServer) -> None:
    with home.opened() as wallet:
        carry_on(wallet, buy(wallet, platform))
        now = int(time.time())
        thief, false_root = SigningKey.generate(), SigningKey.generate()
        entry = KeyEntry(public_key_of(thief), Role.ISSUING, platform.tag, now - 10, now + 1000)
        platform.key_list_answer = _key_list(platform, entry, false_root, version=9)
        platform.issuing_key = thief
        carry_on(wallet, buy(wallet, platform))
        assert sorted(ticket.issuer for ticket in wallet.store.all(Ticket)) == ["unknown_key"] * 2 + ["verified"] * 2


def _key_list(platform: FakeServer, entry: KeyEntry, root: SigningKey, version: int = 1) -> bytes:
    now = int(time.time())
    roots = (public_key_of(root),)
    return sign_key_list(KeyList(platform.platform_id, version, now - 20, now + 1000, 1, roots, (entry,)), [root])


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-86_400.0, 86_400.0])
def test_a_clock_a_day_wrong_still_binds(home: Home, platform: FakeServer, wrong: float) -> None:
    """The binding's expiry is reckoned by the server's clock: a phone's may be anything."""
    with home.opened(now=lambda: time.time() + wrong) as wallet:
        assert carry_on(wallet, buy(wallet, platform)).state is PurchaseState.DONE
        assert bought_once(wallet, platform)


def test_the_code_fits_a_gate(home: Home, platform: FakeServer, tmp_path: Path) -> None:
    with home.opened() as wallet:
        carry_on(wallet, buy(wallet, platform, quantity=1))
        (ticket,) = wallet.store.all(Ticket)
        shown = present(ticket, wallet.seed, Kind.COMPACT, 1_900_000_000)
        assert len(shown.digits) == len(to_digits(bytes(77))) == 186

"""Orders paid on the chain: a buyer's wallet pays the market on a real node, and final blocks decide."""

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.app import create_app
from backend.chain.calldata import selector
from backend.chain.market import Wanted
from backend.db.tables.chain import ChainBlock, ChainContract
from backend.db.tables.chain_money import ChainCharge
from backend.db.tables.events import Event, Stock
from backend.sales.expiry import expire_holds
from backend.sales.payments import reconcile
from backend.sales.payments.chain import stranger_id
from backend.sales.payments.chain_watch import release_due, watch
from backend.sales.payments.interface import Silent
from backend.settings import Settings
from backend.wiring import wire
from tests.support.buyer import Buyer, new_key, problem
from tests.support.chain_shop import FINALITY, OTHER, PAYER, PRICE, WEI_PER_CENT, Till, start_on_chain
from tests.support.forked_worker import killed_wired_at

KILLS = 20  # of the deep test


@pytest.fixture
def till(chain_shop: Till, monkeypatch: pytest.MonkeyPatch) -> Till:
    monkeypatch.setattr(reconcile, "ASK_AFTER_SECONDS", 0)
    return replace(chain_shop, since=chain_shop.node.height)


def test_paid_on_the_chain_and_taken_back(till: Till) -> None:
    """Ticket at finality, not before; the hold outlives its time meanwhile; a refund waits at the market."""
    order, offer = till.ask(2)
    assert int(offer["value"]) == 2 * PRICE * WEI_PER_CENT
    assert offer["uri"].startswith(f"ethereum:{offer['to']}@31337/payOrder?")
    till.pay(offer)
    till.turn()
    assert till.state(order) == ("held", "unknown")
    assert Buyer(till.client).look(order)["payment"]["chain"]["seen"]
    expire_holds(till.services.engine)  # what other tests left
    till.time_is_up(order)
    assert expire_holds(till.services.engine) == 0
    till.until(lambda: till.state(order) == ("paid", "succeeded"), "the ticket")
    till.turn(1)  # said again, to no effect
    assert till.receipts() == [("held", False, True)]
    till.money_adds_up()

    one = Buyer(till.client).look(order)["tickets"][0]["ticket_id"]
    with till.services.engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.doors_ms))
    assert problem(Buyer(till.client).give_back(order, one)) == (409, "refund_whole_only")
    before = owed(till, offer)
    assert Buyer(till.client).give_back(order).status_code == 200
    till.until(lambda: till.receipts() == [("refunded", False, True)], "the refund")
    till.again()
    till.turn()
    assert owed(till, offer) - before == 2 * PRICE * WEI_PER_CENT
    till.money_adds_up()


def owed(till: Till, offer: dict[str, Any]) -> int:
    """What waits for the payer at the market."""
    asked = f"0x{selector('owed(address,address)').hex()}{0:064x}{PAYER[2:]:0>64}"
    return int(till.node.call("eth_call", {"to": offer["to"], "data": asked}, "latest"), 16)


def offer_in_process(settings: Settings, order: dict[str, Any], key: str) -> None:
    start_on_chain(create_app(wire(settings)).test_client(), order, key)


def watch_in_process(settings: Settings) -> None:
    services = wire(settings)
    assert services.chain
    watch(services.engine, services.tills, services.chain)


@pytest.mark.deep
def test_killed_around_an_offer_and_its_money_each_order_is_paid_once(till: Till) -> None:
    for _ in range(KILLS):
        order, key = Buyer(till.client).held({"class": "floor", "quantity": 1}), new_key()
        killed_wired_at("chain_money.offered", offer_in_process, till.services.settings, order, key)
        answer = start_on_chain(till.client, order, key)
        assert answer.status_code == 202
        till.pay(answer.get_json()["payment"]["chain"])
        till.node.mine(FINALITY)
        till.worker.round(till.held)
        killed_wired_at("chain_money.stored", watch_in_process, till.services.settings)
        till.until(lambda order=order: till.state(order) == ("paid", "succeeded"), "the ticket")  # type: ignore[misc]
    assert till.receipts() == [("held", False, True)] * KILLS
    till.money_adds_up()


def test_payment_reorganised_away_is_forgotten(till: Till) -> None:
    order, offer = till.ask()
    before = till.node.height
    till.pay(offer)
    till.turn()
    assert Buyer(till.client).look(order)["payment"]["chain"]["seen"]
    till.node.call("anvil_rollback", till.node.height - before)
    till.node.call("anvil_dropAllTransactions")
    till.turn(4)
    till.turn(4)
    assert till.state(order) == ("held", "unknown")
    assert not Buyer(till.client).look(order)["payment"]["chain"]["seen"]
    assert till.receipts() == []
    till.pay(offer)  # the same again is good
    till.until(lambda: till.state(order) == ("paid", "succeeded"), "the ticket")


def test_late_money_gets_a_ticket_if_there_is_room_else_goes_back(till: Till) -> None:
    first, offer = till.ask(1)
    second, other = till.ask(2)
    expire_holds(till.services.engine)  # what other tests left
    for order in (first, second):
        till.time_is_up(order)
    assert expire_holds(till.services.engine) == 2
    for _ in range(3):
        till.turn(FINALITY)
    assert till.state(first) == ("expired", "declined")  # by the chain's own time, which is past it
    with till.services.engine.begin() as connection:
        connection.execute(update(Stock).values(capacity=Stock.sold + Stock.held + 2).where(Stock.class_number == 1))
    till.pay(offer)
    till.pay(other)
    till.until(lambda: till.state(first) == ("paid", "succeeded"), "the late ticket")
    till.until(lambda: ("refunded", False, True) in till.receipts(), "the money without room")
    till.until(lambda: till.state(second)[1] == "refunded", "its payment")
    till.money_adds_up()
    with till.services.engine.begin() as connection:
        connection.execute(update(Stock).values(capacity=60).where(Stock.class_number == 1))


def test_other_amounts_and_further_payments_go_back(till: Till) -> None:
    """Each amount has a reference of its own, so the market takes it; it buys nothing, and a second one neither."""
    order, offer = till.ask()
    assert till.services.chain
    with till.services.engine.connect() as connection:
        mine = ChainCharge.order_ref == bytes.fromhex(offer["order_ref"][2:])
        payment = connection.execute(select(ChainCharge.payment_id).where(mine)).scalar_one()
        tickets = connection.execute(select(ChainContract.address).where(ChainContract.kind == "event")).scalar_one()
    salt = till.services.chain.salt(payment)
    less = Wanted(tickets, 1, 1, salt)
    till.send(offer["to"], "0x" + less.calldata.hex(), WEI_PER_CENT)
    till.pay(offer)
    till.until(lambda: till.receipts() == [("refunded", False, True), ("refunded", True, True)], "both back")
    till.until(lambda: till.state(order) == ("held", "refunded"), "the order")
    till.money_adds_up()
    assert till.start(order).status_code == 202  # and is free to be paid as it should be


def test_node_that_is_away_takes_no_payments_and_gives_none_up(till: Till) -> None:
    order, _offer = till.ask()
    till.time_is_up(order)
    with till.services.engine.begin() as connection:
        connection.execute(update(ChainBlock).values(timestamp=0))  # no final block is past the deadline
    till.node.hang()
    till.turn()
    assert till.state(order)[1] == "unknown"
    late = Buyer(till.client).held()
    assert problem(till.start(late)) == (503, "chain_away")
    assert till.state(late) == ("held", "declined")  # free to be paid another way at once
    assert Buyer(till.client).pay(late).status_code == 200
    till.node.wake()
    till.until(lambda: till.services.chain and till.services.chain.open_for(till.event_id), "the node")


def test_money_is_released_at_the_doors_and_does_not_go_back_then(till: Till) -> None:
    order, offer = till.ask()
    till.pay(offer)
    till.until(lambda: till.state(order) == ("paid", "succeeded"), "the ticket")
    assert release_due(till.services.engine) == 0
    with till.services.engine.begin() as connection:
        connection.execute(update(Event).values(doors_ms=int(time.time() * 1000), refund_until_ms=2**45))
    assert release_due(till.services.engine) >= 1
    assert release_due(till.services.engine) == 0
    till.until(lambda: till.receipts() == [("released", False, True)], "the release")
    with till.services.engine.begin() as connection:
        connection.execute(update(Event).values(doors_ms=2**45))
    assert problem(Buyer(till.client).give_back(order)) == (409, "refund_after_release")


def test_money_that_nobody_was_asked_for_is_named_and_can_go_back(till: Till) -> None:
    """As after the restore of an older backup, which knows no such payment."""
    with till.services.engine.connect() as connection:
        tickets = connection.execute(select(ChainContract.address).where(ChainContract.kind == "event")).scalar_one()
        market = connection.execute(select(ChainContract.address).where(ChainContract.kind == "market")).scalar_one()
    stray = Wanted(tickets, 1, 7, b"\x09" * 32)
    till.send("0x" + market.hex(), "0x" + stray.calldata.hex(), 7 * WEI_PER_CENT, OTHER)
    till.until(lambda: till.receipts() == [("held", False, False)], "the receipt")
    assert till.services.chain
    named = [one.payment_id for one in till.services.chain.taken_since(0)]
    assert stranger_id(stray.ref) in named
    with pytest.raises(Silent):  # asked for, and not there yet
        till.services.chain.refund(stranger_id(stray.ref), stranger_id(stray.ref), None)
    till.until(lambda: till.receipts() == [("refunded", False, False)], "the money back")


def test_payer_who_takes_the_money_back_loses_the_ticket(till: Till) -> None:
    order, offer = till.ask()
    till.pay(offer)
    till.until(lambda: till.state(order) == ("paid", "succeeded"), "the ticket")
    till.node.call("evm_increaseTime", 31 * 86_400)

    till.send(offer["to"], "0x" + (selector("reclaimOrder(bytes32)").hex() + offer["order_ref"][2:]))
    till.until(lambda: till.state(order)[1] == "charged_back", "the charge-back")
    assert Buyer(till.client).look(order)["tickets"][0]["state"] == "revoked"

"""Calls from inside calls, and contracts that only look like ours."""

import pytest
from eth_utils.crypto import keccak

from tests.contracts import world
from tests.contracts.compiled import hostile
from tests.contracts.signing import Ask, Signer
from tests.contracts.world import (
    PAYEE,
    ZERO,
    Class,
    Platform,
    mint,
    offer,
    refused,
    token_id,
)
from tests.support.evm import Contract, Reverted, RevmChain

ANNA, BEN, MALLORY = Signer("anna"), Signer("ben"), Signer("mallory")
TICKET, SECOND = token_id(1, 0), token_id(1, 1)
PRICE, UNIT = 5_000, 10**14
ACCEPTS, _, _, _, REENTERS = range(5)
HONEST, SAYS_YES, SAYS_NO, ANSWERS_SHORT, ANSWERS_TRUE, REVERTS = range(6)
COIN_REENTERS = 3


@pytest.fixture
def tickets(capped_tickets: Contract) -> Contract:
    """Anna holds two tickets under the default policy."""
    mint(capped_tickets, 1, [ANNA.address, ANNA.address])
    return capped_tickets


# ---- reentrancy


def test_reentrancy_through_on_erc721_received_finds_the_ticket_already_moved(
    chain: RevmChain, open_tickets: Contract
) -> None:
    mint(open_tickets, 1, [ANNA.address])
    receiver = chain.deploy("", REENTERS, artifact=hostile("Receiver"))
    steal_back = open_tickets.encode("transferFrom", ANNA.address, MALLORY.address, TICKET)
    receiver.send(MALLORY.address, "arm", steal_back)
    open_tickets.send(ANNA.address, "setApprovalForAll", receiver.address, True)
    open_tickets.send(ANNA.address, "safeTransferFrom", ANNA.address, receiver.address, TICKET)
    assert receiver.call("attackWorked") is False
    assert open_tickets.call("ownerOf", TICKET) == receiver.address
    assert [open_tickets.call("balanceOf", who) for who in (ANNA.address, receiver.address)] == [0, 1]


def test_a_receiver_that_passes_the_ticket_on_from_inside_leaves_the_books_right(
    chain: RevmChain, open_tickets: Contract
) -> None:
    mint(open_tickets, 1, [ANNA.address])
    receiver = chain.deploy("", REENTERS, artifact=hostile("Receiver"))
    receiver.send(ANNA.address, "arm", open_tickets.encode("transferFrom", receiver.address, BEN.address, TICKET))
    open_tickets.send(ANNA.address, "safeTransferFrom", ANNA.address, receiver.address, TICKET)
    assert receiver.call("attackWorked") is True
    assert open_tickets.call("ownerOf", TICKET) == BEN.address
    holders = (ANNA.address, receiver.address, BEN.address)
    assert [open_tickets.call("balanceOf", who) for who in holders] == [0, 0, 1]
    assert open_tickets.call("epochOf", TICKET) == 2


def test_reentrancy_through_a_paying_fallback_fetches_nothing_twice(
    platform: Platform, chain: RevmChain, open_tickets: Contract, market: Contract
) -> None:
    seller = chain.deploy("", market.address, False, artifact=hostile("GreedySeller"))
    mint(open_tickets, 1, [seller.address])
    offer(market, open_tickets, TICKET, ANNA, PRICE, counter=0).fill(BEN.address)
    bystander = platform.create(Class(), name="bystander")
    mint(bystander, 1, [ANNA.address])
    offer(market, bystander, TICKET, ANNA, PRICE).fill(BEN.address)
    seller.send(MALLORY.address, "fetch", market.encode("withdraw", ZERO, seller.address))
    share = PRICE * UNIT * 95 // 100
    assert seller.call("attackWorked") is False
    assert chain.balance(seller.address) == share
    assert market.call("owed", ZERO, ANNA.address) == share


def test_reentrancy_through_a_payment_token_buys_nothing(
    platform: Platform, chain: RevmChain, market: Contract
) -> None:
    token = chain.deploy("", COIN_REENTERS, artifact=hostile("Token"))
    tickets = platform.create(Class(policy=world.OPEN, payment_token=token.address, units_per_minor=1))
    mint(tickets, 1, [ANNA.address, ANNA.address])
    token.send(BEN.address, "give", BEN.address, 10**9)
    token.send(BEN.address, "approve", market.address, 10**9)
    inner = offer(market, tickets, SECOND, ANNA, PRICE)
    call = market.encode("fill", inner.ask.abi(), MALLORY.address, inner.signature, b"")
    token.send(MALLORY.address, "arm", market.address, call)
    offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address, value=0)
    assert token.call("attackWorked") is False
    assert token.call("attackAnswer") == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    assert tickets.call("ownerOf", SECOND) == ANNA.address


def test_a_forged_tickets_contract_takes_nobodys_money_out_of_the_market(
    chain: RevmChain, tickets: Contract, market: Contract
) -> None:
    offer(market, tickets, TICKET, ANNA, PRICE).fill(BEN.address)
    held = chain.balance(market.address)
    fake = chain.deploy("", artifact=hostile("FakeTickets"), sender=MALLORY.address)
    chain.fund(MALLORY.address, 1)
    receipt = market.send(MALLORY.address, "payOrder", fake.address, 0, 1, b"\0" * 32, value=1)
    ref = receipt.named("OrderPaid")[0]["orderRef"]
    fake.send(MALLORY.address, "set", ZERO, 2**71, b"")  # the order is worth more now, says the thief
    market.send(MALLORY.address, "refundOrders", [ref])
    assert market.call("owed", ZERO, MALLORY.address) == 1
    market.send(MALLORY.address, "withdraw", ZERO, MALLORY.address)
    greedy = Ask(fake.address, 1, 0, 1)
    signature = MALLORY.sign(greedy.digest(market.address))
    for units in (1, 2**71):
        # A royalty above the price; and a call back into the market while the ask is being filled.
        fake.send(MALLORY.address, "set", ZERO, units, market.encode("withdraw", ZERO, MALLORY.address))
        chain.fund(MALLORY.address, units)
        with pytest.raises((Reverted, RuntimeError)):
            market.send(MALLORY.address, "fill", greedy.abi(), MALLORY.address, signature, b"", value=units * 2)
    assert chain.balance(market.address) == held


def test_a_seller_who_refuses_money_harms_only_himself(
    chain: RevmChain, open_tickets: Contract, market: Contract
) -> None:
    seller = chain.deploy("", market.address, True, artifact=hostile("GreedySeller"))
    mint(open_tickets, 1, [seller.address])
    offer(market, open_tickets, TICKET, ANNA, PRICE, counter=0).fill(BEN.address)
    assert open_tickets.call("ownerOf", TICKET) == BEN.address
    refused(
        lambda: seller.send(MALLORY.address, "fetch", market.encode("withdraw", ZERO, seller.address)), "PaymentFailed"
    )
    seller.send(MALLORY.address, "fetch", market.encode("withdraw", ZERO, MALLORY.address))
    market.send(PAYEE, "withdraw", ZERO, PAYEE)

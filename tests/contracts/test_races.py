"""Stale approvals, front-running, deadlines and counters."""

import pytest

from tests.contracts import world
from tests.contracts.signing import Signer, move_digest
from tests.contracts.world import (
    RELAYER_KEY,
    ZERO,
    Class,
    Platform,
    gift,
    mint,
    offer,
    refused,
    token_id,
)
from tests.support.evm import START, Contract, RevmChain

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


# ---- stale approvals, front-running, races


def test_a_stale_approval_does_not_come_back_with_the_ticket(open_tickets: Contract) -> None:
    mint(open_tickets, 1, [ANNA.address])
    open_tickets.send(ANNA.address, "approve", MALLORY.address, TICKET)
    open_tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)
    open_tickets.send(BEN.address, "transferFrom", BEN.address, ANNA.address, TICKET)
    assert open_tickets.call("getApproved", TICKET) == ZERO
    refused(
        lambda: open_tickets.send(MALLORY.address, "transferFrom", ANNA.address, MALLORY.address, TICKET),
        "ERC721InsufficientApproval",
    )


@pytest.mark.parametrize("path", ["gift", "sale", "self"])
def test_every_path_voids_an_approval(platform: Platform, path: str) -> None:
    tickets = platform.create(Class(policy=world.OPEN))
    mint(tickets, 1, [ANNA.address])
    tickets.send(ANNA.address, "approve", MALLORY.address, TICKET)
    made = offer(platform.market, tickets, TICKET, ANNA, PRICE)
    paths = {
        "gift": lambda: gift(tickets, TICKET, ANNA, BEN.address),
        "sale": lambda: made.settle(BEN.address),
        "self": lambda: tickets.send(ANNA.address, "transferFrom", ANNA.address, ANNA.address, TICKET),
    }
    paths[path]()
    assert tickets.call("getApproved", TICKET) == ZERO
    holder = tickets.call("ownerOf", TICKET)
    refused(
        lambda: tickets.send(MALLORY.address, "transferFrom", holder, MALLORY.address, TICKET),
        "ERC721InsufficientApproval",
    )


def test_an_ask_for_one_buyer_cannot_be_front_run(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE, buyer=BEN.address)
    refused(lambda: made.fill(MALLORY.address), "NotForBuyer", BEN.address, MALLORY.address)
    made.fill(BEN.address)


def test_who_comes_second_for_an_open_ask_pays_nothing(chain: RevmChain, tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    wei = made.quote()[1]
    made.fill(MALLORY.address)
    before = chain.balance(BEN.address)
    refused(lambda: made.fill(BEN.address, value=wei), "SellerSignatureInvalid")
    assert chain.balance(BEN.address) == before + wei, "funded for the attempt, and nothing of it is gone"


def test_a_buyer_who_shows_an_ask_to_a_seller_cannot_lower_it(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    cheap = made.ask.changed(price=1)
    refused(
        lambda: market.send(MALLORY.address, "fill", cheap.abi(), MALLORY.address, made.signature, made.consent),
        "SellerSignatureInvalid",
    )


@pytest.mark.parametrize(("late", "moved"), [(0, True), (1, False)])
def test_deadline_race_to_the_second(chain: RevmChain, tickets: Contract, late: int, moved: bool) -> None:
    deadline = START + 60
    signature = ANNA.sign(move_digest(tickets, TICKET, BEN.address, deadline=deadline))
    chain.set_time(deadline + late)
    if moved:
        tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, deadline, signature, b"")
    else:
        refused(
            lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, deadline, signature, b""),
            "DeadlinePassed",
            deadline,
        )


def test_counter_race_an_ask_signed_for_a_future_counter_waits_for_it(tickets: Contract, market: Contract) -> None:
    early = offer(market, tickets, TICKET, ANNA, PRICE, counter=1)
    refused(lambda: early.settle(BEN.address), "CounterMismatch", ANNA.address, 0, 1)
    market.send(ANNA.address, "cancelAllAsks")
    early.settle(BEN.address)


def test_another_sellers_counter_changes_nothing(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    market.send(MALLORY.address, "cancelAllAsks")
    made.settle(BEN.address)

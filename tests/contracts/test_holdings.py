"""Balances and lists of tickets, whatever way they came: minted, moved, beyond the first five, in any order."""

import random

import pytest

from tests.contracts import world
from tests.contracts.world import CUSTODY, ZERO, Class, Platform, mint, people, token_id
from tests.support.evm import Contract, Reverted, account

HOLDERS = people(4, "holder")


@pytest.fixture
def tickets(platform: Platform) -> Contract:
    return platform.create(Class(policy=world.OPEN, capacity=10**6))


def compare(tickets: Contract, owners: dict[int, str]) -> None:
    for holder in HOLDERS:
        theirs = sorted(token for token, owner in owners.items() if owner == holder)
        assert tickets.call("balanceOf", holder) == len(theirs)
        assert sorted(tickets.call("tokensOfOwner", holder)) == theirs


@pytest.mark.parametrize("seed", range(6))
def test_lists_agree_with_owner_of_through_hundreds_of_moves(tickets: Contract, seed: int) -> None:
    chance = random.Random(seed)
    owners: dict[int, str] = {}
    for number in chance.sample(range(1, 9), 8):
        receipt = mint(tickets, number, [chance.choice(HOLDERS) for _ in range(chance.randint(1, 9))])
        owners |= {event["tokenId"]: event["to"] for event in receipt.named("Transfer")}
    for step in range(250):
        token = chance.choice(sorted(owners))
        # One of the holders collects, so that lists grow past five and shrink again.
        to = HOLDERS[0] if step % 100 < 60 and chance.random() < 0.7 else chance.choice(HOLDERS)
        tickets.send(owners[token], "transferFrom", owners[token], to, token)
        owners[token] = to
        if step % 25 == 0:
            compare(tickets, owners)
    compare(tickets, owners)
    assert all(tickets.call("ownerOf", token) == owner for token, owner in owners.items())


@pytest.mark.parametrize("leaving", range(8))
def test_any_of_eight_received_tickets_may_leave_first(tickets: Contract, leaving: int) -> None:
    giver, taker, third = HOLDERS[:3]
    mint(tickets, 1, [giver] * 8)
    ids = [token_id(1, index) for index in range(8)]
    for token in ids:
        tickets.send(giver, "transferFrom", giver, taker, token)
    tickets.send(taker, "transferFrom", taker, third, ids[leaving])
    assert sorted(tickets.call("tokensOfOwner", taker)) == [token for token in ids if token != ids[leaving]]
    for token in reversed([token for token in ids if token != ids[leaving]]):
        tickets.send(taker, "transferFrom", taker, third, token)
    assert tickets.call("tokensOfOwner", taker) == ()
    assert sorted(tickets.call("tokensOfOwner", third)) == ids


def test_a_ticket_that_comes_home_is_counted_once(tickets: Contract) -> None:
    anna, ben = HOLDERS[:2]
    mint(tickets, 1, [anna, anna])
    ids = [token_id(1, 0), token_id(1, 1)]
    for _ in range(3):
        tickets.send(anna, "transferFrom", anna, ben, ids[0])
        tickets.send(ben, "transferFrom", ben, anna, ids[0])
    assert tickets.call("balanceOf", anna) == 2
    assert sorted(tickets.call("tokensOfOwner", anna)) == ids
    assert tickets.call("balanceOf", ben) == 0


def test_pages_join_to_the_whole_list(tickets: Contract) -> None:
    anna, ben = HOLDERS[:2]
    for number in range(1, 7):
        mint(tickets, number, [anna, ben, anna])
    for number in (2, 5):
        tickets.send(
            ben,
            "transferFrom",
            ben,
            anna,
            next(token for token in (token_id(number, i) for i in range(3)) if tickets.call("ownerOf", token) == ben),
        )
    pages = [tickets.call("tokensOfOwnerIn", anna, first, first + 1, first == 1) for first in (1, 3, 5, 7)]
    assert sorted(sum(pages, ())) == sorted(tickets.call("tokensOfOwner", anna))
    assert len(sum(pages, ())) == tickets.call("balanceOf", anna) == 14
    assert tickets.call("tokensOfOwnerIn", anna, 9, 2, False) == ()


def test_one_owner_of_a_whole_batch_and_neighbours_in_sorting_order(tickets: Contract) -> None:
    low, middle, high = "0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02", "0x" + "ff" * 20
    mint(tickets, 1, [middle] * 1_000)
    mint(tickets, 2, [low, middle, high])
    mint(tickets, 3, [high])
    assert [tickets.call("balanceOf", who) for who in (low, middle, high)] == [1, 1_001, 2]
    assert len(tickets.call("tokensOfOwner", middle)) == 1_001
    assert tickets.call("tokensOfOwner", high) == (token_id(2, 2), token_id(3, 0))


def test_claims_come_out_of_custodys_balance(platform: Platform) -> None:
    tickets = platform.create(Class())
    mint(tickets, 1, [CUSTODY] * 3)
    anna = account("anna")
    world.claim(tickets, token_id(1, 1), anna)
    assert [tickets.call("balanceOf", who) for who in (CUSTODY, anna)] == [2, 1]
    assert tickets.call("tokensOfOwner", CUSTODY) == (token_id(1, 0), token_id(1, 2))


def test_the_zero_address_has_no_tickets(tickets: Contract) -> None:
    for call in ("balanceOf", "tokensOfOwner"):
        with pytest.raises(Reverted, match="ERC721InvalidOwner"):
            tickets.call(call, ZERO)

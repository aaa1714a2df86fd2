"""Batches that are malformed, repeated, out of order or too far ahead (SPEC 8.2)."""

import pytest
from eth_utils.crypto import keccak

from tests.contracts import world
from tests.contracts.signing import Signer
from tests.contracts.world import (
    ISSUER_KEY,
    RELAYER_KEY,
    ZERO,
    Class,
    Platform,
    mint,
    pack,
    people,
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


# ---- batches


def test_unsorted_batches_are_refused_with_the_place(capped_tickets: Contract) -> None:
    owners = [bytes.fromhex(who[2:]) for who in people(6)]
    owners[3], owners[4] = owners[4], owners[3]
    refused(lambda: capped_tickets.send(ISSUER_KEY, "mint", 1, 0, b"".join(owners)), "OwnersNotSorted", 4)
    assert capped_tickets.call("batchInfo", 1)[0] == ZERO


@pytest.mark.parametrize("length", [0, 1, 19, 21, 20 * 1_228 + 1, 20 * 1_229, 20 * 1_228 - 1])
def test_batches_of_a_wrong_size_are_refused(capped_tickets: Contract, length: int) -> None:
    refused(
        lambda: capped_tickets.send(ISSUER_KEY, "mint", 1, 0, b"\x01" * length), "OwnersLengthInvalid", length, 1_228
    )


def test_the_zero_address_is_minted_nothing(capped_tickets: Contract) -> None:
    owners = b"\0" * 20 + pack([ANNA.address])
    refused(lambda: capped_tickets.send(ISSUER_KEY, "mint", 1, 0, owners), "ERC721InvalidReceiver", ZERO)


@pytest.mark.parametrize("number", [0, 2**24, 2**32 - 1])
def test_batch_numbers_out_of_range_are_refused(capped_tickets: Contract, number: int) -> None:
    refused(lambda: mint(capped_tickets, number, people(1)), "BatchNumberInvalid", number, 2**24 - 1)


def test_a_batch_far_ahead_cannot_make_the_search_for_tickets_endless(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1_024, people(1))
    refused(lambda: mint(capped_tickets, 1_026, people(1)), "BatchTooFarAhead", 1_026, 1_025)
    mint(capped_tickets, 1_025, people(1))


@pytest.mark.parametrize("what", ["other owners", "fewer owners", "another class"])
def test_a_batch_number_taken_by_other_owners_is_never_overwritten(platform: Platform, what: str) -> None:
    tickets = platform.create(Class(), Class())
    mint(tickets, 1, people(5))
    before = tickets.call("batchInfo", 1)
    attempts = {
        "other owners": lambda: mint(tickets, 1, people(5, "other")),
        "fewer owners": lambda: mint(tickets, 1, people(4)),
        "another class": lambda: mint(tickets, 1, people(5), class_=1),
    }
    refused(attempts[what], "BatchTaken")
    assert tickets.call("batchInfo", 1) == before
    assert tickets.call("classInfo", 0)[2] == 5


def test_an_identical_repeat_changes_nothing_even_when_the_class_is_full(platform: Platform) -> None:
    tickets = platform.create(Class(capacity=5))
    mint(tickets, 1, people(5))
    tickets.send(RELAYER_KEY, "revoke", [TICKET])
    receipt = mint(tickets, 1, people(5))
    assert [event.name for event in receipt.events] == ["BatchAlreadyMinted"]
    assert tickets.call("classInfo", 0)[2] == 4
    assert tickets.call("statusOf", TICKET) == world.REVOKED


def test_batches_in_any_order_hold_what_they_were_given(capped_tickets: Contract) -> None:
    for number in (3, 1, 4, 2):
        mint(capped_tickets, number, people(3, f"batch {number}"))
    for number in (1, 2, 3, 4):
        assert capped_tickets.call("batchOwners", number) == pack(people(3, f"batch {number}"))


def test_owners_hash_is_the_code_hash_that_a_proof_shows(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, people(3))
    pointer, count, class_, minted_at, owners_hash = capped_tickets.call("batchInfo", 1)
    assert (count, class_, minted_at) == (3, 0, START)
    assert owners_hash == keccak(b"\0" + pack(people(3)))
    assert pointer != ZERO


def test_the_owners_code_cannot_be_run(chain: RevmChain, capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, people(3))
    pointer = capped_tickets.call("batchInfo", 1)[0]
    assert chain.ask(pointer, b"\xff" * 36, MALLORY.address) == b""

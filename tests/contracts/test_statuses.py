"""Redeeming, revoking, suspending (SPEC 8.3)."""

from collections.abc import Callable

import pytest

from tests.contracts import world
from tests.contracts.signing import Signer
from tests.contracts.world import (
    GATE_KEY,
    RELAYER_KEY,
    Class,
    Platform,
    gift,
    mint,
    offer,
    people,
    refused,
    token_id,
)
from tests.support.evm import Contract, Reverted

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


# ---- redeeming and statuses


def test_a_redeem_batch_holding_an_already_redeemed_ticket_redeems_the_others(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, people(130))
    word = TICKET >> 7
    capped_tickets.send(GATE_KEY, "redeemWords", [word], [0b0100])
    receipt = capped_tickets.send(GATE_KEY, "redeemWords", [word, word + 1], [0b010101, 0b01])
    assert receipt.named("RedeemOverlap") == [{"word": word, "mask": 0b0100}]
    assert receipt.named("TicketsRedeemed") == [{"words": (word, word + 1), "masks": (0b010001, 0b01)}]
    assert [capped_tickets.call("statusOf", TICKET + i) for i in (0, 1, 2, 3, 128)] == [1, 1, 1, 0, 1]
    assert receipt.named("BatchMetadataUpdate") == [{"_fromTokenId": word << 7, "_toTokenId": (word + 1 << 7) + 127}]


def test_a_redeem_batch_never_revives_a_revoked_or_suspended_ticket(capped_tickets: Contract) -> None:
    mint(capped_tickets, 1, people(3))
    capped_tickets.send(RELAYER_KEY, "revoke", [TICKET])
    capped_tickets.send(RELAYER_KEY, "suspend", [TICKET + 1])
    receipt = capped_tickets.send(GATE_KEY, "redeemWords", [TICKET >> 7], [0b010101])
    assert receipt.named("RedeemOverlap") == [{"word": TICKET >> 7, "mask": 0b0101}]
    assert [capped_tickets.call("statusOf", TICKET + i) for i in range(3)] == [
        world.REVOKED,
        world.SUSPENDED,
        world.REDEEMED,
    ]


WORD = TICKET >> 7
BAD_REDEEMS: dict[str, tuple[list[int], list[int], str]] = {
    "nothing": ([], [], "EmptyList"),
    "more masks than words": ([WORD], [1, 1], "LengthMismatch"),
    "more words than masks": ([WORD, WORD + 1], [1], "LengthMismatch"),
    "empty mask": ([WORD], [0], "MaskInvalid"),
    "odd bit": ([WORD], [0b11], "MaskInvalid"),
    "all bits": ([WORD], [2**256 - 1], "MaskInvalid"),
    "one beyond the batch": ([WORD], [1 << 6], "NoSuchTickets"),
    "word beyond the batch": ([WORD + 1], [1], "NoSuchTickets"),
    "no such batch": ([token_id(2, 0) >> 7], [1], "NoSuchTickets"),
    "batch 0": ([0], [1], "NoSuchTickets"),
    "word beyond all ids": ([2**256 - 1], [1], "NoSuchTickets"),
    "same word twice": ([WORD, WORD], [1, 1], "WordsNotAscending"),
    "falling words": ([WORD + 1, WORD], [1, 1], "NoSuchTickets"),
}


@pytest.mark.parametrize(("words", "masks", "error"), BAD_REDEEMS.values(), ids=BAD_REDEEMS)
def test_a_malformed_redeem_batch_changes_nothing(
    capped_tickets: Contract, words: list[int], masks: list[int], error: str
) -> None:
    mint(capped_tickets, 1, people(3))
    refused(lambda: capped_tickets.send(GATE_KEY, "redeemWords", words, masks), error)
    assert capped_tickets.call("statusWord", WORD) == 0


def test_a_whole_word_at_the_end_of_the_largest_batch_is_redeemed(platform: Platform) -> None:
    tickets = platform.create(Class())
    mint(tickets, 1, people(1_228))
    last = token_id(1, 1_227) >> 7
    exist = 1_228 - 9 * 128
    refused(lambda: tickets.send(GATE_KEY, "redeemWords", [last], [1 << 2 * exist]), "NoSuchTickets")
    full = 2 ** (2 * exist) // 3
    tickets.send(GATE_KEY, "redeemWords", [last - 1, last], [2**256 // 3, full])
    assert tickets.call("statusWord", last) == full
    assert tickets.call("statusOf", token_id(1, 1_227)) == world.REDEEMED


STATUS_CHANGES = {
    ("revoke", world.VALID): world.REVOKED,
    ("revoke", world.SUSPENDED): world.REVOKED,
    ("revoke", world.REDEEMED): None,
    ("revoke", world.REVOKED): None,
    ("suspend", world.VALID): world.SUSPENDED,
    ("suspend", world.SUSPENDED): None,
    ("suspend", world.REDEEMED): None,
    ("suspend", world.REVOKED): None,
    ("reinstate", world.SUSPENDED): world.VALID,
    ("reinstate", world.VALID): None,
    ("reinstate", world.REDEEMED): None,
    ("reinstate", world.REVOKED): None,
}


@pytest.mark.parametrize(("call", "before"), STATUS_CHANGES)
def test_revocation_is_final_and_impossible_once_redeemed(capped_tickets: Contract, call: str, before: int) -> None:
    mint(capped_tickets, 1, people(2))
    prepare: dict[int, Callable[[], object]] = {
        world.REDEEMED: lambda: capped_tickets.send(GATE_KEY, "redeemWords", [WORD], [1]),
        world.REVOKED: lambda: capped_tickets.send(RELAYER_KEY, "revoke", [TICKET]),
        world.SUSPENDED: lambda: capped_tickets.send(RELAYER_KEY, "suspend", [TICKET]),
        world.VALID: lambda: None,
    }
    prepare[before]()
    after = STATUS_CHANGES[call, before]
    if after is None:
        with pytest.raises(Reverted) as caught:
            capped_tickets.send(RELAYER_KEY, call, [SECOND, TICKET])
        assert (caught.value.name, caught.value.arguments[:2]) == ("StatusChangeRefused", (TICKET, before)) or (
            call == "reinstate" and caught.value.arguments[0] == SECOND
        )
        assert capped_tickets.call("statusOf", TICKET) == before
    else:
        receipt = capped_tickets.send(RELAYER_KEY, call, [TICKET])
        assert capped_tickets.call("statusOf", TICKET) == after
        assert receipt.named("MetadataUpdate") == [{"_tokenId": TICKET}]


@pytest.mark.parametrize("call", ["revoke", "suspend", "reinstate"])
def test_status_changes_name_tickets_that_exist(capped_tickets: Contract, call: str) -> None:
    refused(lambda: capped_tickets.send(RELAYER_KEY, call, [TICKET]), "ERC721NonexistentToken", TICKET)
    refused(lambda: capped_tickets.send(RELAYER_KEY, call, []), "EmptyList")


@pytest.mark.parametrize("status", [world.REDEEMED, world.REVOKED, world.SUSPENDED])
def test_a_ticket_that_is_not_valid_does_not_move(tickets: Contract, market: Contract, status: int) -> None:
    if status == world.REDEEMED:
        tickets.send(GATE_KEY, "redeemWords", [WORD], [1])
    else:
        tickets.send(RELAYER_KEY, "revoke" if status == world.REVOKED else "suspend", [TICKET])
    refused(lambda: gift(tickets, TICKET, ANNA, BEN.address), "TicketNotValid", TICKET, status)
    refused(lambda: offer(market, tickets, TICKET, ANNA, PRICE).settle(BEN.address), "TicketNotValid", TICKET, status)
    gift(tickets, SECOND, ANNA, BEN.address)

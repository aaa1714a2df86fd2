"""Clones, and the ends of every field."""

import pytest
from eth_utils.crypto import keccak

from tests.contracts import world
from tests.contracts.signing import ANYBODY, Signer
from tests.contracts.world import (
    CUSTODY,
    GATE_KEY,
    RELAYER_KEY,
    ZERO,
    Class,
    Platform,
    mint,
    offer,
    people,
    refused,
    token_id,
)
from tests.support.evm import Contract, Reverted, RevmChain, account

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


# ---- clones


def test_clones_are_initialised_once_and_the_implementation_never(platform: Platform, tickets: Contract) -> None:
    config = world.event_config(admin=MALLORY.address)
    refused(lambda: tickets.send(MALLORY.address, "initialize", config), "AlreadyInitialized")
    refused(lambda: platform.implementation.send(MALLORY.address, "initialize", config), "AlreadyInitialized")
    assert platform.implementation.call("admin") == ZERO


def test_nobody_takes_the_address_of_somebody_elses_event(platform: Platform) -> None:
    config = world.event_config(name="tour")
    foretold = platform.factory.call("predictEvent", world.DEPLOYER, config[0], CUSTODY)
    thief = platform.create(name="tour", creator=MALLORY.address)
    assert thief.address != foretold
    assert platform.create(name="tour").address == foretold
    assert platform.factory.call("isEvent", foretold)
    assert not platform.factory.call("isEvent", platform.implementation.address)


def test_a_factory_without_an_implementation_is_not_made(chain: RevmChain) -> None:
    nowhere = account("nowhere")
    chain.deploy("MetadataRenderer")
    with pytest.raises(Reverted) as caught:
        chain.deploy("EventFactory", nowhere)
    assert caught.value.data[:4] == keccak(text="NoImplementation(address)")[:4]


def test_events_share_no_state(platform: Platform, tickets: Contract) -> None:
    other = platform.create(Class(), name="other")
    assert other.call("eventInfo")[-2:] == (0, 0)
    refused(lambda: other.call("ownerOf", TICKET), "ERC721NonexistentToken")


# ---- uint boundaries


def test_the_last_batch_number_and_index_are_ordinary(chain: RevmChain, platform: Platform) -> None:
    tickets = platform.create(Class(policy=world.OPEN), name="edge")
    last = 2**24 - 1
    # As if 16,776,191 batches had been minted: the counter lives above the flags of slot 3.
    state_slot = next(slot for slot in range(12) if chain.evm.storage(tickets.address, slot) & 0xFF == 1 and slot > 1)
    state = chain.evm.storage(tickets.address, state_slot)
    chain.evm.insert_account_storage(tickets.address, state_slot, state | (last - 1_024) << 64)
    mint(tickets, last, [ANNA.address])
    token = token_id(last, 0)
    assert token < 2**40
    tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, token)
    assert tickets.call("tokensOfOwnerIn", BEN.address, last, last, True) == (token,)


def test_the_epoch_stops_before_it_would_wrap(chain: RevmChain, platform: Platform) -> None:
    tickets = platform.create(Class(policy=world.OPEN), name="epochs")
    mint(tickets, 1, [ANNA.address])
    tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET)
    slot = token_slot(chain, tickets)
    word = chain.evm.storage(tickets.address, slot)
    chain.evm.insert_account_storage(tickets.address, slot, word & ~(0xFFFFFF << 160) | (2**24 - 2) << 160)
    tickets.send(BEN.address, "transferFrom", BEN.address, ANNA.address, TICKET)
    assert tickets.call("epochOf", TICKET) == 2**24 - 1
    refused(
        lambda: tickets.send(ANNA.address, "transferFrom", ANNA.address, BEN.address, TICKET),
        "MoveLimitReached",
        TICKET,
        2**24 - 1,
    )


def token_slot(chain: RevmChain, tickets: Contract) -> int:
    """The storage slot of the ticket's word, which holds its owner once it moved."""
    return next(
        slot
        for slot in range(2**24 + TICKET, 2**24 + TICKET + 512)
        if chain.evm.storage(tickets.address, slot) & (2**160 - 1) == int(BEN.address, 16)
    )


@pytest.mark.parametrize("token", [2**40, 2**40 - 1, 2**64, 2**255, 2**256 - 1, 2**256 - 2**24])
def test_ids_beyond_the_last_name_no_ticket_and_no_storage(tickets: Contract, token: int) -> None:
    anna, ben = ANNA.address, BEN.address
    for call in ("ownerOf", "getApproved", "tokenURI", "locked", "epochOf", "classOf", "lastPaidOf", "statusOf"):
        refused(lambda call=call: tickets.call(call, token), "ERC721NonexistentToken", token)  # type: ignore[misc]
    refused(lambda: tickets.send(anna, "approve", ben, token), "ERC721NonexistentToken", token)
    refused(lambda: tickets.send(anna, "transferFrom", anna, ben, token), "ERC721NonexistentToken", token)
    refused(lambda: tickets.call("transferFrom", ZERO, ben, token, sender=ZERO), "ERC721NonexistentToken", token)
    for call in ("revoke", "suspend", "reinstate"):
        refused(lambda call=call: tickets.send(RELAYER_KEY, call, [token]), "ERC721NonexistentToken", token)  # type: ignore[misc]


@pytest.mark.parametrize("word", [2**33 - 1, 2**33, 2**64, 2**255, 2**256 - 1])
def test_words_beyond_the_last_hold_nothing_to_redeem(tickets: Contract, word: int) -> None:
    assert tickets.call("statusWord", word) == 0
    refused(lambda: tickets.send(GATE_KEY, "redeemWords", [word], [1]), "NoSuchTickets", word, 1)
    mask_and_word = ([TICKET >> 7, word], [1, 1])
    refused(lambda: tickets.send(GATE_KEY, "redeemWords", *mask_and_word), "NoSuchTickets", word, 1)
    assert tickets.call("statusWord", TICKET >> 7) == 0


@pytest.mark.parametrize("number", [2**24, 2**64, 2**256 - 1])
def test_batches_and_classes_beyond_the_last_are_empty(tickets: Contract, number: int) -> None:
    assert tickets.call("batchOwners", number) == b""
    assert tickets.call("batchInfo", number)[:4] == (ZERO, 0, 0, 0)
    assert tickets.call("tokensOfOwnerIn", ANNA.address, number, 2**256 - 1, True) == ()
    assert tickets.call("tokensOfOwnerIn", ANNA.address, 0, number, True) == (TICKET, SECOND)
    for class_ in (1, 255, 256, number):
        refused(lambda class_=class_: tickets.call("classInfo", class_), "UnknownClass", class_)  # type: ignore[misc]


def test_capacity_at_the_end_of_its_field(platform: Platform) -> None:
    tickets = platform.create(Class(capacity=2**32 - 1), name="vast")
    mint(tickets, 1, people(2))
    assert tickets.call("classInfo", 0)[1:3] == (2**32 - 1, 2)


@pytest.mark.parametrize("price", [2**40, 2**64, 2**256 - 1])
def test_prices_beyond_the_field_are_refused(platform: Platform, market: Contract, price: int) -> None:
    tickets = platform.create(Class(policy=world.OPEN), name="dear")
    mint(tickets, 1, [ANNA.address])
    made = offer(market, tickets, TICKET, ANNA, price)
    refused(lambda: made.settle(BEN.address), "PriceAboveCap", TICKET, price, 2**40 - 1)
    refused(lambda: made.fill(BEN.address, value=0), "AmountInvalid", price)


def test_anybody_is_the_zero_address() -> None:
    assert ANYBODY == ZERO

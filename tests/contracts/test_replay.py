"""Messages used twice, elsewhere, or altered; signatures that are none (SPEC 8.5, 8.7)."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from tests.contracts import world
from tests.contracts.compiled import hostile
from tests.contracts.signing import CHAIN_ID, FAR, Ask, Signer, claim_digest, high_s, move_digest
from tests.contracts.world import (
    CUSTODY,
    RELAYER_KEY,
    SETTLER_KEY,
    Class,
    Platform,
    gift,
    mint,
    offer,
    refused,
    token_id,
)
from tests.support.evm import Contract, Receipt, Reverted, RevmChain, account

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


# ---- our messages are what wallets sign


def test_wallets_that_follow_eip712_sign_the_same_digests(tickets: Contract, market: Contract) -> None:
    def wallets(name: str, contract: str, kind: str, fields: dict[str, str], message: dict[str, Any]) -> bytes:
        types = {kind: [{"name": key, "type": value} for key, value in fields.items()]}
        place = {"name": name, "version": "1", "chainId": CHAIN_ID, "verifyingContract": contract}
        return bytes(_hash_eip191_message(encode_typed_data(place, types, message)))

    fields = {"tokenId": "uint256", "epoch": "uint256", "to": "address", "deadline": "uint256"}
    message = {"tokenId": TICKET, "epoch": 0, "to": BEN.address, "deadline": FAR}
    for kind, ours in (("Move", move_digest), ("Claim", claim_digest)):
        assert wallets("Truestub Tickets", tickets.address, kind, fields, message) == ours(tickets, TICKET, BEN.address)
    ask = Ask(tickets.address, TICKET, 0, PRICE)
    ask_fields = {
        "tickets": "address",
        "tokenId": "uint256",
        "epoch": "uint256",
        "price": "uint256",
        "buyer": "address",
        "deadline": "uint256",
        "counter": "uint256",
    }
    digest = wallets(
        "Truestub Market", market.address, "Ask", ask_fields, dict(zip(ask_fields, ask.abi(), strict=True))
    )
    assert digest == ask.digest(market.address) == market.call("askDigest", ask.abi())
    assert tickets.call("eip712Domain")[1:5] == ("Truestub Tickets", "1", CHAIN_ID, tickets.address)


# ---- replay


def test_a_move_is_not_replayed_in_a_later_epoch(tickets: Contract) -> None:
    signature = ANNA.sign(move_digest(tickets, TICKET, BEN.address))
    arguments = (TICKET, BEN.address, FAR, signature, b"")
    tickets.send(RELAYER_KEY, "moveWithSig", *arguments)
    gift(tickets, TICKET, BEN, ANNA.address)
    refused(lambda: tickets.send(RELAYER_KEY, "moveWithSig", *arguments), "SignatureInvalid", ANNA.address)


def test_a_move_is_not_replayed_on_another_chain(tickets: Contract) -> None:
    elsewhere = ANNA.sign(move_digest(tickets, TICKET, BEN.address, chain_id=1))
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, elsewhere, b""), "SignatureInvalid"
    )


def test_a_move_is_not_replayed_in_another_event(platform: Platform, tickets: Contract) -> None:
    other = platform.create(Class(), name="other night")
    mint(other, 1, [ANNA.address, ANNA.address])
    signature = ANNA.sign(move_digest(other, TICKET, BEN.address))
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, signature, b""), "SignatureInvalid"
    )


@pytest.mark.parametrize(
    "change",
    [{"token": SECOND}, {"to": MALLORY.address}, {"deadline": FAR - 1}],
    ids=["ticket", "receiver", "deadline"],
)
def test_a_move_with_another_ticket_receiver_or_deadline_is_none(tickets: Contract, change: dict[str, Any]) -> None:
    signature = ANNA.sign(move_digest(tickets, TICKET, BEN.address))
    message = {"token": TICKET, "to": BEN.address, "deadline": FAR} | change
    refused(lambda: tickets.send(RELAYER_KEY, "moveWithSig", *message.values(), signature, b""), "SignatureInvalid")


def test_a_move_is_no_claim_and_a_claim_is_no_move(tickets: Contract) -> None:
    mint(tickets, 2, [CUSTODY])
    token = token_id(2, 0)
    as_move = world.CUSTODY_SIGNER.sign(move_digest(tickets, token, BEN.address))
    refused(lambda: tickets.send(RELAYER_KEY, "claim", token, BEN.address, FAR, as_move), "SignatureInvalid")
    as_claim = ANNA.sign(claim_digest(tickets, TICKET, BEN.address))
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, as_claim, b""), "SignatureInvalid"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"tickets": account("other event")},
        {"token_id": SECOND},
        {"price": 1},
        {"buyer": MALLORY.address},
        {"deadline": FAR + 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_ask_with_any_field_changed_is_none(
    platform: Platform, tickets: Contract, market: Contract, change: dict[str, Any]
) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    altered = made.ask.changed(**change)
    with pytest.raises(Reverted) as caught:
        market.send(SETTLER_KEY, "settleFiat", altered.abi(), MALLORY.address, made.signature, b"\0" * 32)
    assert caught.value.name in ("SellerSignatureInvalid", "")
    assert tickets.call("ownerOf", TICKET) == ANNA.address


def test_an_ask_is_not_replayed_on_another_market_or_chain(
    platform: Platform, tickets: Contract, market: Contract
) -> None:
    ask = Ask(tickets.address, TICKET, 0, PRICE)
    second_market = platform.chain.deploy("TicketMarket")

    def settle(where: Contract, digest: bytes) -> Callable[[], Receipt]:
        signature = ANNA.sign(digest)
        return lambda: where.send(SETTLER_KEY, "settleFiat", ask.abi(), BEN.address, signature, b"\0" * 32)

    refused(settle(market, ask.digest(market.address, chain_id=1)), "SellerSignatureInvalid")
    refused(settle(market, ask.digest(second_market.address)), "SellerSignatureInvalid")
    # The other market accepts the signature made for it; the tickets do not accept the other market.
    refused(settle(second_market, ask.digest(second_market.address)), "NotMarket")


def test_an_ask_of_a_former_holder_is_void(tickets: Contract, market: Contract) -> None:
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    gift(tickets, TICKET, ANNA, BEN.address)
    refused(lambda: made.settle(MALLORY.address), "SellerSignatureInvalid")


# ---- signatures


def test_the_high_s_twin_of_a_signature_is_refused(tickets: Contract, market: Contract) -> None:
    twin = high_s(ANNA.sign(move_digest(tickets, TICKET, BEN.address)))
    refused(lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, twin, b""), "SignatureInvalid")
    made = offer(market, tickets, TICKET, ANNA, PRICE)
    refused(
        lambda: market.send(SETTLER_KEY, "settleFiat", made.ask.abi(), BEN.address, high_s(made.signature), b"\0" * 32),
        "SellerSignatureInvalid",
    )


MALFORMED = {
    "empty": b"",
    "zeros": b"\0" * 65,
    "recovers to zero": b"\0" * 64 + b"\x1b",
    "64 bytes, ERC-2098": b"\1" * 64,
    "66 bytes": b"\1" * 66,
    "v of 0": b"\1" * 64 + b"\0",
    "v of 29": b"\1" * 64 + b"\x1d",
    "r of the order": bytes.fromhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141") + b"\1" * 33,
}


@pytest.mark.parametrize("signature", MALFORMED.values(), ids=MALFORMED)
def test_malformed_signatures_and_zero_address_recovery_move_nothing(
    tickets: Contract, market: Contract, signature: bytes
) -> None:
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, signature, b""), "SignatureInvalid"
    )
    ask = Ask(tickets.address, TICKET, 0, PRICE)
    refused(
        lambda: market.send(SETTLER_KEY, "settleFiat", ask.abi(), BEN.address, signature, b"\0" * 32),
        "SellerSignatureInvalid",
    )
    good = ANNA.sign(move_digest(tickets, TICKET, BEN.address))
    refused(
        lambda: tickets.send(BEN.address, "moveWithSig", TICKET, BEN.address, FAR, good, signature), "ConsentMissing"
    )


def test_a_signature_with_v_of_0_or_1_is_another_encoding_and_refused(tickets: Contract) -> None:
    signature = ANNA.sign(move_digest(tickets, TICKET, BEN.address))
    other = signature[:64] + bytes([signature[64] - 27])
    refused(lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, BEN.address, FAR, other, b""), "SignatureInvalid")


# ---- ERC-1271


@pytest.mark.parametrize("manner", [SAYS_NO, ANSWERS_SHORT, ANSWERS_TRUE, REVERTS])
def test_an_erc1271_wallet_that_does_not_say_yes_moves_nothing(
    chain: RevmChain, tickets: Contract, market: Contract, manner: int
) -> None:
    wallet = chain.deploy("", ANNA.address, manner, artifact=hostile("Wallet1271")).address
    mint(tickets, 2, [wallet])
    token = token_id(2, 0)
    signature = ANNA.sign(move_digest(tickets, token, BEN.address))
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", token, BEN.address, FAR, signature, b""), "SignatureInvalid"
    )
    made = offer(market, tickets, token, ANNA, PRICE, counter=0)
    refused(lambda: made.settle(BEN.address), "SellerSignatureInvalid")


def test_an_erc1271_wallet_that_lies_gives_away_its_own_tickets_only(
    chain: RevmChain, tickets: Contract, market: Contract
) -> None:
    liar = chain.deploy("", ANNA.address, SAYS_YES, artifact=hostile("Wallet1271")).address
    mint(tickets, 2, [liar])
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", TICKET, liar, FAR, b"whatever", b""),
        "SignatureInvalid",
        ANNA.address,
    )
    # Saying yes to everything is no consent of the platform's.
    refused(
        lambda: tickets.send(MALLORY.address, "moveWithSig", token_id(2, 0), BEN.address, FAR, b"yes", b"yes"),
        "ConsentMissing",
    )
    tickets.send(RELAYER_KEY, "moveWithSig", token_id(2, 0), BEN.address, FAR, b"yes", b"")


def test_an_honest_erc1271_wallet_gives_and_sells(chain: RevmChain, tickets: Contract, market: Contract) -> None:
    wallet = chain.deploy("", ANNA.address, HONEST, artifact=hostile("Wallet1271")).address
    mint(tickets, 2, [wallet, wallet])
    gift(tickets, token_id(2, 0), ANNA, BEN.address)
    assert tickets.call("ownerOf", token_id(2, 0)) == BEN.address
    offer(market, tickets, token_id(2, 1), ANNA, PRICE, counter=0).fill(BEN.address)
    assert tickets.call("ownerOf", token_id(2, 1)) == BEN.address
    forged = MALLORY.sign(move_digest(tickets, token_id(2, 0), wallet))
    refused(
        lambda: tickets.send(RELAYER_KEY, "moveWithSig", token_id(2, 0), wallet, FAR, forged, b""), "SignatureInvalid"
    )

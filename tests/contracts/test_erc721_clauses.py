"""ERC-721's text, clause by clause. The class is open; what other policies refuse is in test_policies.py.

Names follow the order of the specification: events, functions, receiver, metadata, detection.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.compiled import hostile
from tests.contracts.world import CUSTODY, ISSUER_KEY, ZERO, Platform, mint, pack, people, refused, token_id
from tests.support.evm import Contract, Receipt, RevmChain, account

ANNA, BEN, CARA, DORA = (account(name) for name in ("anna", "ben", "cara", "dora"))
ACCEPTS, WRONG_ANSWER, REVERTS_WITH_ERROR, REVERTS_EMPTY = range(4)
NOBODYS = token_id(9, 9)

TRANSFER = keccak(text="Transfer(address,address,uint256)")
APPROVAL = keccak(text="Approval(address,address,uint256)")
APPROVAL_FOR_ALL = keccak(text="ApprovalForAll(address,address,bool)")


@pytest.fixture
def tickets(open_tickets: Contract) -> Contract:
    """Anna holds two tickets, Ben one."""
    open_tickets.send(ISSUER_KEY, "mint", 1, 0, pack([ANNA, ANNA, BEN]))
    return open_tickets


@pytest.fixture
def hers(tickets: Contract) -> int:
    return next(token for token in (token_id(1, i) for i in range(3)) if tickets.call("ownerOf", token) == ANNA)


def topics(receipt: Receipt, index: int = 0) -> tuple[bytes, ...]:
    return receipt.logs[index].topics


def word(value: str | int) -> bytes:
    return (int(value, 16) if isinstance(value, str) else value).to_bytes(32)


MOVERS: dict[str, Callable[[Contract, str, str, str, int], Receipt]] = {
    "transferFrom": lambda t, by, a, b, i: t.send(by, "transferFrom", a, b, i),
    "safeTransferFrom": lambda t, by, a, b, i: t.send(by, "safeTransferFrom", a, b, i),
    "safeTransferFrom with data": lambda t, by, a, b, i: t.send(by, "safeTransferFrom", a, b, i, b"data"),
}
every_mover = pytest.mark.parametrize("move", MOVERS.values(), ids=MOVERS)

# ---- events


def test_transfer_emits_when_tokens_are_created_from_the_zero_address(open_tickets: Contract) -> None:
    receipt = mint(open_tickets, 1, [ANNA])
    log = receipt.logs[-1]
    assert log.topics == (TRANSFER, word(ZERO), word(ANNA), word(token_id(1, 0)))
    assert log.data == b""


@every_mover
def test_transfer_emits_when_ownership_changes_by_any_mechanism(tickets: Contract, hers: int, move: Any) -> None:
    receipt = move(tickets, ANNA, ANNA, BEN, hers)
    assert [log.topics for log in receipt.logs] == [(TRANSFER, word(ANNA), word(BEN), word(hers))]


@every_mover
def test_at_the_time_of_any_transfer_the_approved_address_is_reset(tickets: Contract, hers: int, move: Any) -> None:
    tickets.send(ANNA, "approve", CARA, hers)
    move(tickets, ANNA, ANNA, BEN, hers)
    assert tickets.call("getApproved", hers) == ZERO
    refused(lambda: move(tickets, CARA, BEN, CARA, hers), "ERC721InsufficientApproval", CARA, hers)


def test_approval_emits_when_the_approved_address_is_changed_or_reaffirmed(tickets: Contract, hers: int) -> None:
    for approved in (CARA, CARA, DORA, ZERO):
        receipt = tickets.send(ANNA, "approve", approved, hers)
        assert topics(receipt) == (APPROVAL, word(ANNA), word(approved), word(hers))


def test_approval_for_all_emits_when_an_operator_is_enabled_or_disabled(tickets: Contract) -> None:
    for enabled in (True, False):
        receipt = tickets.send(ANNA, "setApprovalForAll", CARA, enabled)
        assert topics(receipt) == (APPROVAL_FOR_ALL, word(ANNA), word(CARA))
        assert receipt.logs[0].data == word(int(enabled))


# ---- balanceOf, ownerOf


def test_balance_of_counts_all_tokens_of_an_owner(tickets: Contract, hers: int) -> None:
    assert [tickets.call("balanceOf", who) for who in (ANNA, BEN, CARA)] == [2, 1, 0]
    tickets.send(ANNA, "transferFrom", ANNA, CARA, hers)
    assert [tickets.call("balanceOf", who) for who in (ANNA, BEN, CARA)] == [1, 1, 1]


def test_balance_of_throws_for_the_zero_address(tickets: Contract) -> None:
    refused(lambda: tickets.call("balanceOf", ZERO), "ERC721InvalidOwner", ZERO)


def test_owner_of_finds_the_owner_of_every_token(open_tickets: Contract) -> None:
    owners = people(40)
    mint(open_tickets, 1, owners)
    assert [open_tickets.call("ownerOf", token_id(1, index)) for index in range(40)] == owners


@pytest.mark.parametrize("token", [0, 1, token_id(1, 3), NOBODYS, 2**64, 2**256 - 1, (1 << 256) - (1 << 16)])
def test_owner_of_throws_for_invalid_tokens(tickets: Contract, token: int) -> None:
    refused(lambda: tickets.call("ownerOf", token), "ERC721NonexistentToken", token)


# ---- the transfer functions


@every_mover
def test_transfer_by_the_current_owner(tickets: Contract, hers: int, move: Any) -> None:
    move(tickets, ANNA, ANNA, BEN, hers)
    assert tickets.call("ownerOf", hers) == BEN


@every_mover
def test_transfer_by_the_approved_address(tickets: Contract, hers: int, move: Any) -> None:
    tickets.send(ANNA, "approve", CARA, hers)
    move(tickets, CARA, ANNA, BEN, hers)
    assert tickets.call("ownerOf", hers) == BEN


@every_mover
def test_transfer_by_an_authorized_operator(tickets: Contract, hers: int, move: Any) -> None:
    tickets.send(ANNA, "setApprovalForAll", CARA, True)
    move(tickets, CARA, ANNA, BEN, hers)
    assert tickets.call("ownerOf", hers) == BEN


@every_mover
def test_transfer_throws_unless_the_sender_is_owner_operator_or_approved(
    tickets: Contract, hers: int, move: Any
) -> None:
    refused(lambda: move(tickets, CARA, ANNA, CARA, hers), "ERC721InsufficientApproval", CARA, hers)
    refused(lambda: move(tickets, BEN, ANNA, BEN, hers), "ERC721InsufficientApproval", BEN, hers)
    assert tickets.call("ownerOf", hers) == ANNA


@every_mover
def test_transfer_throws_if_from_is_not_the_current_owner(tickets: Contract, hers: int, move: Any) -> None:
    refused(lambda: move(tickets, ANNA, BEN, CARA, hers), "ERC721IncorrectOwner", BEN, hers, ANNA)
    refused(lambda: move(tickets, ANNA, ZERO, CARA, hers), "ERC721IncorrectOwner", ZERO, hers, ANNA)


@every_mover
def test_transfer_throws_if_to_is_the_zero_address(tickets: Contract, hers: int, move: Any) -> None:
    refused(lambda: move(tickets, ANNA, ANNA, ZERO, hers), "ERC721InvalidReceiver", ZERO)


@every_mover
def test_transfer_throws_if_the_token_is_invalid(tickets: Contract, move: Any) -> None:
    refused(lambda: move(tickets, ANNA, ANNA, BEN, NOBODYS), "ERC721NonexistentToken", NOBODYS)


@every_mover
def test_transfer_to_oneself_changes_no_balance(tickets: Contract, hers: int, move: Any) -> None:
    for _ in range(2):
        move(tickets, ANNA, ANNA, ANNA, hers)
        assert tickets.call("ownerOf", hers) == ANNA
        assert tickets.call("balanceOf", ANNA) == 2
        assert sorted(tickets.call("tokensOfOwner", ANNA)) == sorted(
            i for i in (token_id(1, n) for n in range(3)) if tickets.call("ownerOf", i) == ANNA
        )


# ---- safe transfers


@pytest.mark.parametrize("data", [None, b"", b"seat 7"])
def test_safe_transfer_calls_the_receiver_after_the_transfer_is_complete(
    chain: RevmChain, tickets: Contract, hers: int, data: bytes | None
) -> None:
    receiver = chain.deploy("", ACCEPTS, artifact=hostile("Receiver"))
    tickets.send(ANNA, "setApprovalForAll", CARA, True)
    tickets.send(CARA, "safeTransferFrom", ANNA, receiver.address, hers, *([] if data is None else [data]))
    assert receiver.call("ownerAtCall") == receiver.address
    assert receiver.call("caller") == tickets.address, "the contract's address is always the message sender"
    assert [receiver.call("operator"), receiver.call("from"), receiver.call("tokenId")] == [CARA, ANNA, hers]
    assert receiver.call("data") == (data or b""), "without data it is the empty string"


@pytest.mark.parametrize("overload", ["short", "long"])
def test_safe_transfer_throws_if_the_receiver_answers_anything_else(
    chain: RevmChain, tickets: Contract, hers: int, overload: str
) -> None:
    extra = [] if overload == "short" else [b""]

    def send(to: str) -> Callable[[], Receipt]:
        return lambda: tickets.send(ANNA, "safeTransferFrom", ANNA, to, hers, *extra)

    for mood, error in ((WRONG_ANSWER, "ERC721InvalidReceiver"), (REVERTS_EMPTY, "ERC721InvalidReceiver")):
        receiver = chain.deploy("", mood, artifact=hostile("Receiver")).address
        refused(send(receiver), error, receiver)
    refuser = chain.deploy("", REVERTS_WITH_ERROR, artifact=hostile("Receiver")).address
    refused(send(refuser), "Refused")
    mute = chain.deploy("", artifact=hostile("Mute")).address
    refused(send(mute), "ERC721InvalidReceiver", mute)
    assert tickets.call("ownerOf", hers) == ANNA


def test_transfer_from_leaves_the_receiver_to_the_caller(chain: RevmChain, tickets: Contract, hers: int) -> None:
    mute = chain.deploy("", artifact=hostile("Mute")).address
    tickets.send(ANNA, "transferFrom", ANNA, mute, hers)
    assert tickets.call("ownerOf", hers) == mute


# ---- approvals


def test_the_zero_address_indicates_no_approved_address(tickets: Contract, hers: int) -> None:
    assert tickets.call("getApproved", hers) == ZERO
    tickets.send(ANNA, "approve", CARA, hers)
    assert tickets.call("getApproved", hers) == CARA
    tickets.send(ANNA, "approve", ZERO, hers)
    assert tickets.call("getApproved", hers) == ZERO


def test_approve_throws_unless_the_sender_is_the_owner_or_an_operator(tickets: Contract, hers: int) -> None:
    refused(lambda: tickets.send(CARA, "approve", CARA, hers), "ERC721InvalidApprover", CARA)
    tickets.send(ANNA, "approve", CARA, hers)
    refused(lambda: tickets.send(CARA, "approve", DORA, hers), "ERC721InvalidApprover", CARA)
    tickets.send(ANNA, "setApprovalForAll", DORA, True)
    tickets.send(DORA, "approve", BEN, hers)
    assert tickets.call("getApproved", hers) == BEN


def test_approve_and_get_approved_throw_for_invalid_tokens(tickets: Contract) -> None:
    refused(lambda: tickets.send(ANNA, "approve", CARA, NOBODYS), "ERC721NonexistentToken", NOBODYS)
    refused(lambda: tickets.call("getApproved", NOBODYS), "ERC721NonexistentToken", NOBODYS)


def test_multiple_operators_per_owner_are_allowed(tickets: Contract) -> None:
    for operator in (CARA, DORA):
        tickets.send(ANNA, "setApprovalForAll", operator, True)
    assert tickets.call("isApprovedForAll", ANNA, CARA)
    assert tickets.call("isApprovedForAll", ANNA, DORA)
    tickets.send(ANNA, "setApprovalForAll", CARA, False)
    assert not tickets.call("isApprovedForAll", ANNA, CARA)
    assert not tickets.call("isApprovedForAll", BEN, DORA)


def test_the_zero_address_can_be_no_operator(tickets: Contract) -> None:
    refused(lambda: tickets.send(ANNA, "setApprovalForAll", ZERO, True), "ERC721InvalidOperator", ZERO)


def test_an_operator_manages_tokens_received_later(tickets: Contract) -> None:
    tickets.send(ANNA, "setApprovalForAll", CARA, True)
    mint(tickets, 2, [ANNA])
    tickets.send(CARA, "transferFrom", ANNA, DORA, token_id(2, 0))
    assert tickets.call("ownerOf", token_id(2, 0)) == DORA


# ---- metadata


def test_name_and_symbol_describe_the_collection(tickets: Contract) -> None:
    assert [tickets.call("name"), tickets.call("symbol")] == ["Night of Lights", "LIGHTS"]


def test_token_uri_is_a_json_that_conforms_to_the_metadata_schema(tickets: Contract, hers: int) -> None:
    kind, content = tickets.call("tokenURI", hers).split(",", 1)
    assert kind == "data:application/json;base64"
    found = json.loads(base64.b64decode(content))
    assert {"name", "description", "image"} <= set(found)
    assert all(isinstance(found[field], str) for field in ("name", "description", "image"))


def test_token_uri_throws_for_invalid_tokens(tickets: Contract) -> None:
    refused(lambda: tickets.call("tokenURI", NOBODYS), "ERC721NonexistentToken", NOBODYS)


# ---- detection by ERC-165, identity


@pytest.mark.parametrize(
    ("interface", "what"),
    [
        ("01ffc9a7", "ERC-165"),
        ("80ac58cd", "ERC-721"),
        ("5b5e139f", "ERC-721 Metadata"),
        ("2a55205a", "ERC-2981"),
        ("49064906", "ERC-4906"),
        ("b45a3c0e", "ERC-5192"),
        ("e8a3d485", "ERC-7572"),
    ],
)
def test_supports_interface(tickets: Contract, interface: str, what: str) -> None:
    assert tickets.call("supportsInterface", bytes.fromhex(interface)), what


@pytest.mark.parametrize("interface", ["ffffffff", "00000000", "780e9d63", "d9b67a26"])
def test_supports_no_other_interface(tickets: Contract, interface: str) -> None:
    assert not tickets.call("supportsInterface", bytes.fromhex(interface))


def test_supports_interface_uses_less_than_30_000_gas(chain: RevmChain, tickets: Contract) -> None:
    receipt = tickets.send(ANNA, "supportsInterface", bytes.fromhex("80ac58cd"))
    assert receipt.gas_used - 21_000 < 30_000


def test_every_token_is_identified_by_an_id_of_its_own_that_never_changes(platform: Platform) -> None:
    tickets = platform.create(name="ids")
    seen = [event["tokenId"] for number in (3, 1, 2) for event in mint(tickets, number, people(5)).named("Transfer")]
    assert len(set(seen)) == 15
    assert all(tickets.call("ownerOf", token) in people(5) for token in seen)


def test_custody_holds_tokens_like_anybody(open_tickets: Contract) -> None:
    mint(open_tickets, 1, [CUSTODY, ANNA])
    assert open_tickets.call("balanceOf", CUSTODY) == 1

"""The owner's wish to find orders again: hashed as EIP-712 says, bound to platform, event, owner and time."""

import hashlib

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils.crypto import keccak

from credential.finding import finding_typed_data
from tests.vectors import world

OWNER = bytes.fromhex("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")  # anvil's first account


def digest(platform: bytes, tag: bytes, owner: bytes, expiry: int) -> bytes:
    message = encode_typed_data(full_message=finding_typed_data(platform, tag, owner, expiry))
    return bytes(_hash_eip191_message(message))


def test_hashes_as_eip_712_says() -> None:
    """The encoding written out by hand, independent of eth-account."""
    domain = keccak(b"EIP712Domain(string name,string version,bytes32 salt)") + keccak(b"Truestub") + keccak(b"1")
    domain += hashlib.sha256(world.PLATFORM).digest()
    message = keccak(b"FindOrders(bytes8 eventTag,address owner,uint64 expiry)")
    message += world.TAG.ljust(32, b"\0") + OWNER.rjust(32, b"\0") + world.NOW.to_bytes(32)

    by_hand = keccak(b"\x19\x01" + keccak(domain) + keccak(message))

    assert digest(world.PLATFORM, world.TAG, OWNER, world.NOW) == by_hand


def test_platform_event_owner_and_time_are_covered() -> None:
    asked = [
        (world.PLATFORM, world.TAG, OWNER, world.NOW),
        (world.OTHER_PLATFORM, world.TAG, OWNER, world.NOW),
        (world.PLATFORM, world.OTHER_TAG, OWNER, world.NOW),
        (world.PLATFORM, world.TAG, bytes(20), world.NOW),
        (world.PLATFORM, world.TAG, OWNER, world.NOW + 1),
    ]
    assert len({digest(*one) for one in asked}) == len(asked)


def test_a_wish_never_passes_for_a_binding() -> None:
    typed = finding_typed_data(world.PLATFORM, world.TAG, OWNER, world.NOW)
    assert typed["primaryType"] == "FindOrders"
    assert "BindDevice" not in typed["types"]


@pytest.mark.parametrize(
    ("tag", "owner", "expiry"), [(b"short", OWNER, 1), (world.TAG, b"short", 1), (world.TAG, OWNER, -1)]
)
def test_fields_that_do_not_fit_are_named(tag: bytes, owner: bytes, expiry: int) -> None:
    with pytest.raises(ValueError, match=r"event_tag|owner|expiry"):
        finding_typed_data(world.PLATFORM, tag, owner, expiry)

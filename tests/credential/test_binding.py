"""Bindings: two signatures over the same fields, by the owner's chain key and by the device."""

import hashlib
import json
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from eth_utils.crypto import keccak

from credential.binding import Binding, binding_typed_data, encode_binding, sign_possession, verify_possession
from tests.vectors import curve, world

BINDING = Binding(world.TAG, world.FIRST, 3, 1, world.public("alice"), world.NOW + 3600)
ANVIL_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first, known to all


def digest(platform: bytes, binding: Binding) -> bytes:
    return bytes(_hash_eip191_message(encode_typed_data(full_message=binding_typed_data(platform, binding))))


def test_typed_data_hashes_as_eip_712_says() -> None:
    """The encoding written out by hand, independent of eth-account."""
    kinds = b"BindDevice(bytes8 eventTag,uint64 tokenId,uint64 epoch,uint32 number,bytes32 deviceKey,uint64 expiry)"
    domain = keccak(b"EIP712Domain(string name,string version,bytes32 salt)") + keccak(b"Truestub") + keccak(b"1")
    salt = hashlib.sha256(world.PLATFORM).digest()
    numbers = (BINDING.token_id, BINDING.epoch, BINDING.number)
    message = keccak(kinds) + BINDING.event_tag.ljust(32, b"\0") + b"".join(one.to_bytes(32) for one in numbers)
    message += BINDING.device_key + BINDING.expiry.to_bytes(32)

    by_hand = keccak(b"\x19\x01" + keccak(domain + salt) + keccak(message))

    assert digest(world.PLATFORM, BINDING) == by_hand


def test_owner_is_recovered_and_every_field_is_covered() -> None:
    account = Account.from_key(ANVIL_KEY)
    message = encode_typed_data(full_message=binding_typed_data(world.PLATFORM, BINDING))
    signature = account.sign_message(message).signature

    assert Account.recover_message(message, signature=signature) == account.address
    for change in (
        {"event_tag": world.OTHER_TAG},
        {"token_id": world.SECOND},
        {"epoch": 4},
        {"number": 2},
        {"device_key": world.public("mallory")},
        {"expiry": BINDING.expiry + 1},
    ):
        assert digest(world.PLATFORM, replace(BINDING, **change)) != digest(world.PLATFORM, BINDING)
    assert digest(world.OTHER_PLATFORM, BINDING) != digest(world.PLATFORM, BINDING)


def test_typed_data_is_json_as_it_stands() -> None:
    typed = binding_typed_data(world.PLATFORM, BINDING)

    assert json.loads(json.dumps(typed)) == typed


def test_device_proves_that_it_exists() -> None:
    signature = sign_possession(world.PLATFORM, BINDING, world.key("alice"))

    assert verify_possession(world.PLATFORM, BINDING, signature)
    assert not verify_possession(world.OTHER_PLATFORM, BINDING, signature)
    assert not verify_possession(world.PLATFORM, replace(BINDING, number=2), signature)
    assert not verify_possession(world.PLATFORM, BINDING, sign_possession(world.PLATFORM, BINDING, world.key("bob")))
    assert not verify_possession(world.PLATFORM, BINDING, b"")


def test_device_key_that_fits_every_signature_proves_nothing() -> None:
    for point in curve.SMALL_ORDER.values():
        binding = replace(BINDING, device_key=point)
        message = b"truestub/possession/1\0" + world.PLATFORM + encode_binding(binding)
        assert not verify_possession(world.PLATFORM, binding, curve.universal_signature(message, point))


@pytest.mark.parametrize(
    "change", [{"number": 1 << 32}, {"epoch": -1}, {"event_tag": b"short"}, {"device_key": b""}, {"expiry": 1 << 64}]
)
def test_fields_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        binding_typed_data(world.PLATFORM, replace(BINDING, **change))  # type: ignore[arg-type]

"""Who may get a credential: a ticket's owner binds a device key to it (SPEC 4).

The owner signs the typed data with a chain key (EIP-712; wallet and signer do that with eth-account); the device key
signs that it exists. `number` must be the ticket's last one + 1, so that an old phone's binding can't be replayed;
`epoch` is the effective one, so that a move voids what the seller had bound.
"""

from dataclasses import dataclass
from typing import Any

from nacl.signing import SigningKey

from credential import domains
from credential.ids import EVENT_TAG_BYTES, PLATFORM_ID_BYTES
from credential.signing import PUBLIC_KEY_BYTES, sign, verify
from credential.typed_data import to_hex, typed_data
from credential.wire import exact, uint

_FIELDS = {
    "eventTag": "bytes8",
    "tokenId": "uint64",
    "epoch": "uint64",
    "number": "uint32",
    "deviceKey": "bytes32",
    "expiry": "uint64",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """`expiry` is Unix seconds: the signer refuses the binding from then on."""

    event_tag: bytes  # 8
    token_id: int
    epoch: int
    number: int
    device_key: bytes  # 32, Ed25519
    expiry: int


def binding_typed_data(platform_id: bytes, binding: Binding) -> dict[str, Any]:
    """The EIP-712 message `BindDevice`, whole (see `typed_data`). `ValueError` names a field that does not fit."""
    encode_binding(binding)
    message = {
        "eventTag": to_hex(binding.event_tag),
        "tokenId": binding.token_id,
        "epoch": binding.epoch,
        "number": binding.number,
        "deviceKey": to_hex(binding.device_key),
        "expiry": binding.expiry,
    }
    return typed_data(platform_id, "BindDevice", _FIELDS, message)


def sign_possession(platform_id: bytes, binding: Binding, device_key: SigningKey) -> bytes:
    """64 bytes by the device key: it exists, and wants this binding."""
    return sign(domains.POSSESSION, _possession_message(platform_id, binding), device_key)


def verify_possession(platform_id: bytes, binding: Binding, signature: bytes) -> bool:
    """True if the binding's own device key signed it; False for a key of small order too."""
    return verify(domains.POSSESSION, _possession_message(platform_id, binding), signature, binding.device_key)


def encode_binding(binding: Binding) -> bytes:
    """68 bytes: event tag 8, token 8, epoch 8, number 4, device key 32, expiry 8."""
    return b"".join(
        (
            exact(binding.event_tag, EVENT_TAG_BYTES, "event_tag"),
            uint(binding.token_id, 8, "token_id"),
            uint(binding.epoch, 8, "epoch"),
            uint(binding.number, 4, "number"),
            exact(binding.device_key, PUBLIC_KEY_BYTES, "device_key"),
            uint(binding.expiry, 8, "expiry"),
        )
    )


def _possession_message(platform_id: bytes, binding: Binding) -> bytes:
    return exact(platform_id, PLATFORM_ID_BYTES, "platform_id") + encode_binding(binding)

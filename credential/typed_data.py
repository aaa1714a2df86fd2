"""What every EIP-712 message of this project has in common: its domain (SPEC 4.1)."""

import hashlib
from typing import Any

from credential.ids import PLATFORM_ID_BYTES
from credential.wire import exact

_DOMAIN_FIELDS = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "salt", "type": "bytes32"},
]


def typed_data(platform_id: bytes, kind: str, fields: dict[str, str], message: dict[str, Any]) -> dict[str, Any]:
    """The whole message, as `eth_signTypedData_v4` and `encode_typed_data(full_message=...)` take it.

    `fields`: name -> Solidity type, in order. The domain's salt is the SHA-256 of the platform id; it names no chain
    and no contract, so a signature survives a redeployment. Bytes are 0x-hex, so the message is JSON as it stands.
    """
    salt = hashlib.sha256(exact(platform_id, PLATFORM_ID_BYTES, "platform_id")).digest()
    return {
        "types": {
            "EIP712Domain": _DOMAIN_FIELDS,
            kind: [{"name": name, "type": type_} for name, type_ in fields.items()],
        },
        "primaryType": kind,
        "domain": {"name": "Truestub", "version": "1", "salt": to_hex(salt)},
        "message": message,
    }


def to_hex(value: bytes) -> str:
    """0x-hex."""
    return "0x" + value.hex()

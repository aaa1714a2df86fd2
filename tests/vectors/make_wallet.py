"""Makes tests/vectors/wallet.json: what another wallet needs to agree with this one (SPEC 4.5, 4.6).

Run `python -m tests.vectors.make_wallet` to write the file. Every secret in it is derived from a stated phrase.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from nacl.signing import SigningKey

from credential.binding import Binding, binding_typed_data, sign_possession
from credential.body import Body
from credential.codes import answer_challenge, present_compact, present_full
from credential.digits import to_digits
from credential.ids import event_tag, key_id, token_id
from credential.signing import public_key_of, sign_credential
from wallet.keys import chain_path, device_key, device_path, path_text, seed_of, store_key
from wallet.owner import owner_account, sign_binding

FILE = Path(__file__).with_name("wallet.json")
PHRASES = (
    "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "abandon " * 23 + "art",
)  # vectors of BIP-39, not for use
PLATFORM_ID = bytes(range(16))
EVENT_ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
EVENT_INDEX = 7
NOW = 1_900_000_000
# Sealed once with the passphrase below; sealing takes random bytes, so it can't be made again.
VAULT: dict[str, Any] = {
    "format": "truestub-wallet-vault",
    "version": 1,
    "kdf": {"name": "argon2id", "passes": 2, "memory_bytes": 1048576, "salt": "82fb7aed4c9e0b433dab729ae4446d48"},
    "cipher": "xsalsa20-poly1305",
    "sealed": "d8eed992a426fa6d32519bd6cef4e5cf818c02d910241c334a7a3f2dcda637ed091cea7685399a29"
    "2db41763699c84c4ec41902187a5e5fb3eccd8a99eb06cb2a11ddebe5966cfb0b47fc5727bab2bcd"
    "9e76fe36e20e2fcf9780f61032b5d4a3bea8c5bfe3eb8b0238c53c36cfeb6dce7841eb",
    "checksum": "b10da6137c5d4b5fd558546143d3114546d6c34d06154871c81a472a6d38c8c0",
}


def build() -> dict[str, Any]:
    """The file's content."""
    tag = event_tag(PLATFORM_ID, EVENT_ID)
    return {
        "about": "Keys, bindings and codes of a wallet; see docs/SPEC.md 4. Bytes are hexadecimal.",
        "platform_id": PLATFORM_ID.hex(),
        "event_id": str(EVENT_ID),
        "event_tag": tag.hex(),
        "wallets": [_wallet(phrase, tag) for phrase in PHRASES],
        "codes": _codes(tag),
        "vault": {"passphrase": "correct horse battery", "phrase": PHRASES[0], "file": VAULT},
    }


def _wallet(phrase: str, tag: bytes) -> dict[str, Any]:
    seed = seed_of(phrase)
    owner = owner_account(seed, tag)
    return {
        "phrase": phrase,
        "seed": seed.hex(),
        "store_key": store_key(seed).hex(),
        "chain_path": path_text(chain_path(tag)),
        "chain_private_key": bytes(owner.key).hex(),
        "address": owner.address,
        "devices": [
            _device(seed, tag, token, number)
            for token, number in ((token_id(1, 0), 1), (token_id(1, 0), 2), (token_id(70_000, 1227), 1))
        ],
    }


def _device(seed: bytes, tag: bytes, token: int, number: int) -> dict[str, Any]:
    key = device_key(seed, tag, token, number)
    binding = Binding(tag, token, 0, number, public_key_of(key), NOW)
    return {
        "token_id": token,
        "number": number,
        "path": path_text(device_path(tag, token, number)),
        "private_key": bytes(key).hex(),
        "public_key": public_key_of(key).hex(),
        "binding": binding_typed_data(PLATFORM_ID, binding)["message"],
        "possession_signature": sign_possession(PLATFORM_ID, binding, key).hex(),
        "owner_signature": sign_binding(owner_account(seed, tag), PLATFORM_ID, binding).hex(),
    }


def _codes(tag: bytes) -> list[dict[str, Any]]:
    token = token_id(1, 0)
    key = device_key(seed_of(PHRASES[0]), tag, token, 1)
    issuing_key = SigningKey(bytes(32))
    body = Body(
        0, key_id(public_key_of(issuing_key)), tag, token, 1, 1, 1, 0, 0, NOW - 3600, 600, NOW, public_key_of(key)
    )
    credential = sign_credential(body, issuing_key)
    made = {
        "full": present_full(credential, NOW, key),
        "compact": present_compact(EVENT_INDEX, tag, token, 1, NOW, key),
        "answer": answer_challenge(credential, 17, 123456, NOW, key),
    }
    return [
        {"kind": kind, "timestamp": NOW, "payload": payload.hex(), "digits": to_digits(payload)}
        for kind, payload in made.items()
    ]


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")

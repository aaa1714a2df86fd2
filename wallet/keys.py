"""Every key of a wallet comes from its seed by a path that names what the key is for (SPEC 4.5).

Chain keys (secp256k1, BIP-32) are one for each event, device keys (Ed25519, SLIP-10) one for each ticket and binding
number. Every step is hardened, so that no key tells anything about another: the tickets of one person can't be linked
by their keys (P8), and a key that got out opens nothing else.
"""

import hashlib
import hmac

from nacl.signing import SigningKey

from credential.ids import EVENT_TAG_BYTES
from credential.wire import exact, uint

PURPOSE = 21587  # 0x5453, "TS" in ASCII: the first step of all our paths (BIP-43)
COIN_ETHEREUM = 60  # SLIP-44
SEED_BYTES = 64
_HARDENED = 1 << 31
_PBKDF2_ROUNDS = 2048  # BIP-39 says so
_STORE_TAG = b"truestub/wallet-store/1\0"


def seed_of(phrase: str) -> bytes:
    """64 bytes, from which every key is derived (BIP-39, no passphrase). Takes what `wallet.phrase` gave."""
    return hashlib.pbkdf2_hmac("sha512", phrase.encode(), b"mnemonic", _PBKDF2_ROUNDS)


def chain_path(event_tag: bytes) -> tuple[int, ...]:
    """Where the owner's key of an event is: m / purpose' / 60' / the tag as four 16-bit numbers'."""
    return (PURPOSE, COIN_ETHEREUM, *_words(exact(event_tag, EVENT_TAG_BYTES, "event_tag")))


def device_path(event_tag: bytes, token_id: int, number: int) -> tuple[int, ...]:
    """Where a ticket's device key is: m / purpose' / tag' x4 / token id' x4 / binding number' x2, 16 bits each."""
    named = exact(event_tag, EVENT_TAG_BYTES, "event_tag") + uint(token_id, 8, "token_id") + uint(number, 4, "number")
    return (PURPOSE, *_words(named))


def device_key(seed: bytes, event_tag: bytes, token_id: int, number: int) -> SigningKey:
    """The Ed25519 key that shows the ticket under its `number`-th binding."""
    return SigningKey(derive_ed25519(seed, device_path(event_tag, token_id, number)))


def store_key(seed: bytes) -> bytes:
    """32 bytes that encrypt the wallet's records: the same after every restore from the phrase."""
    return hmac.digest(exact(seed, SEED_BYTES, "seed"), _STORE_TAG, "sha256")


def path_text(path: tuple[int, ...]) -> str:
    """As people and other programs write it: m/21587'/60'/..."""
    return "/".join(["m", *(f"{step}'" for step in path)])


def derive_ed25519(seed: bytes, path: tuple[int, ...]) -> bytes:
    """The 32-byte private key at a path of hardened steps (SLIP-10, curve ed25519)."""
    node = hmac.digest(b"ed25519 seed", seed, hashlib.sha512)
    for step in path:
        node = hmac.digest(node[32:], b"\0" + node[:32] + uint(step + _HARDENED, 4, "step"), hashlib.sha512)
    return node[:32]


def _words(named: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(named[at : at + 2]) for at in range(0, len(named), 2))

"""Seal a value for one place: XChaCha20-Poly1305 whose associated data are table, row and column.

A value moved to another row or column does not open. 24 random bytes of nonce come first, then the text with its tag.
"""

import hmac

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.utils import random

KEY_BYTES = 32
NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

Place = tuple[str, str, str]  # table, row, column


def seal(key: bytes, value: bytes, place: Place) -> bytes:
    """The value, readable with `key` at `place` only."""
    nonce = random(NONCE_BYTES)
    return nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(value, _bound(place), nonce, key)


def unseal(key: bytes, sealed: bytes, place: Place) -> bytes:
    """The value; raises `nacl.exceptions.CryptoError` if key or place is another, or the bytes were altered."""
    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    return crypto_aead_xchacha20poly1305_ietf_decrypt(text, _bound(place), nonce, key)


def derived_key(secret: bytes, purpose: str) -> bytes:
    """A key of its own for a purpose, from the installation's secret."""
    return hmac.digest(secret, f"truestub/{purpose}/1\0".encode(), "sha256")


def _bound(place: Place) -> bytes:
    return b"".join(len(part.encode()).to_bytes(2) + part.encode() for part in place)

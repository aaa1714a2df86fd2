"""Signatures that honest signers never make: what lenient verifiers accept and ours must not.

Source of the small-order encodings: the eight torsion points of edwards25519 (RFC 8032), and the non-canonical
spellings that libsodium's blocklist and "Taming the many EdDSAs" (2020) discuss.
"""

import hashlib
from itertools import count

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)
from nacl.signing import SigningKey

ORDER = (1 << 252) + 27742317777372353535851937790883648493

_ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
_ORDER_8_OTHER = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
TORSION = bytes.fromhex(_ORDER_8)
SMALL_ORDER = {
    "identity": bytes.fromhex("01" + "00" * 31),
    "order 2": bytes.fromhex("ec" + "ff" * 30 + "7f"),
    "order 4": bytes(32),
    "order 4, other sign": bytes.fromhex("00" * 31 + "80"),
    "order 8": TORSION,
    "order 8, other sign": bytes.fromhex(_ORDER_8[:-2] + "85"),
    "order 8, second": bytes.fromhex(_ORDER_8_OTHER),
    "order 8, second, other sign": bytes.fromhex(_ORDER_8_OTHER[:-2] + "fa"),
    "identity, not canonical": bytes.fromhex("01" + "00" * 30 + "80"),
    "identity as p + 1": bytes.fromhex("ee" + "ff" * 30 + "7f"),
    "order 4 as p": bytes.fromhex("ed" + "ff" * 30 + "7f"),
    "order 2, not canonical": bytes.fromhex("ec" + "ff" * 31),
}


def malleated(signature: bytes, times: int = 1) -> bytes:
    """The same signature with S + times·L: good to a verifier that does not bound S."""
    scalar = int.from_bytes(signature[32:], "little") + times * ORDER
    return signature[:32] + scalar.to_bytes(32, "little")


def universal_signature(message: bytes, public_key: bytes) -> bytes:
    """A signature under a small-order key, made without any secret: R = [s]B with a challenge divisible by 8."""
    for attempt in count():
        scalar = _scalar(b"universal", attempt)
        point = crypto_scalarmult_ed25519_base_noclamp(scalar)
        if _challenge(point, public_key, message)[0] % 8 == 0:
            return point + scalar
    raise AssertionError("unreachable")


def mixed_order_key(key: SigningKey) -> bytes:
    """The key's point plus a point of order 8."""
    return crypto_core_ed25519_add(bytes(key.verify_key), TORSION)


def signature_under_mixed_key(message: bytes, key: SigningKey) -> bytes:
    """Good under `mixed_order_key(key)` to a verifier without cofactor too: the challenge is divisible by 8."""
    public_key = mixed_order_key(key)
    for attempt in count():
        nonce = _scalar(b"mixed", attempt)
        point = crypto_scalarmult_ed25519_base_noclamp(nonce)
        challenge = _challenge(point, public_key, message)
        if challenge[0] % 8 == 0:
            return point + _response(nonce, challenge, key)
    raise AssertionError("unreachable")


def signature_with_torsion(message: bytes, key: SigningKey) -> bytes:
    """R has a part of order 8: good with cofactor (noble's and ZIP 215's rule), bad without (libsodium's)."""
    nonce = _scalar(b"torsion", 0)
    point = crypto_core_ed25519_add(crypto_scalarmult_ed25519_base_noclamp(nonce), TORSION)
    return point + _response(nonce, _challenge(point, bytes(key.verify_key), message), key)


def _response(nonce: bytes, challenge: bytes, key: SigningKey) -> bytes:
    secret = bytearray(hashlib.sha512(bytes(key)).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    reduced = (int.from_bytes(secret, "little") % ORDER).to_bytes(32, "little")
    return crypto_core_ed25519_scalar_add(nonce, crypto_core_ed25519_scalar_mul(challenge, reduced))


def _challenge(point: bytes, public_key: bytes, message: bytes) -> bytes:
    return crypto_core_ed25519_scalar_reduce(hashlib.sha512(point + public_key + message).digest())


def _scalar(label: bytes, attempt: int) -> bytes:
    return crypto_core_ed25519_scalar_reduce(hashlib.sha512(label + attempt.to_bytes(4)).digest())

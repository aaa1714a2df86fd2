"""Ed25519 as this project uses it: one way to sign, one strict way to verify (SPEC 1.3)."""

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from credential import domains
from credential.body import BODY_BYTES, Body, encode_body
from credential.ids import key_id

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
CREDENTIAL_BYTES = BODY_BYTES + SIGNATURE_BYTES  # 135


def sign_credential(body: Body, issuing_key: SigningKey) -> bytes:
    """A credential: the body's 71 bytes and the issuer's 64.

    `ValueError` if the body names another key, or a holder key no device could own: under a key of small order one
    signature fits every message.
    """
    if body.key_id != key_id(public_key_of(issuing_key)):
        raise ValueError("key_id names another issuing key than the one that signs")
    if not is_valid_holder_key(body.holder_key):
        raise ValueError("holder_key is not a point of the prime-order group")
    encoded = encode_body(body)
    return encoded + sign(domains.CREDENTIAL, encoded, issuing_key)


def is_valid_holder_key(public_key: bytes) -> bool:
    """True for a canonical point of the prime-order group: not of small order, not mixed."""
    return len(public_key) == PUBLIC_KEY_BYTES and crypto_core_ed25519_is_valid_point(public_key)


def sign(domain: bytes, message: bytes, key: SigningKey) -> bytes:
    """64 bytes over `domain ‖ message`."""
    return key.sign(domain + message).signature


def verify(domain: bytes, message: bytes, signature: bytes, public_key: bytes) -> bool:
    """True only if `signature` is one an honest signer could have made.

    The key and the signature's point R must both be canonical and of prime order, and S below the group's order.
    Then verification with and without cofactor agree, and so do all libraries, whatever their defaults (SPEC 1.3).
    """
    if len(signature) != SIGNATURE_BYTES or not is_valid_holder_key(public_key):
        return False
    if not crypto_core_ed25519_is_valid_point(signature[:32]):
        return False
    try:
        VerifyKey(public_key).verify(domain + message, signature)
    except BadSignatureError:
        return False
    return True


def public_key_of(key: SigningKey) -> bytes:
    """The 32 public bytes of a signing key."""
    return bytes(key.verify_key)

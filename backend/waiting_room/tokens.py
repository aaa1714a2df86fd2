"""Places and entry passes as signed tokens: `payload.signature`, both base64url without padding.

The signature is HMAC-SHA-256 under a key derived from the installation's secret for this one purpose, so that a token
of one kind is never taken for another. Tokens name nobody.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from uuid import UUID

from backend.waiting_room.rules import NONCE_BYTES, Phase, Place

MAX_TOKEN_CHARACTERS = 200
_PLACE = struct.Struct(f">16sBQ{NONCE_BYTES}s")  # event, phase, number, nonce
_PASS = struct.Struct(f">16sQ{NONCE_BYTES}s")  # event, expiry in ms, nonce of the place
_PHASES = (Phase.EARLY, Phase.LATE)


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to buy until `expires_ms` (Unix milliseconds); `nonce` names the place it came from."""

    event_id: UUID
    expires_ms: int
    nonce: bytes


def place_token(secret: bytes, place: Place) -> str:
    """The token a visitor keeps."""
    return _sign(
        secret, b"place", _PLACE.pack(place.event_id.bytes, _PHASES.index(place.phase), place.number, place.nonce)
    )


def read_place(secret: bytes, token: str) -> Place | None:
    """The place in a token of ours; None for anything else."""
    payload = _verified(secret, b"place", token, _PLACE.size)
    if payload is None:
        return None
    event, phase, number, nonce = _PLACE.unpack(payload)
    return Place(UUID(bytes=event), _PHASES[phase], number, nonce)


def pass_token(secret: bytes, granted: Pass) -> str:
    """The token that opens the till."""
    return _sign(secret, b"pass", _PASS.pack(granted.event_id.bytes, granted.expires_ms, granted.nonce))


def read_pass(secret: bytes, token: str) -> Pass | None:
    """The pass in a token of ours; None for anything else. Whether it has expired is for the caller to see."""
    payload = _verified(secret, b"pass", token, _PASS.size)
    if payload is None:
        return None
    event, expires_ms, nonce = _PASS.unpack(payload)
    return Pass(UUID(bytes=event), expires_ms, nonce)


def _sign(secret: bytes, purpose: bytes, payload: bytes) -> str:
    return f"{_text(payload)}.{_text(_mac(secret, purpose, payload))}"


def _verified(secret: bytes, purpose: bytes, token: str, size: int) -> bytes | None:
    if len(token) > MAX_TOKEN_CHARACTERS:
        return None
    body, _, signature = token.partition(".")
    payload, given = _bytes(body), _bytes(signature)
    if payload is None or given is None or len(payload) != size:
        return None
    return payload if hmac.compare_digest(given, _mac(secret, purpose, payload)) else None


def _mac(secret: bytes, purpose: bytes, payload: bytes) -> bytes:
    key = hmac.digest(secret, b"truestub/waiting-room/" + purpose, hashlib.sha256)
    return hmac.digest(key, payload, hashlib.sha256)


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes | None:
    try:
        value = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    return value if _text(value) == text else None

"""The 71 bytes an issuer signs (SPEC 2.1).

Evolution: the first byte is the version; it decides the length and the meaning of all that follows. A reader refuses
versions it does not know. Fields are never added to a version, and the bits of `flags` that a version does not name
must be 0, so that an old gate refuses what it can't understand instead of admitting it.
"""

from dataclasses import dataclass

from credential.ids import EVENT_TAG_BYTES, KEY_ID_BYTES
from credential.results import Malformed
from credential.wire import Reader, WireError, exact, uint

VERSION = 0  # unstable until the gate's format is frozen
BODY_BYTES = 71
KNOWN_FLAGS = 0
HOLDER_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Body:
    """What a credential says. Times are Unix seconds, UTC.

    `serial` counts the credentials of a ticket from 1; the only number gates compare. `seat` 0 means unseated, `zone`
    0 no zone. Valid from `not_before` for `lifetime_minutes` (at most 65,535: 45 days).
    """

    version: int
    key_id: bytes  # 4, of the issuing key
    event_tag: bytes  # 8
    token_id: int
    serial: int
    class_number: int
    zone: int
    seat: int
    flags: int
    not_before: int
    lifetime_minutes: int
    issued_at: int
    holder_key: bytes  # 32, Ed25519

    @property
    def not_after(self) -> int:
        """The first second at which the credential no longer holds."""
        return self.not_before + 60 * self.lifetime_minutes


def encode_body(body: Body) -> bytes:
    """71 bytes. `ValueError` names a field that does not fit."""
    if body.version != VERSION:
        raise ValueError(f"version must be {VERSION}, got {body.version}")
    if body.flags & ~KNOWN_FLAGS:
        raise ValueError(f"flags has unknown bits: {body.flags:#04x}")
    if body.serial < 1 or body.lifetime_minutes < 1:
        raise ValueError("serial and lifetime_minutes start at 1")
    return b"".join(
        (
            uint(body.version, 1, "version"),
            exact(body.key_id, KEY_ID_BYTES, "key_id"),
            exact(body.event_tag, EVENT_TAG_BYTES, "event_tag"),
            uint(body.token_id, 8, "token_id"),
            uint(body.serial, 2, "serial"),
            uint(body.class_number, 1, "class_number"),
            uint(body.zone, 1, "zone"),
            uint(body.seat, 3, "seat"),
            uint(body.flags, 1, "flags"),
            uint(body.not_before, 4, "not_before"),
            uint(body.lifetime_minutes, 2, "lifetime_minutes"),
            uint(body.issued_at, 4, "issued_at"),
            exact(body.holder_key, HOLDER_KEY_BYTES, "holder_key"),
        )
    )


def decode_body(data: bytes) -> Body | Malformed:
    """The inverse of `encode_body`, and of nothing else: each body has one encoding."""
    if len(data) != BODY_BYTES:
        return Malformed("wrong_length")
    if data[0] != VERSION:
        return Malformed("unknown_version")
    try:
        return _read(Reader(data))
    except WireError as error:
        return Malformed(error.reason)


def _read(reader: Reader) -> Body:
    body = Body(
        version=reader.uint(1),
        key_id=reader.take(KEY_ID_BYTES),
        event_tag=reader.take(EVENT_TAG_BYTES),
        token_id=reader.uint(8),
        serial=reader.uint(2),
        class_number=reader.uint(1),
        zone=reader.uint(1),
        seat=reader.uint(3),
        flags=reader.uint(1),
        not_before=reader.uint(4),
        lifetime_minutes=reader.uint(2),
        issued_at=reader.uint(4),
        holder_key=reader.take(HOLDER_KEY_BYTES),
    )
    if body.flags & ~KNOWN_FLAGS:
        raise WireError("unknown_flags")
    if body.serial == 0:
        raise WireError("serial_zero")
    if body.lifetime_minutes == 0:
        raise WireError("lifetime_zero")
    return body

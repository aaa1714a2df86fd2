"""What a wallet shows: full codes, compact codes, and answers to a gate's challenge (SPEC 3).

Evolution: a code's length in digits tells its kind. A full code and an answer carry their version as the first byte of
the credential; a compact code in its first four bits. A new version of a kind keeps the length or takes one that no
kind has yet; a gate refuses what it does not know.
"""

import hashlib
from dataclasses import dataclass

from nacl.signing import SigningKey

from credential import domains
from credential.body import BODY_BYTES, Body, decode_body
from credential.digits import ANSWER_BYTES, COMPACT_BYTES, FULL_BYTES
from credential.ids import EVENT_TAG_BYTES, MAX_COMPACT_TOKEN_ID
from credential.results import Malformed
from credential.signing import CREDENTIAL_BYTES, sign, verify
from credential.wire import exact, uint

COMPACT_VERSION = 0  # unstable, like the body's
MAX_EVENT_INDEX = (1 << 12) - 1
MAX_GATE_NUMBER = 999  # three of the nine digits of a challenge
MAX_CHALLENGE = 999_999  # six


@dataclass(frozen=True, slots=True)
class Credential:
    """A body and its issuer's signature, decoded but not verified."""

    encoded: bytes
    body: Body

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.encoded).digest()

    def is_signed_by(self, issuing_key: bytes) -> bool:
        """True if the 32-byte issuing key made the signature."""
        return verify(domains.CREDENTIAL, self.encoded[:BODY_BYTES], self.encoded[BODY_BYTES:], issuing_key)


@dataclass(frozen=True, slots=True)
class FullCode:
    """SPEC 3.2: a credential shown at a time."""

    credential: Credential
    timestamp: int
    signature: bytes

    def is_signed_by_holder(self) -> bool:
        message = self.credential.digest + self.timestamp.to_bytes(4)
        return verify(domains.PRESENTATION, message, self.signature, self.credential.body.holder_key)


@dataclass(frozen=True, slots=True)
class CompactCode:
    """SPEC 3.3: names a ticket that the gate's bundle knows."""

    event_index: int
    token_id: int
    serial: int
    timestamp: int
    signature: bytes

    def is_signed_by_holder(self, event_tag: bytes, holder_key: bytes) -> bool:
        """`event_tag` and `holder_key` come from the gate's bundle, never from the code."""
        message = _compact_message(event_tag, self.token_id, self.serial, self.timestamp)
        return verify(domains.COMPACT, message, self.signature, holder_key)


@dataclass(frozen=True, slots=True)
class Answer:
    """SPEC 3.4: a credential shown to one gate's challenge."""

    credential: Credential
    gate_number: int
    challenge: int
    timestamp: int
    signature: bytes

    def is_signed_by_holder(self) -> bool:
        message = _answer_message(self.credential.digest, self.gate_number, self.challenge, self.timestamp)
        return verify(domains.ANSWER, message, self.signature, self.credential.body.holder_key)


def present_full(credential: bytes, timestamp: int, device_key: SigningKey) -> bytes:
    """203 bytes: the credential, Unix seconds, and the holder's signature over both."""
    exact(credential, CREDENTIAL_BYTES, "credential")
    shown_at = uint(timestamp, 4, "timestamp")
    message = hashlib.sha256(credential).digest() + shown_at
    return credential + shown_at + sign(domains.PRESENTATION, message, device_key)


def present_compact(
    event_index: int, event_tag: bytes, token_id: int, serial: int, timestamp: int, device_key: SigningKey
) -> bytes:
    """77 bytes. `ValueError` if an index or a token id is beyond what the short form can name."""
    if not 0 <= event_index <= MAX_EVENT_INDEX:
        raise ValueError(f"event_index must be at most {MAX_EVENT_INDEX}, got {event_index}")
    if not 0 <= token_id <= MAX_COMPACT_TOKEN_ID or serial < 1:
        raise ValueError("token_id must fit into 5 bytes, and serials start at 1")
    message = _compact_message(event_tag, token_id, serial, timestamp)
    head = uint(COMPACT_VERSION << 12 | event_index, 2, "event_index")
    shown = uint(token_id, 5, "token_id") + uint(serial, 2, "serial") + uint(timestamp, 4, "timestamp")
    return head + shown + sign(domains.COMPACT, message, device_key)


def answer_challenge(
    credential: bytes, gate_number: int, challenge: int, timestamp: int, device_key: SigningKey
) -> bytes:
    """211 bytes: the answer to the gate's nine digits (`gate_number` the first three, `challenge` the other six)."""
    exact(credential, CREDENTIAL_BYTES, "credential")
    if not 0 < gate_number <= MAX_GATE_NUMBER or not 0 <= challenge <= MAX_CHALLENGE:
        raise ValueError("gate_number has three digits and is not 0; challenge has six")
    message = _answer_message(hashlib.sha256(credential).digest(), gate_number, challenge, timestamp)
    return credential + message[32:] + sign(domains.ANSWER, message, device_key)


def decode_code(payload: bytes) -> FullCode | CompactCode | Answer | Malformed:
    """A code of any kind, told by its length; fields checked, no signature verified."""
    if len(payload) == COMPACT_BYTES:
        return _decode_compact(payload)
    if len(payload) not in (FULL_BYTES, ANSWER_BYTES):
        return Malformed("wrong_length")
    credential = decode_credential(payload[:CREDENTIAL_BYTES])
    if isinstance(credential, Malformed):
        return credential
    rest = payload[CREDENTIAL_BYTES:]
    if len(payload) == FULL_BYTES:
        return FullCode(credential, int.from_bytes(rest[:4]), rest[4:])
    gate_number, challenge = int.from_bytes(rest[:4]), int.from_bytes(rest[4:8])
    if not 0 < gate_number <= MAX_GATE_NUMBER or challenge > MAX_CHALLENGE:
        return Malformed("challenge_out_of_range")
    return Answer(credential, gate_number, challenge, int.from_bytes(rest[8:12]), rest[12:])


def decode_credential(data: bytes) -> Credential | Malformed:
    """135 bytes, decoded; the signature is not verified."""
    if len(data) != CREDENTIAL_BYTES:
        return Malformed("wrong_length")
    body = decode_body(data[:BODY_BYTES])
    return body if isinstance(body, Malformed) else Credential(data, body)


def _decode_compact(payload: bytes) -> CompactCode | Malformed:
    head = int.from_bytes(payload[:2])
    if head >> 12 != COMPACT_VERSION:
        return Malformed("unknown_version")
    serial = int.from_bytes(payload[7:9])
    if serial == 0:
        return Malformed("serial_zero")
    timestamp = int.from_bytes(payload[9:13])
    return CompactCode(head & MAX_EVENT_INDEX, int.from_bytes(payload[2:7]), serial, timestamp, payload[13:])


def _compact_message(event_tag: bytes, token_id: int, serial: int, timestamp: int) -> bytes:
    tag = exact(event_tag, EVENT_TAG_BYTES, "event_tag")
    shown = uint(token_id, 8, "token_id") + uint(serial, 2, "serial") + uint(timestamp, 4, "timestamp")
    return bytes([COMPACT_VERSION]) + tag + shown


def _answer_message(digest: bytes, gate_number: int, challenge: int, timestamp: int) -> bytes:
    asked = uint(gate_number, 4, "gate_number") + uint(challenge, 4, "challenge")
    return digest + asked + uint(timestamp, 4, "timestamp")

"""The bytes of the admission log (SPEC 7): records with a length, its complement, and a hash that chains them.

Evolution: the fourth byte of the file is the format's version, the first of a record its type. A reader refuses
versions and types it does not know: a gate that can't read its own log must not admit.
"""

import hashlib
from dataclasses import dataclass

from credential.wire import Reader, WireError, uint
from verifier.verdict import Admission, Kind, SeenSerial

MAGIC = b"TSL\0"
LOG_ID_BYTES = 16
HEADER_BYTES = len(MAGIC) + LOG_ID_BYTES
CHAIN_BYTES = 32
MAX_PAYLOAD_BYTES = 1024
_LENGTH_BYTES = 4  # the length in two bytes, and its complement in two
_ADMISSION, _SEEN = 1, 2
_UNWRITTEN_TAIL_BYTES = 8  # so many zeros at the end mean that the disk never got the rest

Record = Admission | SeenSerial


@dataclass(frozen=True, slots=True)
class Contents:
    """A log that is whole up to `good_bytes`; what follows, if anything, was never acknowledged."""

    records: tuple[Record, ...]
    good_bytes: int
    head: bytes  # the last record's hash, or the header's


@dataclass(frozen=True, slots=True)
class Damaged:
    """A log that was whole once and is not now: an acknowledged admission may be unreadable. `at` is in bytes."""

    at: int


def read_log(data: bytes) -> Contents | Damaged:
    """Every record. A write that was cut short at the end is left out; any other fault is damage."""
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return Damaged(0)
    head = hashlib.sha256(data[:HEADER_BYTES]).digest()
    records: list[Record] = []
    at = HEADER_BYTES
    while at < len(data):
        size = _size_at(data, at)
        if size is None or _is_unwritten(data, at, size):
            break
        payload, chain = data[at + _LENGTH_BYTES : at + size - CHAIN_BYTES], data[at + size - CHAIN_BYTES : at + size]
        record = _decode(payload) if size and chain == _chain(head, payload) else None
        if record is None:
            return Damaged(at)
        records.append(record)
        head = chain
        at += size
    return Contents(tuple(records), at, head)


def new_header(log_id: bytes) -> bytes:
    """The first bytes of a log: magic, version, and 16 random ones that make its chain its own."""
    return MAGIC + log_id


def append(head: bytes, record: Record) -> tuple[bytes, bytes]:
    """The bytes to append after `head`, and the new head."""
    payload = _encode(record)
    chain = _chain(head, payload)
    return _length(payload) + payload + chain, chain


def _size_at(data: bytes, at: int) -> int | None:
    """The record's whole size; 0 if its length is damaged; None if not even the length was written."""
    if len(data) - at < _LENGTH_BYTES:
        return None
    length, complement = int.from_bytes(data[at : at + 2]), int.from_bytes(data[at + 2 : at + 4])
    if length ^ complement != 0xFFFF or not 0 < length <= MAX_PAYLOAD_BYTES:
        return 0
    return _LENGTH_BYTES + length + CHAIN_BYTES


def _is_unwritten(data: bytes, at: int, size: int) -> bool:
    """The last write was cut short: a proper prefix of a record, or one that ends in what the disk never got."""
    if size and at + size > len(data):
        return True
    if not size:
        return not any(data[at + _LENGTH_BYTES :])
    return at + size == len(data) and not any(data[-_UNWRITTEN_TAIL_BYTES:])


def _length(payload: bytes) -> bytes:
    return uint(len(payload), 2, "length") + uint(len(payload) ^ 0xFFFF, 2, "complement")


def _chain(head: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(head + _length(payload) + payload).digest()


def _encode(record: Record) -> bytes:
    named = record.event_tag + uint(record.token_id, 8, "token_id") + uint(record.serial, 2, "serial")
    named += record.key_id + uint(record.at, 4, "at")
    if isinstance(record, SeenSerial):
        return bytes([_SEEN]) + named + record.evidence
    where = uint(record.gate_number, 2, "gate_number") + uint(record.bundle_version, 4, "bundle_version")
    return bytes([_ADMISSION]) + named + bytes([record.kind.value]) + where + record.evidence


def _decode(payload: bytes) -> Record | None:
    reader = Reader(payload)
    try:
        kind, event_tag, token_id, serial = reader.uint(1), reader.take(8), reader.uint(8), reader.uint(2)
        key_id, at = reader.take(4), reader.uint(4)
        if kind == _SEEN:
            return SeenSerial(event_tag, token_id, serial, key_id, at, payload[reader.at :])
        shown, gate_number, version = reader.uint(1), reader.uint(2), reader.uint(4)
    except WireError:
        return None
    if kind != _ADMISSION or shown not in {one.value for one in Kind}:
        return None
    evidence = payload[reader.at :]
    return Admission(event_tag, token_id, serial, key_id, Kind(shown), at, gate_number, version, evidence)

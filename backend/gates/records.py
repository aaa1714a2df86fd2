"""A record of a gate's log, read strictly (SPEC 7.1). The gates' own code is not imported: rooms share formats only."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from credential.digits import ANSWER_BYTES, COMPACT_BYTES, FULL_BYTES
from credential.ids import EVENT_TAG_BYTES, KEY_ID_BYTES
from credential.results import Malformed
from credential.wire import Reader, WireError

MAGIC = b"TSL\0"
LOG_ID_BYTES = 16
CHAIN_BYTES = 32
MAX_PAYLOAD_BYTES = 1024


class RecordType(IntEnum):
    ADMISSION = 1
    SEEN = 2


_EVIDENCE_BYTES = {1: FULL_BYTES, 2: COMPACT_BYTES, 3: ANSWER_BYTES}  # by kind of code


@dataclass(frozen=True, slots=True)
class LogRecord:
    """What a record says. `at` is the gate's clock in Unix seconds; `gate_number` is None for a seen serial."""

    record_type: RecordType
    event_tag: bytes
    token_id: int
    serial: int
    at: int
    gate_number: int | None


def read_record(payload: bytes) -> LogRecord | Malformed:
    """The record; nothing it says is verified."""
    reader = Reader(payload)
    try:
        record = _read(reader)
    except WireError as error:
        return Malformed(error.reason)
    return record


def first_head(log_id: bytes) -> bytes:
    """The hash that the first record of a log is chained to."""
    return hashlib.sha256(MAGIC + log_id).digest()


def next_head(head: bytes, payload: bytes) -> bytes:
    """The hash after a record."""
    length = len(payload).to_bytes(2) + (len(payload) ^ 0xFFFF).to_bytes(2)
    return hashlib.sha256(head + length + payload).digest()


def _read(reader: Reader) -> LogRecord:
    if len(reader.data) > MAX_PAYLOAD_BYTES:
        raise WireError("too_long")
    record_type = reader.uint(1)
    if record_type not in set(RecordType):
        raise WireError("bad_value")
    event_tag, token_id, serial = reader.take(EVENT_TAG_BYTES), reader.uint(8), reader.uint(2)
    reader.take(KEY_ID_BYTES)
    at = reader.uint(4)
    if token_id >= 1 << 63:  # as far as the database's integers go; no such token can be allotted
        raise WireError("bad_value")
    if record_type == RecordType.SEEN:
        return LogRecord(RecordType.SEEN, event_tag, token_id, serial, at, None)
    kind, gate_number, _version = reader.uint(1), reader.uint(2), reader.uint(4)
    if len(reader.data) - reader.at != _EVIDENCE_BYTES.get(kind):
        raise WireError("bad_value")
    return LogRecord(RecordType.ADMISSION, event_tag, token_id, serial, at, gate_number)

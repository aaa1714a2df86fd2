"""The bytes of a bundle (SPEC 5.2).

Evolution: the fourth byte is the format's version. A reader refuses versions it does not know; a server offers the old
format beside the new one until the event's gates read the new.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from credential.bundle_fields import Batch, Bundle, Gate, OfflinePolicy, TicketClass, Zone
from credential.codes import MAX_EVENT_INDEX, MAX_GATE_NUMBER
from credential.ids import EVENT_TAG_BYTES, KEY_ID_BYTES
from credential.results import Malformed
from credential.signing import SIGNATURE_BYTES, is_valid_holder_key
from credential.tickets import NO_KEY, Tickets
from credential.wire import Reader, WireError, exact, text, uint

MAGIC = b"TSB\0"
MAX_BUNDLE_BYTES = 1 << 26  # 64 MiB
MAX_TICKETS = 1_500_000  # of one event; with holder keys they fill 57 MB
TRAILER_BYTES = KEY_ID_BYTES + SIGNATURE_BYTES


def encode_bundle(bundle: Bundle) -> bytes:
    """What the bundle key signs the SHA-256 of."""
    if len(bundle.tickets) != sum(batch.count for batch in bundle.batches):
        raise ValueError("tickets must have one row for each place of the batches")
    return encode_header(bundle) + bundle.tickets.encode()


def encode_header(bundle: Bundle) -> bytes:
    """Everything before the ticket columns."""
    _check_header(bundle)
    parts = [
        MAGIC,
        exact(bundle.event_tag, EVENT_TAG_BYTES, "event_tag"),
        bundle.event_id.bytes,
        uint(bundle.event_index, 2, "event_index"),
        text(bundle.event_name, "event_name"),
        uint(bundle.chain_id, 8, "chain_id"),
        exact(bundle.contract, 20, "contract"),
        uint(bundle.version, 4, "version"),
        uint(bundle.issued_at, 4, "issued_at"),
        uint(bundle.rows_through, 4, "rows_through"),
        uint(bundle.index_through, 4, "index_through"),
        uint(bundle.freeze, 4, "freeze"),
        uint(bundle.doors, 4, "doors"),
        uint(bundle.ends, 4, "ends"),
        uint(bundle.offline_policy, 1, "offline_policy"),
        uint(bundle.key_list_version, 4, "key_list_version"),
        exact(bundle.key_list_digest, 32, "key_list_digest"),
        uint(len(bundle.classes), 1, "number of classes"),
    ]
    for one in bundle.classes:
        parts += [uint(one.number, 1, "class number"), text(one.name, "class name")]
        parts += [uint(one.opens, 4, "opens"), uint(one.closes, 4, "closes")]
    parts.append(uint(len(bundle.zones), 1, "number of zones"))
    for zone in bundle.zones:
        parts += [uint(zone.number, 1, "zone number"), text(zone.name, "zone name")]
    parts.append(uint(len(bundle.gates), 2, "number of gates"))
    for gate in bundle.gates:
        parts += [uint(gate.number, 2, "gate number"), text(gate.name, "gate name")]
        parts.append(exact(gate.public_key or NO_KEY, 32, "gate key"))
    parts.append(uint(len(bundle.batches), 4, "number of batches"))
    parts += [uint(batch.count, 2, "batch count") + uint(batch.class_number, 1, "class") for batch in bundle.batches]
    return b"".join(parts)


def decode_bundle(data: bytes) -> Bundle | Malformed:
    """A signed snapshot, decoded; the signature is not verified."""
    if len(data) > MAX_BUNDLE_BYTES:
        return Malformed("too_long")
    reader = Reader(data)
    try:
        bundle = read_bundle(reader)
        reader.take(TRAILER_BYTES)
        reader.end()
    except WireError as error:
        return Malformed(error.reason)
    return bundle


def read_bundle(reader: Reader) -> Bundle:
    """Header and columns; `WireError` if they are not in the format."""
    header = read_header(reader)
    count = sum(batch.count for batch in header.batches)
    return replace(header, tickets=Tickets.read(reader, count))


def read_header(reader: Reader) -> Bundle:
    """A bundle whose tickets are still to be read."""
    if reader.take(4) != MAGIC:
        raise WireError("not_a_bundle")
    bundle = Bundle(
        event_tag=reader.take(EVENT_TAG_BYTES),
        event_id=uuid.UUID(bytes=reader.take(16)),
        event_index=reader.uint(2),
        event_name=reader.text(),
        chain_id=reader.uint(8),
        contract=reader.take(20),
        version=reader.uint(4),
        issued_at=reader.uint(4),
        rows_through=reader.uint(4),
        index_through=reader.uint(4),
        freeze=reader.uint(4),
        doors=reader.uint(4),
        ends=reader.uint(4),
        offline_policy=_policy(reader.uint(1)),
        key_list_version=reader.uint(4),
        key_list_digest=reader.take(32),
        classes=tuple(
            TicketClass(reader.uint(1), reader.text(), reader.uint(4), reader.uint(4)) for _ in range(reader.uint(1))
        ),
        zones=tuple(Zone(reader.uint(1), reader.text()) for _ in range(reader.uint(1))),
        gates=tuple(Gate(reader.uint(2), reader.text(), _key_or_none(reader.take(32))) for _ in range(reader.uint(2))),
        batches=tuple(Batch(reader.uint(2), reader.uint(1)) for _ in range(reader.uint(4))),
        tickets=Tickets.of(()),
    )
    try:
        _check_header(bundle)
    except ValueError:
        raise WireError("bad_value") from None
    return bundle


def _check_header(bundle: Bundle) -> None:
    if bundle.event_index > MAX_EVENT_INDEX or bundle.version < 1:
        raise ValueError(f"event_index must be at most {MAX_EVENT_INDEX}, and version starts at 1")
    if bundle.ends <= bundle.doors or any(one.closes <= one.opens for one in bundle.classes):
        raise ValueError("an event and a class end after they open")
    _check_numbers("classes", [one.number for one in bundle.classes])
    _check_numbers("zones", [zone.number for zone in bundle.zones])
    _check_numbers("gates", [gate.number for gate in bundle.gates])
    for gate in bundle.gates:
        if not 1 <= gate.number <= MAX_GATE_NUMBER:
            raise ValueError(f"gate {gate.number} needs a number from 1 to {MAX_GATE_NUMBER}")
        if gate.public_key is not None and not is_valid_holder_key(gate.public_key):
            raise ValueError(f"the key of gate {gate.number} is not a point of the prime-order group")
    if not {batch.class_number for batch in bundle.batches} <= {one.number for one in bundle.classes}:
        raise ValueError("a batch names a class that is not listed")
    if sum(batch.count for batch in bundle.batches) > MAX_TICKETS:
        raise ValueError(f"an event has at most {MAX_TICKETS} tickets")


def _check_numbers(what: str, numbers: Sequence[int]) -> None:
    if any(before >= after for before, after in pairwise(numbers)):
        raise ValueError(f"{what} must ascend by number, each once")


def _policy(value: int) -> OfflinePolicy:
    if value not in set(OfflinePolicy):
        raise WireError("bad_value")
    return OfflinePolicy(value)


def _key_or_none(key: bytes) -> bytes | None:
    return None if key == NO_KEY else key

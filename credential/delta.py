"""From one snapshot to the next in a few bytes (SPEC 5.3).

A delta is a way to carry a signed snapshot, not a second thing to trust: applying it gives the very bytes of the next
snapshot, whose signature is then verified as always. A wrong delta gives bytes whose signature does not verify.

Evolution: as for bundles; a gate that does not know the version asks for the snapshot.
"""

import hashlib
from dataclasses import replace

from credential.bundle_codec import MAX_BUNDLE_BYTES, TRAILER_BYTES, decode_bundle, encode_bundle, encode_header
from credential.bundle_codec import read_header as read_bundle_header
from credential.bundle_fields import Bundle
from credential.results import Malformed
from credential.tickets import KEY_BYTES, NO_KEY, Status, Ticket
from credential.wire import Reader, WireError, uint

MAGIC = b"TSD\0"


def make_delta(base: bytes, following: bytes) -> bytes:
    """What turns the signed snapshot `base` into `following`.

    `ValueError` if either is no snapshot, or batches of `base` changed: then only a snapshot will do.
    """
    old, new = decode_bundle(base), decode_bundle(following)
    if not isinstance(old, Bundle) or not isinstance(new, Bundle):
        raise ValueError("both must be signed snapshots")  # noqa: TRY004 their contents are wrong, not their types
    if new.batches[: len(old.batches)] != old.batches:
        raise ValueError("closed batches never change; send the snapshot")
    changed = [rank for rank, row in enumerate(new.tickets) if row != _before(old, rank)]
    parts = [MAGIC, hashlib.sha256(base).digest(), encode_header(new), uint(len(changed), 4, "number of rows")]
    parts += [uint(rank, 4, "rank") + _encode_row(new.tickets[rank]) for rank in changed]
    return b"".join(parts) + following[-TRAILER_BYTES:]


def apply_delta(base: bytes, delta: bytes) -> bytes | Malformed:
    """The next signed snapshot, still to be verified.

    `Malformed("other_base")` if the delta belongs to another snapshot than `base`.
    """
    old = decode_bundle(base)
    if isinstance(old, Malformed):
        return old
    if len(delta) > MAX_BUNDLE_BYTES:
        return Malformed("too_long")
    reader = Reader(delta)
    try:
        if reader.take(4) != MAGIC:
            return Malformed("not_a_delta")
        if reader.take(32) != hashlib.sha256(base).digest():
            return Malformed("other_base")
        bundle = _read(reader, old)
        trailer = reader.take(TRAILER_BYTES)
        reader.end()
    except WireError as error:
        return Malformed(error.reason)
    return encode_bundle(bundle) + trailer


def _read(reader: Reader, old: Bundle) -> Bundle:
    header = read_bundle_header(reader)
    if header.batches[: len(old.batches)] != old.batches:
        raise WireError("batches_changed")
    count = sum(batch.count for batch in header.batches)
    rows: dict[int, Ticket] = {}
    last = -1
    for _ in range(reader.uint(4)):
        rank = reader.uint(4)
        if not last < rank < count:
            raise WireError("not_in_order")
        row = _read_row(reader)
        if row == _before(old, rank):
            raise WireError("bad_value")
        rows[rank] = row
        last = rank
    return replace(header, tickets=old.tickets.with_rows(count, rows))


def _before(old: Bundle, rank: int) -> Ticket:
    """A row no one has said anything of is valid, without credential, zone, seat or key."""
    return old.tickets[rank] if rank < len(old.tickets) else Ticket()


def _encode_row(row: Ticket) -> bytes:
    place = uint(row.zone, 1, "zone") + uint(row.seat, 3, "seat")
    return uint(row.status, 1, "status") + uint(row.serial, 2, "serial") + place + (row.holder_key or NO_KEY)


def _read_row(reader: Reader) -> Ticket:
    status, serial, zone, seat, key = (
        reader.uint(1),
        reader.uint(2),
        reader.uint(1),
        reader.uint(3),
        reader.take(KEY_BYTES),
    )
    if status not in set(Status):
        raise WireError("bad_value")
    return Ticket(Status(status), serial, None if key == NO_KEY else key, zone, seat)

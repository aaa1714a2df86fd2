"""The tickets of a bundle as columns: 2 bits of status, 6 bytes of serial and place, 32 of holder key (SPEC 5.3)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from credential.wire import Reader, WireError, exact, uint

KEY_BYTES = 32
NO_KEY = bytes(KEY_BYTES)  # the encoding of a point of small order: no device can own it
_PLACE_BYTES = 4  # zone 1, seat 3


class Status(IntEnum):
    """A ticket's two status bits, the same as on the chain (SPEC 8)."""

    VALID = 0
    REDEEMED = 1
    REVOKED = 2
    SUSPENDED = 3


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as the bundle knows it.

    `serial` is that of the newest credential, 0 if none was issued. `holder_key` is the device key in it, for compact
    codes; None makes the gate ask for the full code. `zone` and `seat` are as in the credential, 0 for none.
    """

    status: Status = Status.VALID
    serial: int = 0
    holder_key: bytes | None = None
    zone: int = 0
    seat: int = 0


@dataclass(frozen=True, slots=True)
class Tickets:
    """Rows by dense rank, kept as packed columns. Make one with `Tickets.of(rows)`."""

    count: int
    status: bytes  # 2 bits a ticket, the first in the lowest bits
    serials: bytes  # 2 a ticket
    places: bytes  # 4 a ticket: zone 1, seat 3
    holder_keys: bytes  # 32 a ticket, zeros for none; empty if no ticket has one

    @classmethod
    def of(cls, rows: Iterable[Ticket]) -> "Tickets":
        """The columns of `rows`, in rank order. `ValueError` if a number or a key does not fit its field."""
        numbered = dict(enumerate(rows))
        return cls(0, b"", b"", b"", b"").with_rows(len(numbered), numbered)

    def with_rows(self, count: int, rows: Mapping[int, Ticket]) -> "Tickets":
        """`count` tickets, at least as many as now: those in `rows` (by rank) replaced, other new ones blank."""
        status = bytearray(self.status).ljust((count + 3) // 4, b"\0")
        serials = bytearray(self.serials).ljust(2 * count, b"\0")
        places = bytearray(self.places).ljust(_PLACE_BYTES * count, b"\0")
        keys = bytearray(self.holder_keys).ljust(KEY_BYTES * count, b"\0")
        for rank, row in rows.items():
            shift = 2 * (rank & 3)
            status[rank >> 2] = status[rank >> 2] & ~(3 << shift) | row.status << shift
            serials[2 * rank : 2 * rank + 2] = uint(row.serial, 2, "serial")
            place = uint(row.zone, 1, "zone") + uint(row.seat, 3, "seat")
            places[_PLACE_BYTES * rank : _PLACE_BYTES * (rank + 1)] = place
            key = exact(row.holder_key or NO_KEY, KEY_BYTES, "holder_key")
            keys[KEY_BYTES * rank : KEY_BYTES * (rank + 1)] = key
        return Tickets(count, bytes(status), bytes(serials), bytes(places), bytes(keys) if any(keys) else b"")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, rank: int) -> Ticket:
        if not 0 <= rank < self.count:
            raise IndexError(rank)
        place = self.places[_PLACE_BYTES * rank : _PLACE_BYTES * (rank + 1)]
        key = self.holder_keys[KEY_BYTES * rank : KEY_BYTES * (rank + 1)]
        return Ticket(
            status=Status(self.status[rank >> 2] >> 2 * (rank & 3) & 3),
            serial=int.from_bytes(self.serials[2 * rank : 2 * rank + 2]),
            holder_key=None if key in (b"", NO_KEY) else key,
            zone=place[0],
            seat=int.from_bytes(place[1:]),
        )

    def __iter__(self) -> Iterator[Ticket]:
        return (self[rank] for rank in range(self.count))

    def encode(self) -> bytes:
        """The four columns one after the other; a byte before the keys says whether they are there."""
        has_keys = bytes([1 if self.holder_keys else 0])
        return b"".join((self.status, self.serials, self.places, has_keys, self.holder_keys))

    @classmethod
    def read(cls, reader: Reader, count: int) -> "Tickets":
        """The inverse of `encode`. `WireError` if bits beyond the last ticket are set, or a column is needless."""
        status = reader.take((count + 3) // 4)
        serials, places = reader.take(2 * count), reader.take(_PLACE_BYTES * count)
        has_keys = reader.uint(1)
        if has_keys > 1 or (count & 3 and status[-1] >> 2 * (count & 3)):
            raise WireError("bad_value")
        holder_keys = reader.take(KEY_BYTES * count * has_keys)
        if has_keys and not any(holder_keys):
            raise WireError("bad_value")
        return cls(count, status, serials, places, holder_keys)

"""The fields of a bundle (SPEC 5.2). Times are Unix seconds, UTC."""

import uuid
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate

from credential.ids import INDEX_BITS
from credential.tickets import Tickets


class OfflinePolicy(IntEnum):
    """What a gate that is cut off from the others does (SPEC 6.6)."""

    LOCAL = 1  # admit, find doubles when the logs are merged
    HOME = 2  # admit only its own share of the tickets
    REFUSE = 3  # admit nobody


@dataclass(frozen=True, slots=True)
class TicketClass:
    """A class of tickets and when its holders may enter: from `opens` until before `closes`, Unix seconds."""

    number: int
    name: str
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Zone:
    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Gate:
    """An enrolled gate. `number` 1-999; `public_key` signs the gate's own statements, None while it has none."""

    number: int
    name: str
    public_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A closed batch, minted or not: how many tickets it has and their class. Batches are numbered from 1."""

    count: int
    class_number: int


@dataclass(frozen=True)
class Bundle:
    """All times are Unix seconds, UTC; `freeze` 0 means there is none.

    `rows_through`: the last database commit the ticket rows reflect (sales, queued moves, rekeys, refunds,
    revocations). `index_through`: the time of the last final block the chain index has applied. `tickets` has one row
    for each place of `batches`, in order of batch, then index: its rank. Classes, zones and gates ascend by number.
    """

    event_tag: bytes  # 8
    event_id: uuid.UUID
    event_index: int  # 12 bits, for compact codes
    event_name: str
    chain_id: int
    contract: bytes  # 20, zeros while not deployed
    version: int  # grows, from 1
    issued_at: int
    rows_through: int
    index_through: int
    freeze: int
    doors: int
    ends: int
    offline_policy: OfflinePolicy
    key_list_version: int
    key_list_digest: bytes  # 32, `key_list_digest(...)`
    classes: tuple[TicketClass, ...]
    zones: tuple[Zone, ...]
    gates: tuple[Gate, ...]
    batches: tuple[Batch, ...]
    tickets: Tickets

    def rank(self, token_id: int) -> int | None:
        """The ticket's place among all tickets of the batches listed; None if it is not among them."""
        batch, index = token_id >> INDEX_BITS, token_id & (1 << INDEX_BITS) - 1
        if not 1 <= batch <= len(self.batches) or index >= self.batches[batch - 1].count:
            return None
        return self._starts[batch - 1] + index

    def is_of_later_batch(self, token_id: int) -> bool:
        """True if the token's batch was closed after this bundle's rows were read: unlisted, perhaps good."""
        return token_id >> INDEX_BITS > len(self.batches)

    def class_of_rank(self, rank: int) -> TicketClass:
        number = self.batches[bisect_right(self._starts, rank) - 1].class_number
        return next(one for one in self.classes if one.number == number)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate((batch.count for batch in self.batches), initial=0))[:-1]

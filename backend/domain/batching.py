"""When a batch of tickets is closed for minting, and what is in it (design 6, SPEC 8.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

MAX_BATCH = 1_228  # owners of a batch: what a contract's code can hold
HOT_TICKETS = 50  # so many waiting at once: the sale is hot
HOT_WAIT_MS = 1_000
MANY_BATCHES = 1_000  # from here on an event's batches wait longer: looking up a balance reads each of them
PATIENCE_FACTOR = 10
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """The paid tickets of one class that have no batch. Times are Unix milliseconds."""

    count: int
    oldest_ms: int
    batches: int  # that the event has already
    doors_ms: int


@dataclass(frozen=True, slots=True)
class Sold:
    """A ticket to be minted to `owner` (20 bytes)."""

    ticket_id: UUID
    owner: bytes


def is_due(waiting: Waiting, now_ms: int, wait_ms: int) -> bool:
    """Whether a batch should be closed now. `wait_ms` is the longest a ticket waits on a quiet day."""
    if waiting.count == 0:
        return False
    if waiting.count >= MAX_BATCH:
        return True
    age = now_ms - waiting.oldest_ms
    hurried = waiting.count >= HOT_TICKETS or now_ms >= waiting.doors_ms - DAY_MS
    if hurried:
        return age >= min(HOT_WAIT_MS, wait_ms)
    return age >= (wait_ms * PATIENCE_FACTOR if waiting.batches >= MANY_BATCHES else wait_ms)


def in_batch_order(tickets: Sequence[Sold]) -> list[Sold]:
    """The tickets as the contract wants them: owners never falling; one owner's tickets as they were sold."""
    if not 1 <= len(tickets) <= MAX_BATCH:
        raise ValueError(f"a batch has 1 to {MAX_BATCH} tickets, not {len(tickets)}")
    if any(len(ticket.owner) != 20 or not any(ticket.owner) for ticket in tickets):
        raise ValueError("an owner is 20 bytes and not zero")
    return sorted(tickets, key=lambda ticket: ticket.owner)


def mint_gas(count: int) -> int:
    """Gas limit of a mint: measured cost (SPEC 8, gas table) and a good third on top."""
    return 180_000 + 8_500 * count

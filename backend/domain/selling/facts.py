"""What is true before the till decides, as read under the event's lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from backend.domain.seating import SeatLayout, make_layout


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class of tickets and its stock."""

    number: int
    code: str
    zone: int
    price_minor: int
    seated: bool
    capacity: int
    held: int
    sold: int
    least_wanted: int | None = None  # by anybody on its waiting list; none: nobody waits


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event as far as selling needs it. `custody` is none until the signer has made the event's keys."""

    id: UUID
    state: str
    currency: str
    max_per_order: int
    hold_ms: int
    ends_ms: int
    custody: bytes | None
    classes: tuple[ClassFacts, ...]
    sale_starts_ms: int | None = None
    max_per_buyer: int | None = None
    restored: bool = False  # the database was put back and does not know yet what was sold since


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A line of an order. `seats` are seat numbers, as many as `quantity`; empty for standing."""

    class_number: int
    quantity: int
    unit_price_minor: int
    seats: tuple[int, ...] = ()


def places_of(line: LineFacts) -> tuple[int, ...]:
    """The seat number of each ticket of the line; 0 for standing."""
    return line.seats or (0,) * line.quantity


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order and its lines."""

    id: UUID
    state: str
    owner: bytes | None
    total_minor: int
    hold_expires_ms: int
    lines: tuple[LineFacts, ...]
    extensions: int = 0
    code: bytes | None = None  # hash of the code it was ordered with


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """A presale code or voucher. `left` uses; none: any number."""

    hash: bytes
    class_number: int | None
    discount_bps: int
    presale: bool
    until_ms: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """An attempt to take money."""

    id: UUID
    order_id: UUID
    state: str
    reference: str | None = None
    provider: str = "sandbox"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key that was used before, and the answer it got."""

    request_hash: bytes
    resource_id: UUID
    body: str | None = None


@dataclass(frozen=True, slots=True)
class SeatFacts:
    """The seat plan and what is free, by class and place. The map may lag; what is claimed is checked again."""

    layout: SeatLayout
    free: Mapping[int, bytes | bytearray]


NO_SEATS = SeatFacts(make_layout(()), {})


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the requests of a batch refer to."""

    event: EventFacts
    orders: Mapping[UUID, OrderFacts] = field(default_factory=dict)
    payments: Mapping[UUID, PaymentFacts] = field(default_factory=dict)
    keys: Mapping[tuple[str, str], KeyFacts] = field(default_factory=dict)  # by scope and digest
    seats: SeatFacts = NO_SEATS
    codes: Mapping[bytes, CodeFacts] = field(default_factory=dict)  # by hash
    owned: Mapping[bytes, int] = field(default_factory=dict)  # tickets held or bought before, by owner
    passes: Mapping[bytes, UUID] = field(default_factory=dict)  # nonce -> the live order it was used for
    marked: Mapping[bytes, Mapping[UUID, int]] = field(default_factory=dict)  # buyer's mark -> order -> tickets

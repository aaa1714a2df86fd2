"""What the till answers, and the changes it makes. Outcomes are values; a refusal is one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from backend.domain.ledger import Entry
from backend.domain.selling.facts import LineFacts, OrderFacts
from backend.domain.selling.requests import Key


@dataclass(frozen=True, slots=True)
class Held:
    """The tickets are kept until `hold_expires_ms`."""

    order_id: UUID
    secret_hash: bytes
    owner: bytes | None
    lines: tuple[LineFacts, ...]
    total_minor: int
    hold_expires_ms: int
    key: Key
    code: bytes | None = None
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The payment is written down; the provider may be asked."""

    payment_id: UUID
    order_id: UUID
    provider: str
    amount_minor: int
    currency: str
    key: Key


@dataclass(frozen=True, slots=True)
class Paid:
    """The tickets are the buyer's. `late`: the hold had ended, but there was room. `body`: the answer, as JSON."""

    order_id: UUID
    payment_id: UUID
    late: bool = False
    body: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """The money came but no ticket can be given for it: it goes back."""

    order_id: UUID
    payment_id: UUID
    why: str  # no_room | order_cancelled | paid_twice | event_cancelled | another_amount | another_currency


@dataclass(frozen=True, slots=True)
class Noted:
    """The payment is declined, or not known yet; the order is as it was."""

    payment_id: UUID
    state: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The hold has ended: `cancelled` by the buyer or `expired`."""

    order_id: UUID
    state: str


@dataclass(frozen=True, slots=True)
class Extended:
    """The tickets are kept until `hold_expires_ms`; so many more extensions are `left`."""

    order_id: UUID
    hold_expires_ms: int
    left: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """It was done before, or its time has not come."""


@dataclass(frozen=True, slots=True)
class Again:
    """The same key with the same request: what it made the first time, and the answer it got."""

    resource_id: UUID
    body: str | None


@dataclass(frozen=True, slots=True)
class No:
    """Refused; nothing changed. The sentence for `code` is made where the reader's language is known."""

    code: str
    details: dict[str, Any] = field(default_factory=dict)


Outcome = Held | Started | Paid | MoneyBack | Noted | Ended | Extended | Unchanged | Again | No


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to write. `seat_number` 0: unseated."""

    order_id: UUID
    position: int
    class_number: int
    seat_number: int
    owner: bytes


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """A payment's new state."""

    payment_id: UUID
    state: str
    reference: str | None
    reason: str | None


@dataclass(slots=True)
class Changes:
    """The difference between the facts before and after a batch: all that has to be written."""

    held: list[Held] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    tickets: list[NewTicket] = field(default_factory=list)
    refunds: list[MoneyBack] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    orders: dict[UUID, str] = field(default_factory=dict)  # id -> new state
    extended: dict[UUID, int] = field(default_factory=dict)  # order -> its hold's new end
    codes: dict[bytes, int] = field(default_factory=dict)  # hash -> more uses
    payments: dict[UUID, PaymentChange] = field(default_factory=dict)
    stock: dict[int, tuple[int, int]] = field(default_factory=dict)  # class -> more held, more sold
    claimed: dict[int, UUID] = field(default_factory=dict)  # seat number -> order
    freed: dict[int, UUID] = field(default_factory=dict)  # seat number -> order that held it
    passes: dict[bytes, UUID] = field(default_factory=dict)  # nonce -> order
    marks: set[tuple[UUID, bytes]] = field(default_factory=set)  # order, mark of its buyer


@dataclass(frozen=True, slots=True)
class Decision:
    """One outcome for each request, in their order, what to write, and the orders as they are after it."""

    outcomes: list[Outcome]
    changes: Changes
    orders: Mapping[UUID, OrderFacts]

"""What the till is asked to do. Each request may be put again after a crash and then means the same."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Verdict = Literal["succeeded", "declined", "unknown", "charged_back"]  # the last never goes to the till


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: a digest of who asks and of the client's key, and a hash of what was asked."""

    scope: str
    digest: str
    request_hash: bytes


@dataclass(frozen=True, slots=True)
class LineWanted:
    """So many tickets of a class. `seats` are labels the buyer picked; none: standing, or the best free seats."""

    class_code: str
    quantity: int
    seats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep these tickets for a buyer until the hold ends. `owner`: chain address, none for custody."""

    order_id: UUID
    secret_hash: bytes
    lines: tuple[LineWanted, ...]
    owner: bytes | None
    key: Key
    code: bytes | None = None  # hash of a presale code or voucher
    given: bool = False  # by the organiser, for nothing and without the limits
    leave: bytes | None = None  # nonce of the waiting room's pass: good for one order
    terms: str | None = None  # version that is agreed to by ordering
    keep_ms: int | None = None  # an offer to somebody on the waiting list: goes before the public, and lasts longer


@dataclass(frozen=True, slots=True)
class StartPayment:
    """Write down that money will be asked for, before it is."""

    order_id: UUID
    payment_id: UUID
    provider: str
    key: Key
    marks: tuple[bytes, ...] | None = None  # who buys (backend.privacy.buyers); none: at a counter, without limits


@dataclass(frozen=True, slots=True)
class Settle:
    """What the provider said of a payment; it may say so late, twice, or in another order.

    `amount_minor` and `currency` (ISO 4217) are what it took, where it says so.
    """

    order_id: UUID
    payment_id: UUID
    verdict: Verdict
    reference: str | None = None
    reason: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """The buyer gives the tickets back before paying."""

    order_id: UUID


@dataclass(frozen=True, slots=True)
class Extend:
    """The buyer needs more time to pay. `until_ms`: as the buyer saw it, so that asking twice extends once."""

    order_id: UUID
    until_ms: int


@dataclass(frozen=True, slots=True)
class Expire:
    """End the hold if its time has come."""

    order_id: UUID


Request = Hold | StartPayment | Settle | Release | Extend | Expire

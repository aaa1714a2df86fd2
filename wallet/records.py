"""What a wallet remembers: purchases on their way, tickets it holds, platforms it knows and what they told.

Each is stored whole, encrypted (`wallet.store`). A purchase is an intent that is stored before each request it leads
to, so that the same request is made again after a crash or a lost answer, with the same idempotency key. Times are Unix
seconds, UTC. Evolution: new fields get defaults; a field is never given another meaning.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema


def _from_hex(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text of hexadecimal digits")  # noqa: TRY004 - pydantic reports ValueErrors
    return bytes.fromhex(value.removeprefix("0x"))


HexBytes = Annotated[
    bytes, BeforeValidator(_from_hex), PlainSerializer(bytes.hex, return_type=str), WithJsonSchema({"type": "string"})
]


class Record(BaseModel):
    """Frozen and strict; `kind` names the record's table."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: ClassVar[str]

    @property
    def key(self) -> str:
        """Unique within its kind."""
        raise NotImplementedError


class EventFacts(BaseModel):
    """What the wallet needs to know of an event when there is no network."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    slug: str
    id: UUID
    platform_id: HexBytes  # 16
    tag: HexBytes  # 8
    index: int
    name: str
    venue: str
    time_zone: str
    doors_at: int
    starts_at: int
    ends_at: int


class Line(BaseModel):
    """So many tickets of a class; `seats` are labels, or none for any."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    class_code: str
    quantity: int
    seats: tuple[str, ...] = ()


class Placed(BaseModel):
    """The platform's answer to an order. `secret` is the bearer of everything that follows."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    order_id: UUID
    secret: str
    total_minor: int
    currency: str
    hold_expires_at: int


class PaymentChoice(BaseModel):
    """How the buyer wants to pay: a provider, and what it gave the buyer for this payment."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    method: str
    token: str


class PaymentState(StrEnum):
    STARTED = "started"  # the request may or may not have arrived
    PENDING = "pending"  # the provider has not answered the platform
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


class Payment(BaseModel):
    """One attempt to pay, with its own idempotency key."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    idempotency_key: str
    method: str
    token: str
    state: PaymentState


class BindingIntent(BaseModel):
    """One request for a credential, complete, so that it can be sent again byte for byte."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    idempotency_key: str
    token_id: int
    number: int
    epoch: int
    expiry: int
    device_key: HexBytes  # 32, public
    possession_signature: HexBytes
    owner_signature: HexBytes | None  # none: custody


class PurchaseState(StrEnum):
    WANTED = "wanted"  # the order may or may not have arrived
    HELD = "held"  # the platform holds the tickets, unpaid
    PAID = "paid"  # tickets are on their way
    DONE = "done"  # every ticket is in the wallet
    CLOSED = "closed"  # nothing will come of it; `reason` is a code


class Purchase(Record):
    """One order, from the wish to the tickets."""

    kind: ClassVar[str] = "purchase"
    id: UUID  # ours; also the order's idempotency key
    server: str
    event: EventFacts
    lines: tuple[Line, ...]
    owner: HexBytes | None  # 20; none: a guest's, in custody
    expected_minor: int  # the all-in price that was shown
    pay_with: PaymentChoice
    created_at: int
    state: PurchaseState
    placed: Placed | None = None
    payments: tuple[Payment, ...] = ()
    bindings: dict[str, BindingIntent] = {}  # by ticket id
    takes_over: bool = False  # may replace another device's binding: the wallet was restored, or given the tickets
    reason: str | None = None

    @property
    def key(self) -> str:
        return str(self.id)

    @property
    def is_received(self) -> bool:
        """No order of this wallet's: tickets of an event that others gave to it."""
        return self.placed is None and self.state is PurchaseState.DONE


class Giving(BaseModel):
    """One signed wish to give a ticket away, complete, so that it can be sent again byte for byte.

    For a guest's ticket, which the platform keeps, without a signature or a deadline.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    to: HexBytes  # 20
    epoch: int
    deadline: int
    signature: HexBytes  # 65; none: custody signs
    idempotency_key: str
    done: bool = False  # the platform has it; the ticket is the receiver's


class Ticket(Record):
    """A ticket that can be shown: all that is needed besides the phrase."""

    kind: ClassVar[str] = "ticket"
    id: UUID  # the platform's
    purchase: UUID
    server: str
    event: EventFacts
    class_code: str
    seat: str | None
    zone: int
    token_id: int
    serial: int
    epoch: int
    number: int  # of the binding
    credential: HexBytes  # 135
    not_before: int
    not_after: int
    issuer: str  # verified | unknown_key | no_key_list
    stored_at: int
    state: str = "valid"  # valid | refunded | revoked | suspended, when the platform was last asked
    stage: str  # paid | batched | minting | minted, when the platform was last asked
    tx_hash: str | None = None
    superseded: bool = False  # another device has a later credential
    giving: Giving | None = None

    @property
    def key(self) -> str:
        return str(self.id)


class Platform(Record):
    """A platform this wallet has met, pinned at the first meeting."""

    kind: ClassVar[str] = "platform"
    platform_id: HexBytes  # 16
    server: str
    key_list: HexBytes = b""  # the newest that was verified
    clock_ahead_seconds: int = 0  # of us over the server when we last spoke
    spoken_at: int = 0

    @property
    def key(self) -> str:
        return self.platform_id.hex()


class Told(Record):
    """What a platform told of its state when it was last asked; `banner` is none if all was well."""

    kind: ClassVar[str] = "told"
    server: str
    banner: str | None
    told_at: int

    @property
    def key(self) -> str:
        return self.server


def sorted_tickets(tickets: Iterable[Ticket]) -> list[Ticket]:
    """In the order people see and number them: by event, then class and token."""
    return sorted(tickets, key=lambda one: (one.event.starts_at, one.event.slug, one.class_code, one.token_id))

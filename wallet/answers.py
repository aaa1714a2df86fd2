"""The platform's answers, parsed strictly and once (SPEC 9). Fields that we don't know are ignored: servers grow.

Texts go to a terminal: one with control or direction characters is no answer at all.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from credential.signing import CREDENTIAL_BYTES
from wallet.records import HexBytes

MAX_TEXT_CHARACTERS = 500
MAX_SENTENCES_CHARACTERS = 4000  # several incidents may be told of at once, and operators add words of their own


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("has characters that can't be shown")
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its offset")
    return value


def _sized(size: int) -> Any:  # noqa: ANN401 - what Annotated takes
    def check(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"must be {size} bytes")
        return value

    return AfterValidator(check)


Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS), AfterValidator(_printable)]
Sentences = Annotated[str, StringConstraints(max_length=MAX_SENTENCES_CHARACTERS), AfterValidator(_printable)]
Time = Annotated[datetime, AfterValidator(_aware)]
Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]{16,200}$")]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ClassAnswer(_Answer):
    code: Text
    name: Text
    price_minor: Count  # all-in
    sold_out: bool


class EventAnswer(_Answer):
    """GET /events/{slug}"""

    slug: Text
    id: UUID
    platform_id: Annotated[HexBytes, _sized(16)]
    tag: Annotated[HexBytes, _sized(8)]
    index: Annotated[int, Field(ge=0, lt=4096)]
    name: Text
    venue: Text
    time_zone: Text
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    doors_at: Time
    starts_at: Time
    ends_at: Time
    max_per_order: Count
    chain_id: Count | None = None
    contract: Annotated[HexBytes, _sized(20)] | None = None  # none until it is on the chain
    classes: tuple[ClassAnswer, ...]


class PlacedAnswer(_Answer):
    """POST /events/{slug}/orders"""

    order_id: UUID
    order_secret: Secret
    total_minor: Count
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    hold_expires_at: Time


class FoundOrderAnswer(_Answer):
    """One order of an owner."""

    order_id: UUID
    order_secret: Secret


class EventHeadAnswer(_Answer):
    """An event in the list."""

    slug: Text
    name: Text


class EventsAnswer(_Answer):
    """GET /events"""

    events: tuple[EventHeadAnswer, ...]


class TicketAnswer(_Answer):
    """One ticket of an order."""

    ticket_id: UUID
    class_code: Annotated[Text, Field(alias="class")]
    seat: Text | None = None
    zone: Count
    state: Text = "valid"  # valid | refunded | revoked | suspended
    stage: Text  # paid | batched | minting | minted
    token_id: Count | None = None
    tx_hash: Text | None = None
    serial: Count = 0
    moved: bool = False  # it is somebody else's than who bought it


class FoundAnswer(_Answer):
    """POST /events/{slug}/orders/find"""

    orders: tuple[FoundOrderAnswer, ...]
    received: tuple[TicketAnswer, ...] = ()


class MoveAnswer(_Answer):
    """POST /tickets/{id}/moves"""

    state: Text  # pending | confirming | done | taken_back


class OrderAnswer(_Answer):
    """GET /orders/{id}"""

    state: Text  # held | paid | expired | cancelled | refunded
    event: Text | None = None  # its slug
    total_minor: Count
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    tickets: tuple[TicketAnswer, ...] = ()
    notice: Text | None = None


class CredentialAnswer(_Answer):
    """POST /tickets/{id}/credential"""

    credential: Annotated[HexBytes, _sized(CREDENTIAL_BYTES)]


class StatusAnswer(_Answer):
    """GET /status"""

    summary: Sentences
    banner: Sentences | None = None  # what waits or is down; none when all is well


class ProblemAnswer(_Answer):
    """RFC 9457, with our `code`. The rest of the fields is details."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    detail: Text

"""The shapes of the API's bodies: what is taken is checked against them, what is given is documented by them."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from backend.web.requests import Body

MAX_LINES = 20
MAX_QUANTITY = 10_000  # far above any limit of an event, which the till tells with its number
MAX_SEATS = 100

Label = Annotated[str, StringConstraints(min_length=1, max_length=40)]
TicketId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ChainAddress = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]


class LineIn(Body):
    """So many tickets of one class; with `seats`, exactly these."""

    class_code: Label = Field(alias="class", description="the class's code", examples=["standing"])
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    seats: Annotated[list[Label], Field(max_length=MAX_SEATS)] | None = Field(
        default=None, description="seat labels; leave out for standing room or for the best seats available"
    )


class OrderIn(Body):
    """An order to be held."""

    lines: Annotated[list[LineIn], Field(min_length=1, max_length=MAX_LINES)]
    owner: ChainAddress | None = Field(
        default=None, description="the buyer's chain address; without it the platform keeps the tokens in custody"
    )
    code: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = Field(
        default=None, description="a presale code or voucher; capitals, spaces and hyphens make no difference"
    )

    terms_version: Annotated[str, StringConstraints(min_length=1, max_length=20)] | None = Field(
        default=None, description="the terms that the buyer has agreed to; left out: the version in force is kept"
    )


class PlaceOut(BaseModel):
    """A place in a waiting room. `ahead` is known from the start on; `pass` goes into the header `Waiting-Pass`."""

    place: str
    state: Literal["too_early", "waiting", "enter", "missed"]
    ahead: int | None
    wait_seconds: int
    starts_at: str
    leave: str | None = Field(alias="pass")


class WaiterIn(Body):
    """What somebody waits for."""

    class_code: Label = Field(alias="class")
    quantity: Annotated[int, Field(ge=1, le=MAX_SEATS)]
    mail: Annotated[str, StringConstraints(min_length=3, max_length=254)] | None = Field(
        default=None, description="where to write to when tickets are offered; kept encrypted"
    )


class WaiterOut(BaseModel):
    """A place on a waiting list. `ahead` while waiting; the order and its secret once it was offered."""

    waiter_id: str
    waiter_secret: str
    state: Literal["waiting", "offered", "done", "lapsed", "left"]
    ahead: int | None
    order_id: str | None
    order_secret: str | None
    offer_ends_at: str | None


class ExtendIn(Body):
    """More time to pay. `until` is the order's `hold_expires_at` as the buyer saw it: asking twice extends once."""

    until: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z$")]


class ExtendedOut(BaseModel):
    """The hold's new end."""

    order_id: str
    hold_expires_at: str
    extensions_left: int


class PaymentIn(Body):
    """How to pay. `token` comes from the provider; the sandbox's tokens are behaviours, such as `approve`.

    Method `stripe` takes the token `checkout`; the answer says where the buyer pays (`payment.pay_at`).
    An order that costs nothing is paid by method `free`, token `free`.
    """

    method: Label
    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    mail: Annotated[str, StringConstraints(min_length=3, max_length=254)] | None = Field(
        default=None,
        description="the buyer's, needed where the event limits tickets per buyer and the order has no `owner`; "
        "only a keyed hash of it is kept",
    )


class RenewedOut(BaseModel):
    """The order's new secret."""

    order_id: str
    order_secret: str


class FindIn(Body):
    """An owner's wish to find orders again, signed by the owner (SPEC 4.9)."""

    owner: ChainAddress
    expiry: Annotated[int, Field(ge=0, lt=1 << 63, description="Unix seconds, at most 15 minutes ahead")]
    signature: Annotated[str, StringConstraints(pattern=r"^(0x)?[0-9a-fA-F]{130}$")] = Field(
        description="EIP-712 FindOrders by the owner, r, s, v"
    )


class FoundOrderOut(BaseModel):
    """An order and the secret that opens it."""

    order_id: str
    order_secret: str


class LineOut(BaseModel):
    """A line of an order."""

    class_code: str = Field(alias="class")
    quantity: int
    unit_price_minor: int
    seats: list[str]


class HeldOut(BaseModel):
    """An order whose tickets are kept for the buyer. `order_secret` is in this answer only."""

    order_id: str
    order_secret: str
    state: Literal["held"]
    total_minor: int
    currency: str
    hold_expires_at: str
    lines: list[LineOut]


class BoughtTicketOut(BaseModel):
    """A ticket that was just paid."""

    ticket_id: str
    class_code: str = Field(alias="class")
    zone: int
    seat: str | None
    stage: Literal["paid"]


class PaidOut(BaseModel):
    """The order is paid and the tickets are the buyer's."""

    order_id: str
    state: Literal["paid"]
    total_minor: int
    currency: str
    tickets: list[BoughtTicketOut]


class TicketOut(BaseModel):
    """A ticket and how far it is: paid, batched (has its token id), minting, minted."""

    ticket_id: str
    class_code: str = Field(alias="class")
    zone: int
    seat: str | None
    state: Literal["valid", "refunded", "revoked", "suspended"]
    stage: Literal["paid", "batched", "minting", "minted"]
    moved: bool = Field(description="it belongs to somebody else now, by a move that is in order or on the chain")
    token_id: int | None
    tx_hash: str | None
    serial: int


class FoundOut(BaseModel):
    """An owner's paid orders of an event, oldest first, and tickets of other people's orders that are the owner's."""

    orders: list[FoundOrderOut]
    received: list[TicketOut]


class ApproveOut(BaseModel):
    """What to send first where the token is an ERC-20: it lets the market take the units."""

    to: str
    data: str


class ChainOfferOut(BaseModel):
    """What the buyer's wallet sends to pay on the chain (SPEC 9.10). Later than `pay_by` there may be no room."""

    chain_id: int
    to: str
    data: str
    value: str  # wei
    token: str | None
    units: str  # of the token
    approve: ApproveOut | None
    order_ref: str
    amount_minor: int
    pay_by: str
    seen: bool
    uri: str


class PaymentOut(BaseModel):
    """The newest payment of an order. `chain`: what to send, while it is to be paid on the chain."""

    state: Literal[
        "started", "unknown", "succeeded", "declined", "refunding", "refund_failed", "refunded", "charged_back"
    ]
    reason: str | None
    pay_at: str | None = Field(
        default=None, description="only in the answer to a payment: where the buyer pays, at a provider with own pages"
    )
    chain: ChainOfferOut | None = None


class RefundIn(Body):
    """Tickets to give back."""

    tickets: Annotated[list[TicketId], Field(min_length=1, max_length=MAX_SEATS)] | None = Field(
        default=None, description="ids of tickets; leave out to give back all that can be given back"
    )
    reason: Literal["cannot_come", "wrong_ticket", "event_changed", "other"] = "other"


class RefundOut(BaseModel):
    """What went back.

    `sending`: the money is on its way; `done`: the payment provider has taken note; `failed`: the provider refused, and
    the organiser pays it out; `settled`: the organiser did.
    """

    refund_id: str
    order_id: str
    state: Literal["sending", "done", "failed", "settled"]
    amount_minor: int
    kept_minor: int = Field(description="kept by the organiser, as the event's rules say")
    currency: str
    tickets: list[str]


class OrderOut(BaseModel):
    """An order as it stands."""

    order_id: str
    event: str
    state: Literal["held", "paid", "expired", "cancelled", "refunded"]
    total_minor: int
    currency: str
    hold_expires_at: str | None
    extensions_left: int = Field(description="how often the hold can still be extended")
    paid_at: str | None
    lines: list[LineOut]
    payment: PaymentOut | None
    tickets: list[TicketOut]
    notice: str | None


class SeatOut(BaseModel):
    """A seat and whether it is free now. `number` is what a credential says (SPEC 2.1), `label` what people say."""

    number: int
    label: str
    free: bool
    state: Literal["free", "held", "sold"]


class ClassOut(BaseModel):
    """A class of tickets. `price_minor` is all-in."""

    code: str
    number: int
    name: str
    zone: int
    price_minor: int
    currency: str
    capacity: int
    sold_out: bool
    few_left: bool
    policy: Literal["open", "market_only", "frozen", "soulbound"]
    resale_cap_bps: int
    royalty_bps: int
    seated: bool
    seats: list[SeatOut]


class EventHeadOut(BaseModel):
    """What every telling of an event begins with."""

    slug: str
    name: str
    venue: str
    time_zone: str
    currency: str
    state: str
    doors_at: str
    starts_at: str
    ends_at: str
    freeze_at: str


class EventInListOut(EventHeadOut):
    """An event in the list, with its lowest price, all-in."""

    from_minor: int
    sold_out: bool


class EventsOut(BaseModel):
    """Every event."""

    events: list[EventInListOut]


class EventOut(EventHeadOut):
    """An event with everything a buyer, a wallet or a market needs. Bytes are hex."""

    id: str
    platform_id: str
    tag: str
    index: int
    offline_policy: Literal["local", "home", "refuse"]
    max_per_order: int
    max_per_buyer: int | None
    sale_starts_at: str | None = Field(description="before it only with a presale code; null: on sale at once")
    before_sale: bool
    moved_from: str | None = Field(description="when it was to start before it was last moved; null: never moved")
    moved_at: str | None = Field(description="when that was decided")
    hold_seconds: int
    custody_address: str | None
    contract: str | None
    chain_id: int | None
    classes: list[ClassOut]

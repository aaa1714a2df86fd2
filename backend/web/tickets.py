"""POST /tickets/{id}/credential: bind a device to a ticket and get the credential for it (SPEC 4)."""

from typing import Annotated, Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Engine, select

from backend.credentials.messages import MAX_ORDER_SECRET_CHARACTERS, BindingRequest, IssuedCredential
from backend.credentials.request_keys import RequestKey
from backend.db.engine import read
from backend.db.tables.events import Event, Seat, TicketClass
from backend.db.tables.orders import Ticket
from backend.sales.answers import rfc3339
from backend.web.requests import Body, bearer_token, keyed, reply, services, takes

bp = APIBlueprint("tickets", __name__, url_prefix="/api/v1", tag="Tickets")

Hex32 = Annotated[str, StringConstraints(pattern=r"^(0x)?[0-9a-fA-F]{64}$")]
Hex64 = Annotated[str, StringConstraints(pattern=r"^(0x)?[0-9a-fA-F]{128}$")]
Hex65 = Annotated[str, StringConstraints(pattern=r"^(0x)?[0-9a-fA-F]{130}$")]
Whole32 = Annotated[int, Field(ge=0, lt=1 << 32)]
Whole63 = Annotated[int, Field(ge=0, lt=1 << 63)]


class CredentialIn(Body):
    """The binding, as owner and device signed it (SPEC 4.1, 4.2)."""

    device_key: Hex32 = Field(description="the device's Ed25519 public key")
    number: Whole32 = Field(description="the ticket's last binding number + 1")
    epoch: Whole63 = Field(description="how often the ticket has moved")
    expiry: Whole63 = Field(description="Unix seconds; the permission ends then")
    possession_signature: Hex64
    owner_signature: Hex65 | None = Field(
        default=None, description="EIP-712, r ‖ s ‖ v; without it custody signs, if the order's secret fits"
    )


class EventFacts(BaseModel):
    """What a wallet shows of the event. Times are RFC 3339."""

    id: str
    slug: str
    name: str
    venue: str
    time_zone: str
    state: str
    doors_at: str
    starts_at: str
    ends_at: str


class CredentialOut(BaseModel):
    """The credential (SPEC 2), and what it says in words. Bytes are hex."""

    credential: str
    ticket_id: str
    token_id: int
    serial: int
    binding_number: int
    event_index: int
    event_tag: str
    platform_id: str
    not_before: str
    expires: str
    class_code: str = Field(alias="class")
    class_name: str
    zone: int
    seat: str | None
    event: EventFacts


@bp.post("/tickets/<uuid:ticket_id>/credential")
@bp.output(CredentialOut)
@bp.doc(responses=[400, 401, 403, 404, 409, 422, 429, 503], security="order_secret")
@keyed(bp)
@takes(bp, CredentialIn)
def create_credential(ticket_id: UUID, key: str, body: CredentialIn) -> Response:
    """Bind a device. The same request again gives the same credential; another device, a higher serial."""
    parts = services()
    fields = body.model_dump()
    misuse = RequestKey("credential", ticket_id, key, fields)
    misuse.check(parts.engine)
    secret = (bearer_token() or "")[:MAX_ORDER_SECRET_CHARACTERS] or None  # a longer one is wrong either way
    issued = parts.signer.issue(ticket_id, BindingRequest(**fields, order_secret=secret))
    misuse.remember(parts.engine)
    return Response(reply(_answer(parts.engine, issued)), mimetype="application/json")


def _answer(engine: Engine, issued: IssuedCredential) -> dict[str, Any]:
    with read(engine) as connection:
        event = connection.execute(select(Event).where(Event.id == issued.event_id)).one()
        place = connection.execute(
            select(TicketClass.code, TicketClass.name, TicketClass.zone, Seat.label)
            .select_from(Ticket)
            .join(
                TicketClass,
                (TicketClass.event_id == Ticket.event_id) & (TicketClass.number == Ticket.class_number),
            )
            .outerjoin(Seat, (Seat.event_id == Ticket.event_id) & (Seat.number == Ticket.seat_number))
            .where(Ticket.id == issued.ticket_id)
        ).one()
    return {
        "credential": issued.credential.hex(),
        "ticket_id": str(issued.ticket_id),
        "token_id": issued.token_id,
        "serial": issued.serial,
        "binding_number": issued.binding_number,
        "event_index": issued.event_index,
        "event_tag": issued.event_tag.hex(),
        "platform_id": issued.platform_id.hex(),
        "not_before": rfc3339(issued.not_before * 1000),
        "expires": rfc3339(issued.expires * 1000),
        "class": place.code,
        "class_name": place.name,
        "zone": place.zone,
        "seat": place.label,
        "event": {
            "id": str(event.id),
            "slug": event.slug,
            "name": event.name,
            "venue": event.venue,
            "time_zone": event.time_zone,
            "state": event.state,
            "doors_at": rfc3339(event.doors_ms),
            "starts_at": rfc3339(event.starts_ms),
            "ends_at": rfc3339(event.ends_ms),
        },
    }

"""POST /tickets/{id}/moves and /claims: give a ticket to another owner (SPEC 10.8, 10.9)."""

from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response
from pydantic import BaseModel, Field, StringConstraints

from backend.credentials.request_keys import RequestKey
from backend.sales.moving import Move, Wish, claim, move
from backend.web.requests import Body, bearer, keyed, reply, services, takes
from backend.web.tickets import Hex65, Whole63

bp = APIBlueprint("moves", __name__, url_prefix="/api/v1", tag="Tickets")

Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]


class MoveIn(Body):
    """The move, as the ticket's owner signed it (SPEC 8.5)."""

    to: Address = Field(description="who gets the ticket")
    epoch: Whole63 = Field(description="how often the ticket has moved; refused with `wrong_epoch` if it is another")
    deadline: Whole63 = Field(description="Unix seconds, at least a day ahead: the chain may be away meanwhile")
    owner_signature: Hex65 = Field(description="EIP-712 `Move` for the event's contract, r ‖ s ‖ v")


class ClaimIn(Body):
    """Whom a ticket goes to that the platform keeps for a guest."""

    to: Address = Field(description="who gets the ticket; from then on it takes their signature")


class MoveOut(BaseModel):
    """How the move stands. The receiver is the owner from the first answer on, and may bind a device with `epoch`."""

    ticket_id: str
    token_id: int
    state: Literal["pending", "confirming", "done", "taken_back"] = Field(
        description="pending: in order, and waits for the chain; taken_back: the chain will never take it"
    )
    reason: str | None = Field(description="why it was taken back")
    epoch: int
    from_owner: str
    to_owner: str
    tx_hash: str | None


@bp.post("/tickets/<uuid:ticket_id>/moves")
@bp.output(MoveOut)
@bp.doc(responses=[400, 404, 409, 422, 429, 503])
@keyed(bp)
@takes(bp, MoveIn)
def create_move(ticket_id: UUID, key: str, body: MoveIn) -> Response:
    """Give a ticket away by its owner's signature. The same request again tells how the move stands."""
    parts = services()
    misuse = RequestKey("move", ticket_id, key, body.model_dump())
    misuse.check(parts.engine)
    signature = bytes.fromhex(body.owner_signature.removeprefix("0x"))
    made = move(parts.engine, ticket_id, Wish(bytes.fromhex(body.to[2:]), body.epoch, body.deadline, signature))
    misuse.remember(parts.engine)
    return Response(reply(_told(made)), mimetype="application/json")


@bp.post("/tickets/<uuid:ticket_id>/claims")
@bp.output(MoveOut)
@bp.doc(responses=[400, 401, 403, 404, 409, 422, 429, 503], security="order_secret")
@keyed(bp)
@takes(bp, ClaimIn)
def create_claim(ticket_id: UUID, key: str, body: ClaimIn) -> Response:
    """Take a guest's ticket into a wallet: ours to keep no longer. The same request again tells how the move stands."""
    parts = services()
    misuse = RequestKey("claim", ticket_id, key, body.model_dump())
    misuse.check(parts.engine)
    made = claim(parts.engine, parts.signer, ticket_id, bytes.fromhex(body.to[2:]), bearer())
    misuse.remember(parts.engine)
    return Response(reply(_told(made)), mimetype="application/json")


def _told(made: Move) -> dict[str, object]:
    fields = asdict(made) | {"ticket_id": str(made.ticket_id)}
    return {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}

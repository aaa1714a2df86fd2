"""What gates fetch, the key list and their event's bundle, and what they hand over (SPEC 5, 7.4, 9)."""

from base64 import urlsafe_b64decode
from typing import Annotated, Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, current_app, request
from flask.blueprints import BlueprintSetupState
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row, select

from backend.credentials.bundle_delivery import Deliveries
from backend.credentials.bundle_signing import no_key_list
from backend.credentials.gates import gate_of
from backend.credentials.published import newest_key_list_row
from backend.db.engine import read
from backend.db.tables.events import Event
from backend.errors import Refused, refuse
from backend.gates.collecting import MAX_RECORDS, Handed, collect
from backend.gates.records import MAX_PAYLOAD_BYTES
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.web.requests import Body, bearer_token, reply, services, takes
from backend.wiring import Services

OCTETS = "application/octet-stream"
Base64Payload = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=2 * MAX_PAYLOAD_BYTES)]
MAX_VERSION = (1 << 32) - 1
_Responses = dict[int | str, dict[str, str | dict[str, dict[str, Any]]]]
_KEYS_ANSWERS: _Responses = {
    200: {"description": "the key list (SPEC 5.1)", "content": {OCTETS: {}}},
    304: {"description": "it has not changed"},
    404: {"description": "none is published yet"},
}
_BUNDLE_ANSWERS: _Responses = {
    200: {"description": "a snapshot (SPEC 5.2) or a delta (SPEC 5.3)", "content": {OCTETS: {}}},
    206: {"description": "the part of it that was asked for", "content": {OCTETS: {}}},
    304: {"description": "the gate has the newest"},
    401: {"description": "no token"},
    403: {"description": "a token of no gate, or of a gate of another event"},
    404: {"description": "there is none yet"},
    422: {"description": "`since` is no version"},
    503: {"description": "it can't be made right now"},
}
_DELIVERIES = "truestub.bundles"

bp = APIBlueprint("gates", __name__, url_prefix="/api/v1", tag="Gates")


@bp.record_once
def _set_up(state: BlueprintSetupState) -> None:
    parts: Services = state.app.extensions["truestub"]
    state.app.extensions[_DELIVERIES] = Deliveries(parts.engine, parts.signer, parts.clock)


@bp.get("/keys")
@bp.doc(responses=_KEYS_ANSWERS)
def keys() -> Response:
    """The newest root-signed key list."""
    with read(services().engine) as connection:
        newest = newest_key_list_row(connection)
    if newest is None:
        raise Refused(no_key_list())
    return _conditional(newest.data, f"{newest.version}", newest.version)


@bp.get("/events/<event>/bundle")
@bp.doc(responses=_BUNDLE_ANSWERS, security="gate_token")
def bundle(event: str) -> Response:
    """The event's newest bundle, by the event's slug or id. `?since=VERSION` asks for what changed since then."""
    gate = _gate(event)
    since = _since()
    deliveries: Deliveries = current_app.extensions[_DELIVERIES]
    version = deliveries.newest_version(gate.event_id, gate)
    if since == version:
        return Response(status=304, headers={"ETag": f'"{version}"'})
    delivery = deliveries.delivery(gate.event_id, version, since)
    return _conditional(delivery.data, delivery.etag, delivery.version)


class RecordsIn(Body):
    """Records of a gate's log that the platform does not have yet (SPEC 7.4)."""

    log: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(description="the log's id, hex")
    start: Annotated[int, Field(ge=0, lt=1 << 31)] = Field(
        alias="from", description="the first record's number, from 0"
    )
    head: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="the chain before it, hex")
    records: Annotated[list[Base64Payload], Field(max_length=MAX_RECORDS)] = Field(description="payloads, base64url")


class ConflictOut(BaseModel):
    """Another admission of the same ticket."""

    token_id: str
    gate: int
    at: str


class RecordsOut(BaseModel):
    """What the platform has now."""

    next: int = Field(description="the number of the first record it does not have")
    conflicts: list[ConflictOut]


@bp.post("/events/<event>/admissions")
@bp.output(RecordsOut)
@bp.doc(responses=[400, 401, 403, 409, 413, 422, 503], security="gate_token")
@takes(bp, RecordsIn)
def hand_over(event: str, body: RecordsIn) -> Response:
    """Hand over what a gate has logged. The same records again change nothing."""
    gate = _gate(event)
    with read(services().engine) as connection:
        tag = connection.scalar(select(Event.tag).where(Event.id == gate.event_id)) or b""
    handed = Handed(bytes.fromhex(body.log), body.start, bytes.fromhex(body.head), _payloads(body.records))
    collected = collect(services().engine, gate, tag, handed)
    told = {
        "next": collected.next,
        "conflicts": [
            {"token_id": str(one.token_id), "gate": one.gate_number, "at": rfc3339(one.at * 1000)}
            for one in collected.conflicts
        ],
    }
    return Response(reply(told), mimetype="application/json")


def _gate(event: str) -> Row[Any]:
    """The gate that asks, if it belongs to this event."""
    token = bearer_token()
    if token is None:
        raise refuse("gate_token_missing", _("Send the gate's token as Authorization: Bearer"))
    with read(services().engine) as connection:
        gate = gate_of(connection, token)
        if gate is None:
            raise refuse("gate_token_wrong", _("No gate has this token; enrol the gate, or renew its token"))
        slug = connection.scalar(select(Event.slug).where(Event.id == gate.event_id))
    if event != slug and _uuid(event) != gate.event_id:
        raise refuse("other_event", _("This gate was enrolled for another event"))
    return gate


def _payloads(records: list[str]) -> tuple[bytes, ...]:
    try:
        return tuple(urlsafe_b64decode(record + "=" * (-len(record) % 4)) for record in records)
    except ValueError:
        raise refuse("record_unreadable", _("records are base64url without padding")) from None


def _since() -> int | None:
    """The version the gate has; none if it did not say."""
    text = request.args.get("since")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_VERSION):
        raise refuse("invalid_request", _("since is the version of the bundle you have, a whole number"), field="since")
    return int(text)


def _conditional(data: bytes, etag: str, version: int) -> Response:
    """The bytes, or 304 if the gate has them, or the part of them it asks for (RFC 9110, 13 and 14)."""
    answer = Response(data, mimetype=OCTETS)
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Truestub-Version"] = str(version)
    answer.make_conditional(request.environ, accept_ranges=True, complete_length=len(data))
    return answer


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

"""The waiting room of an on-sale: take a place, ask how it stands, go on to the till with the pass (SPEC 9.8)."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.waiting_room.desk import Standing
from backend.web.models import PlaceOut
from backend.web.requests import reply, services
from backend.web.visitors import slow_down

PLACE_HEADER = "Waiting-Place"
PASS_HEADER = "Waiting-Pass"  # noqa: S105 - a header's name

bp = APIBlueprint("waiting_room", __name__, url_prefix="/api/v1", tag="Waiting room")


@bp.post("/events/<slug>/waiting-room")
@bp.output(PlaceOut, 201)
@bp.doc(responses=[404, 409, 429, 503])
def join(slug: str) -> Response:
    """Take a place. Before the start all places are drawn; after it they are given in order. Keep `place`."""
    event_id = _event(slug)
    slow_down("place")
    return Response(reply(told(services().rooms.join(event_id))), 201, mimetype="application/json")


@bp.get("/events/<slug>/waiting-room")
@bp.output(PlaceOut)
@bp.doc(responses=[400, 404, 409, 503])
def stand(slug: str) -> Response:
    """How the place in the header `Waiting-Place` stands. When its turn has come, `pass` opens the till."""
    token = request.headers.get(PLACE_HEADER)
    if not token:
        raise refuse("place_missing", _("Send your place in the header Waiting-Place"))
    return Response(reply(told(services().rooms.stand(_event(slug), token))), mimetype="application/json")


def told(standing: Standing) -> dict[str, Any]:
    """The standing as JSON."""
    return {
        "place": standing.place,
        "state": standing.turn.state,
        "ahead": standing.turn.ahead,
        "wait_seconds": standing.turn.wait_seconds,
        "starts_at": rfc3339(standing.starts_ms),
        "pass": standing.leave,
    }


def _event(slug: str) -> UUID:
    event_id = services().tills.event_id(slug)
    if event_id is None:
        raise refuse("unknown_event", _("There is no such event"))
    return event_id

"""GET /events: what is on sale."""

from apiflask import APIBlueprint
from flask import Response

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.catalogue import describe_event, list_events
from backend.web.models import EventOut, EventsOut
from backend.web.requests import reply, services

bp = APIBlueprint("events", __name__, url_prefix="/api/v1/events", tag="Events")


@bp.get("")
@bp.output(EventsOut)
def events() -> Response:
    """Every event, the next one first."""
    return Response(reply({"events": list_events(services().engine)}), mimetype="application/json")


@bp.get("/<slug>")
@bp.output(EventOut)
@bp.doc(responses=[404])
def event(slug: str) -> Response:
    """One event with its classes, seats and addresses."""
    found = describe_event(services().engine, slug)
    if found is None:
        raise refuse("unknown_event", _("There is no such event"))
    return Response(reply(found), mimetype="application/json")

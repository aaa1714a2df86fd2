"""The waiting list of a class that is sold out: get in line, ask, take the offer as an order, get out (SPEC 9.9)."""

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.privacy.contacts import checked_contact
from backend.sales import waiting_list
from backend.sales.answers import rfc3339
from backend.sales.orders import make_key
from backend.web.models import WaiterIn, WaiterOut
from backend.web.requests import bearer, keyed, refuse_nul, reply, services, takes
from backend.web.visitors import slow_down

bp = APIBlueprint("waiting_list", __name__, url_prefix="/api/v1", tag="Waiting list")


@bp.post("/events/<slug>/waiting-list")
@bp.output(WaiterOut, 201)
@bp.doc(responses=[400, 404, 409, 422, 429, 503])
@keyed(bp)
@takes(bp, WaiterIn)
def join(slug: str, key: str, body: WaiterIn) -> Response:
    """Get in line; the same request again tells of the same place.

    Keep `waiter_secret`: it opens the place, and later the order that is offered.
    """
    refuse_nul((body.class_code,))
    parts = services()
    event_id = parts.tills.event_id(slug)
    if event_id is None:
        raise refuse("unknown_event", _("There is no such event"))
    slow_down("waiter")
    tell = waiting_list.Tell(checked_contact(body.mail or "", "").mail, parts.settings.keep_personal_days)
    once = make_key(waiting_list.PLACE_SCOPE, event_id, key, body.model_dump())
    standing = waiting_list.join(parts.engine, parts.secret, event_id, body.class_code, body.quantity, tell, once)
    return Response(reply(_told(standing)), 201, mimetype="application/json")


@bp.get("/waiting-list/<uuid:waiter_id>")
@bp.output(WaiterOut)
@bp.doc(responses=[401, 404], security="order_secret")
def stand(waiter_id: UUID) -> Response:
    """How the place stands; with the order to pay for, once it was offered."""
    parts = services()
    standing = waiting_list.stand(parts.engine, parts.secret, waiter_id, bearer())
    return Response(reply(_told(standing)), mimetype="application/json")


@bp.delete("/waiting-list/<uuid:waiter_id>")
@bp.output(WaiterOut)
@bp.doc(responses=[401, 404], security="order_secret")
def leave(waiter_id: UUID) -> Response:
    """Get out of line."""
    parts = services()
    standing = waiting_list.leave(parts.engine, parts.secret, waiter_id, bearer())
    return Response(reply(_told(standing)), mimetype="application/json")


def _told(standing: waiting_list.Standing) -> dict[str, Any]:
    return {
        "waiter_id": str(standing.waiter_id),
        "waiter_secret": standing.secret,
        "state": standing.state,
        "ahead": standing.ahead,
        "order_id": str(standing.order_id) if standing.order_id is not None else None,
        "order_secret": standing.order_secret,
        "offer_ends_at": rfc3339(standing.offer_ends_ms) if standing.offer_ends_ms is not None else None,
    }

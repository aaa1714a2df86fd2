"""POST /orders/{id}/refunds: a buyer gives tickets back, by the organiser's rules (SPEC 9.6)."""

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from backend.sales import orders
from backend.sales.refunds import RefundView, Wish, refund
from backend.web.models import RefundIn, RefundOut
from backend.web.requests import bearer, keyed, reply, services, takes

REFUND_SCOPE = "refund"

bp = APIBlueprint("refunds", __name__, url_prefix="/api/v1", tag="Orders")


@bp.post("/orders/<uuid:order_id>/refunds")
@bp.output(RefundOut)
@bp.doc(responses=[400, 401, 404, 409, 415, 422, 503], security="order_secret")
@keyed(bp)
@takes(bp, RefundIn)
def give_back(order_id: UUID, key: str, body: RefundIn) -> Response:
    """Give tickets back before doors open. Their codes stop working at once, and the money is sent back."""
    parts = services()
    event_id = orders.event_of_order(parts.engine, order_id, bearer())
    tickets = tuple(UUID(one) for one in body.tickets) if body.tickets is not None else None
    wanted = [sorted(body.tickets) if body.tickets is not None else None, body.reason]
    wish = Wish(order_id, "buyer", body.reason, tickets, orders.make_key(REFUND_SCOPE, order_id, key, wanted))
    return Response(reply(_told(refund(parts.engine, event_id, wish))), mimetype="application/json")


def _told(view: RefundView) -> dict[str, object]:
    return {
        "refund_id": str(view.id),
        "order_id": str(view.order_id),
        "state": view.state,
        "amount_minor": view.amount_minor,
        "kept_minor": view.kept_minor,
        "currency": view.currency,
        "tickets": [str(one) for one in view.tickets],
    }

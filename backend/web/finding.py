"""POST /events/{slug}/orders/find: an owner's orders, for a wallet that lost all but its phrase."""

from apiflask import APIBlueprint
from flask import Response

from backend.sales.finding import find_orders
from backend.sales.renewing import secret_now
from backend.web.models import FindIn, FoundOut
from backend.web.requests import reply, services, takes
from backend.web.visitors import slow_down

bp = APIBlueprint("finding", __name__, url_prefix="/api/v1", tag="Orders")


@bp.post("/events/<slug>/orders/find")
@bp.output(FoundOut)
@bp.doc(responses=[400, 404, 422, 429])
@takes(bp, FindIn)
def find(slug: str, body: FindIn) -> Response:
    """The owner's paid orders with their secrets; the owner's signature is the permission. Changes nothing."""
    slow_down("lookup")
    parts = services()
    signature = bytes.fromhex(body.signature.removeprefix("0x"))
    found = find_orders(parts.engine, slug, bytes.fromhex(body.owner[2:]), body.expiry, signature)
    orders = [{"order_id": str(one), "order_secret": secret_now(parts.engine, parts.secret, one)} for one in found]
    return Response(reply({"orders": orders}), mimetype="application/json")

"""POST /events/{slug}/orders/find: what an owner has there, for a wallet that knows nothing but its phrase."""

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
    """The owner's paid orders with their secrets, and tickets given to the owner. Changes nothing."""
    slow_down("lookup")
    parts = services()
    signature = bytes.fromhex(body.signature.removeprefix("0x"))
    found = find_orders(parts.engine, slug, bytes.fromhex(body.owner[2:]), body.expiry, signature)
    secrets = [(str(one), secret_now(parts.engine, parts.secret, one)) for one in found.orders]
    orders = [{"order_id": order, "order_secret": secret} for order, secret in secrets]
    return Response(reply({"orders": orders, "received": found.received}), mimetype="application/json")

"""Orders at the desk: find one, look at it."""

import secrets
from uuid import UUID

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.events import desk_event
from backend.desk.finding import event_and_order, find_orders
from backend.desk.refunds import REASONS, paid_by, refunds_of
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.order_view import order_view
from backend.web.desk.guard import needs, see_other
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders", view_func=search)
    bp.add_url_rule("/orders", view_func=find, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>", view_func=order)


@needs("find_orders")
def search() -> ResponseReturnValue:
    """The form. What is looked for is sent in the body, so that it ends in no address, history or log."""
    return render_template("desk/orders.html", found=None, wanted="")


@needs("find_orders")
def find() -> ResponseReturnValue:
    """What was found; the order itself if it is one alone."""
    wanted = request.form.get("wanted", "")
    found = find_orders(services().engine, wanted)
    if len(found) == 1:
        return see_other(f"/desk/orders/{found[0].order_id}")
    return render_template("desk/orders.html", found=found, wanted=wanted)


@needs("find_orders")
def order(order_id: UUID) -> ResponseReturnValue:
    """One order, with what can be done about it."""
    engine = services().engine
    if event_and_order(engine, order_id) is None:
        raise refuse("unknown_order", _("There is no such order"))
    found = order_view(engine, order_id)
    event = desk_event(engine, found["event"])
    names = {one["code"]: one["name"] for one in event["classes"]}
    return render_template(
        "desk/order.html",
        order=found,
        event=event,
        names=names,
        refunds=refunds_of(engine, order_id),
        provider=paid_by(engine, order_id),
        reasons=REASONS,
        form=secrets.token_urlsafe(12),
    )

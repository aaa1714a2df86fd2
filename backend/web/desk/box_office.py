"""The box office: choose, take the cash, hand the tickets over. Three taps."""

import secrets
from hashlib import sha256
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.cash import NAME, cash_token
from backend.desk.events import desk_event
from backend.desk.finding import event_and_order
from backend.domain.ids import new_id
from backend.domain.selling.outcomes import No
from backend.domain.selling.requests import LineWanted, StartPayment
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales import orders
from backend.sales.order_view import order_view
from backend.sales.payments.flow import pay
from backend.sales.words import in_words, refusal
from backend.web.desk.guard import needs, note, see_other
from backend.web.desk.receipts import receipt_page
from backend.web.requests import services

MOST_AT_ONCE = 6  # buttons for each kind of ticket


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/sell", view_func=sell)
    bp.add_url_rule("/events/<slug>/sell", view_func=hold, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/cash", view_func=ask_for_cash)
    bp.add_url_rule("/orders/<uuid:order_id>/cash", view_func=take_cash, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/release", view_func=let_go, methods=["POST"])


@needs("sell")
def sell(slug: str) -> ResponseReturnValue:
    """A button for each number of each kind."""
    event = desk_event(services().engine, slug)
    most = min(MOST_AT_ONCE, event["max_per_order"])
    return render_template("desk/sell.html", event=event, most=most, form=secrets.token_urlsafe(12))


@needs("sell")
def hold(slug: str) -> ResponseReturnValue:
    """Keep what was tapped, and go on to the cash. The same tap twice keeps once."""
    parts = services()
    event = desk_event(parts.engine, slug)
    code, _colon, number = request.form.get("wanted", "").rpartition(":")
    quantity = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    wanted = (LineWanted(code, quantity),)
    key = sha256(repr((request.form.get("form", ""), wanted)).encode()).hexdigest()
    order_id = new_id(int(parts.clock() * 1000))
    try:
        held = orders.hold(parts.tills, parts.secret, event["id"], order_id, wanted, None, key)
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
        return see_other(f"/desk/events/{slug}/sell")
    return see_other(f"/desk/orders/{held['order_id']}/cash")


@needs("sell")
def ask_for_cash(order_id: UUID) -> ResponseReturnValue:
    """How much to take."""
    _event_of(order_id)
    order = order_view(services().engine, order_id)
    if order["state"] != "held":
        return see_other(f"/desk/orders/{order_id}")
    event = desk_event(services().engine, order["event"])
    names = {one["code"]: one["name"] for one in event["classes"]}
    return render_template("desk/cash.html", order=order, event=event, names=names, form=secrets.token_urlsafe(12))


@needs("sell")
def take_cash(order_id: UUID) -> ResponseReturnValue:
    """The money is in the till: the tickets are the buyer's. Sent twice, it is sold once."""
    parts = services()
    event_id = _event_of(order_id)
    provider = parts.payments[NAME]
    key = orders.make_key(orders.PAYMENT_SCOPE, order_id, request.form.get("form", ""), [NAME])
    started = StartPayment(order_id, new_id(int(parts.clock() * 1000)), NAME, key)
    note("sell_cash", f"order:{order_id}")
    try:
        paid = pay(parts.engine, parts.tills, provider, event_id, started, cash_token(parts.secret))
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
        return see_other(f"/desk/orders/{order_id}/cash")
    if isinstance(paid, No) and paid.code != "already_paid":
        flash(refusal(paid).sentence)
        return see_other(f"/desk/orders/{order_id}")
    return receipt_page(order_id)


@needs("sell")
def let_go(order_id: UUID) -> ResponseReturnValue:
    """The buyer goes without."""
    event_id = _event_of(order_id)
    order = order_view(services().engine, order_id)
    try:
        orders.release(services().tills, event_id, order_id)
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
    return see_other(f"/desk/events/{order['event']}/sell")


def _event_of(order_id: UUID) -> UUID:
    event_id = event_and_order(services().engine, order_id)
    if event_id is None:
        raise refuse("unknown_order", _("There is no such order"))
    return event_id

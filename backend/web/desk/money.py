"""Money that goes back: tickets of an order, or a whole event."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.events import desk_event
from backend.desk.finding import event_and_order
from backend.desk.refunds import REASONS
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales import orders
from backend.sales.calling_off import cancel_event
from backend.sales.charge_backs import undecided_disputes
from backend.sales.payments.failed import WAYS, failed_refunds, send_again, settle_by_hand
from backend.sales.refunds import Wish, refund
from backend.web.desk.guard import needs, note, see_other
from backend.web.requests import services

REFUND_SCOPE = "desk_refund"


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/refund", view_func=give_back, methods=["POST"])
    bp.add_url_rule("/refunds", view_func=failed)
    bp.add_url_rule("/refunds/<uuid:refund_id>/again", view_func=again, methods=["POST"])
    bp.add_url_rule("/refunds/<uuid:refund_id>/settle", view_func=settle, methods=["POST"])
    bp.add_url_rule("/events/<slug>/cancel", view_func=ask_to_cancel)
    bp.add_url_rule("/events/<slug>/cancel", view_func=cancel, methods=["POST"])


@needs("refund")
def give_back(order_id: UUID) -> ResponseReturnValue:
    """Give back the chosen tickets; the form sent twice gives back once."""
    parts = services()
    event_id = event_and_order(parts.engine, order_id)
    if event_id is None:
        raise refuse("unknown_order", _("There is no such order"))
    reason, there = request.form.get("reason", ""), f"/desk/orders/{order_id}"
    tickets = tuple(one for text in request.form.getlist("ticket") if (one := _uuid(text)) is not None)
    if reason not in REASONS or not tickets:
        flash(_("Choose the tickets and a reason"))
        return see_other(there)
    wanted = [sorted(map(str, tickets)), reason]
    key = orders.make_key(REFUND_SCOPE, order_id, request.form.get("form", ""), wanted)
    note("refund", f"order:{order_id}", reason=reason, tickets=len(tickets))
    try:
        refund(parts.engine, event_id, Wish(order_id, "organiser", reason, tickets, key))
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other(there)


@needs("refund")
def failed() -> ResponseReturnValue:
    """The refunds that a provider refused for good, and the disputes of a part, that nobody has dealt with yet."""
    engine = services().engine
    return render_template("desk/refunds.html", failed=failed_refunds(engine), disputes=undecided_disputes(engine))


@needs("refund")
def again(refund_id: UUID) -> ResponseReturnValue:
    """Ask the provider for a refused refund once more."""
    note("refund_again", f"refund:{refund_id}")
    return _dealt_with(lambda: send_again(services().engine, refund_id))


@needs("refund")
def settle(refund_id: UUID) -> ResponseReturnValue:
    """Write down that the buyer was paid another way."""
    how = request.form.get("how", "")
    note("refund_settle", f"refund:{refund_id}", how=how if how in WAYS else "")
    return _dealt_with(lambda: settle_by_hand(services().engine, refund_id, how))


def _dealt_with(deal: Callable[[], None]) -> ResponseReturnValue:
    try:
        deal()
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other("/desk/refunds")


@needs("cancel_event")
def ask_to_cancel(slug: str) -> ResponseReturnValue:
    """What cancelling does, and the form that wants the event's address typed in."""
    return render_template("desk/cancel.html", event=desk_event(services().engine, slug), wrong=False)


@needs("cancel_event")
def cancel(slug: str) -> ResponseReturnValue:
    """Cancel the event for everybody. What was sold is given back by the worker."""
    engine = services().engine
    event = desk_event(engine, slug)
    if request.form.get("slug", "").strip() != slug:
        return render_template("desk/cancel.html", event=event, wrong=True), HTTPStatus.CONFLICT
    note("event_cancel", f"event:{slug}")
    try:
        cancel_event(engine, slug)
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other(f"/desk/events/{slug}")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

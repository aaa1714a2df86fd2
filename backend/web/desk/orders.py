"""Orders at the desk: find one, look at it."""

import secrets
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.events import desk_event
from backend.desk.finding import MAX_FOUND, event_and_order, find_orders
from backend.desk.refunds import REASONS, paid_by, refunds_of
from backend.desk.roles import may
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.notices.order_outbox import want_receipt
from backend.privacy.contacts import Contact, checked_contact, consent_of, contacts_of, keep_contact, orders_by_mail
from backend.sales.charge_backs import undecided_disputes
from backend.sales.disputes_by_hand import disputable
from backend.sales.order_list import order_heads
from backend.sales.order_view import order_view
from backend.sales.payments.failed import failed_refunds
from backend.web.desk.guard import needs, note, see_other, signed
from backend.web.desk.helping import CHECKS
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders", view_func=search)
    bp.add_url_rule("/orders", view_func=find, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>", view_func=order)
    bp.add_url_rule("/orders/<uuid:order_id>/contact", view_func=correct, methods=["POST"])


@needs("find_orders")
def search() -> ResponseReturnValue:
    """The form. What is looked for is sent in the body, so that it ends in no address, history or log."""
    return render_template("desk/orders.html", found=None, wanted="")


@needs("find_orders")
def find() -> ResponseReturnValue:
    """What was found; the order itself if it is one alone."""
    wanted = request.form.get("wanted", "")
    parts = services()
    if "@" in wanted and may(signed().role, "see_buyers"):
        found = order_heads(parts.engine, orders_by_mail(parts.engine, parts.secret, wanted)[:MAX_FOUND])
    else:
        found = find_orders(parts.engine, wanted)
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
        failed=failed_refunds(engine, order_id),
        disputes=undecided_disputes(engine, order_id),
        disputable=disputable(engine, order_id) if may(signed().role, "refund") else None,
        contact=_contact(order_id) if may(signed().role, "see_buyers") else None,
        consent=consent_of(engine, order_id),
        provider=paid_by(engine, order_id),
        reasons=REASONS,
        form=secrets.token_urlsafe(12),
    )


@needs("see_buyers")
def correct(order_id: UUID) -> ResponseReturnValue:
    """Mend a wrong name or address, after a check. The log says that it was done, never what was written."""
    parts = services()
    if event_and_order(parts.engine, order_id) is None:
        raise refuse("unknown_order", _("There is no such order"))
    there = see_other(f"/desk/orders/{order_id}")
    checked = request.form.getlist("checked")
    if not checked or not set(checked) <= set(CHECKS):
        flash(_("Say what the buyer showed you"))
        return there
    try:
        contact = checked_contact(request.form.get("mail", ""), request.form.get("name", ""))
    except Refused as refused:
        flash(refused.refusal.sentence)
        return there
    note("contact_change", f"order:{order_id}", checked=sorted(checked))
    corrected = contact.mail and contact.mail != _contact(order_id).mail
    with parts.engine.begin() as connection:
        keep_contact(connection, parts.secret, order_id, contact, parts.settings.keep_personal_days)
        if corrected:
            want_receipt(connection, order_id, anew=True)
    return there


def _contact(order_id: UUID) -> Contact:
    parts = services()
    return contacts_of(parts.engine, parts.secret, [order_id]).get(order_id, Contact())

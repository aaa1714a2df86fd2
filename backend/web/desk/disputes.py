"""A dispute (chargeback) booked by hand: what a bank took of an order's payment, and what it gave back."""

from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, request
from flask.typing import ResponseReturnValue

from backend.desk.finding import event_and_order
from backend.domain.money import parse_amount
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.disputes_by_hand import book_by_hand, checked_number, disputable
from backend.sales.payments.interface import Dispute
from backend.web.desk.guard import needs, note, see_other
from backend.web.requests import services

BECAME = ("lost", "won")  # the bank took the money; the bank gave it back


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/dispute", view_func=book, methods=["POST"])


@needs("refund")
def book(order_id: UUID) -> ResponseReturnValue:
    """Book it; the form sent twice books it once, since the provider's number of the dispute names it."""
    engine = services().engine
    if event_and_order(engine, order_id) is None:
        raise refuse("unknown_order", _("There is no such order"))
    there, became = see_other(f"/desk/orders/{order_id}#disputes"), request.form.get("became", "")
    now = disputable(engine, order_id)
    if now is None or became not in BECAME:
        flash(_("Say what became of the dispute; only money that a bank holds can be disputed"))
        return there
    try:
        amount = parse_amount(request.form.get("amount", ""), now.currency)
        number = checked_number(request.form.get("dispute", ""))
        note("dispute", f"order:{order_id}", dispute=number, amount_minor=amount, currency=now.currency, became=became)
        told = Dispute(number, amount, now.currency, reinstated=became == "won")
        outcome = book_by_hand(engine, order_id, told)
    except Refused as refused:
        flash(refused.refusal.sentence)
        return there
    if outcome == "stopped":
        flash(_("Nothing is left of the payment: tickets that were not used let nobody in any more"))
    elif outcome == "known":
        flash(_("This was booked before; nothing was booked again"))
    return there

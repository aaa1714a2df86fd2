"""The help desk: a dead or lost phone, a lost key. Whoever asks is checked first; what was checked is written down."""

from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, request
from flask.typing import ResponseReturnValue

from backend.desk.finding import event_and_order
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.renewing import renew_at_desk
from backend.web.desk.guard import needs, note, see_other
from backend.web.desk.receipts import receipt_page
from backend.web.requests import services

TROUBLES = ("dead_phone", "lost_phone", "lost_key")
STOLEN = ("lost_phone",)  # whoever has that phone must not get new codes with its receipt
CHECKS = ("receipt", "mail_address", "bank_statement", "identity_card")  # what the buyer showed


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/help", view_func=hand_over, methods=["POST"])


@needs("help_buyers")
def hand_over(order_id: UUID) -> ResponseReturnValue:
    """Give the order to another phone. Its wallet makes new codes there, and the old ones stop working."""
    if event_and_order(services().engine, order_id) is None:
        raise refuse("unknown_order", _("There is no such order"))
    trouble, checked = request.form.get("trouble", ""), request.form.getlist("checked")
    if trouble not in TROUBLES or not checked or not set(checked) <= set(CHECKS):
        flash(_("Say what is wrong, and what the buyer showed you"))
        return see_other(f"/desk/orders/{order_id}#help")
    note("help", f"order:{order_id}", trouble=trouble, checked=sorted(checked))
    if trouble in STOLEN:
        parts = services()
        renew_at_desk(parts.engine, parts.secret, order_id)
    return receipt_page(order_id)

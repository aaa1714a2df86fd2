"""Let a ticket that we keep for a guest go to a wallet, theirs or a friend's (SPEC 10.9). Works without scripts."""

from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from eth_utils.address import is_checksum_address
from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from backend.errors import Refused
from backend.i18n import gettext as _
from backend.sales.moving import claim
from backend.web.pages.mine import opened
from backend.web.pages.order import facts
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/give", view_func=ask_whom)
    bp.add_url_rule("/orders/<uuid:order_id>/give", view_func=give, methods=["POST"])


def ask_whom(order_id: UUID) -> ResponseReturnValue:
    """Which ticket, and to whom."""
    opened(order_id)
    return render_template("give.html", **facts(order_id))


def give(order_id: UUID) -> ResponseReturnValue:
    """Do it; sent twice, it is done once. What was typed stays where it was not good."""
    _event_id, secret = opened(order_id)
    parts, shown = services(), facts(order_id)
    ticket, address = request.form.get("ticket", ""), request.form.get("address", "").strip()
    wrong = None
    if ticket not in {one["ticket_id"] for one in shown["order"]["tickets"]}:
        wrong = _("Choose a ticket")
    elif not is_checksum_address(address):
        wrong = _("This is no address, or it was copied wrongly. Copy it whole, with its capital letters")
    if wrong is None:
        try:
            claim(parts.engine, parts.signer, UUID(ticket), bytes.fromhex(address[2:]), secret)
        except Refused as refused:
            wrong = refused.refusal.sentence
    if wrong is not None:
        page = render_template("give.html", **shown, wrong=wrong, address=address, chosen=ticket)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    flash(_("The ticket was given away. Its codes in your wallet stop working"))
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)

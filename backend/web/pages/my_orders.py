"""The orders of this browser, and the ways to open one that was bought in another: its receipt, or a code by mail."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.notices.order_outbox import ask_recovery
from backend.privacy.contacts import checked_contact, mail_index
from backend.privacy.recovery import MARK, use_code
from backend.sales import orders
from backend.sales.catalogue import list_events
from backend.sales.order_list import heads_opened
from backend.sales.renewing import secret_now
from backend.sales.words import in_words
from backend.web.pages.mine import orders_here, remember
from backend.web.pages.waiting_list import places_here
from backend.web.requests import services
from backend.web.visitors import slow_down

RECEIPT_MARK = "truestub-receipt-1"  # SPEC 4.6
MAX_RECEIPT_CHARACTERS = 500
HANDED = ("paid", "refunded")  # states in which an order has tickets


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders", view_func=mine)
    bp.add_url_rule("/orders", view_func=open_receipt, methods=["POST"])
    bp.add_url_rule("/orders/code", view_func=ask_code, methods=["POST"])
    bp.add_url_rule("/wallet/orders", view_func=hand_over)


def mine() -> ResponseReturnValue:
    """The orders of this browser."""
    return _orders_page("")


def open_receipt() -> ResponseReturnValue:
    """Let this browser open the order of a receipt that was made elsewhere."""
    slow_down("lookup")
    text = request.form.get("receipt", "")[:MAX_RECEIPT_CHARACTERS]
    if text.strip().startswith(MARK):
        return _open_by_code(text.strip())
    try:
        order_id, secret = _receipt(text)
        parts = services()
        orders.event_of_order(parts.engine, order_id, secret)
    except Refused as refused:
        return _orders_page(text, in_words(refused).refusal), HTTPStatus.CONFLICT
    answer = redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)
    remember(answer, order_id, secret)
    return answer


def ask_code() -> ResponseReturnValue:
    """Mail a code to whoever owns the address, if orders were made with it. The answer is the same either way."""
    slow_down("lookup")
    parts = services()
    try:
        contact = checked_contact(request.form.get("mail", ""), "")
    except Refused as refused:
        flash(refused.refusal.sentence)
        return redirect("/orders", HTTPStatus.SEE_OTHER)
    if contact.mail:
        with parts.engine.begin() as connection:
            ask_recovery(connection, mail_index(parts.secret, contact.mail))
        flash(_("If orders were made with this address, a mail with a code is on its way. It may take a few minutes"))
    return redirect("/orders", HTTPStatus.SEE_OTHER)


def hand_over() -> ResponseReturnValue:
    """The orders with tickets, with their secrets: for our own wallet page, and for no other site's."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        raise refuse("order_not_here", _("Only this site's own wallet may ask for its orders"))
    here = {one.order_id: one.secret for one in orders_here()}
    heads = heads_opened(services().engine, here)
    told = [{"order_id": str(one.order_id), "order_secret": here[one.order_id]} for one in heads if one.state in HANDED]
    return jsonify({"orders": told})


def _open_by_code(code: str) -> ResponseReturnValue:
    parts = services()
    with parts.engine.begin() as connection:
        found = use_code(connection, code)
    if not found:
        flash(_("This code was used, or is too old; ask for another one"))
    answer = redirect("/orders", HTTPStatus.SEE_OTHER)
    for one in reversed(found):
        remember(answer, one, secret_now(parts.engine, parts.secret, one))
    return answer


def _heads() -> list[Any]:
    return heads_opened(services().engine, {one.order_id: one.secret for one in orders_here()})


def _orders_page(receipt: str, told: Refusal | None = None) -> str:
    mails = bool(services().settings.smtp_url)
    shown = {"heads": _heads(), "places": _places(), "receipt": receipt, "refusal": told, "mails": mails}
    return render_template("orders.html", **shown)


def _places() -> list[tuple[UUID, str]]:
    """What this browser waits for: the place and its event's name."""
    events = {one["slug"]: one["name"] for one in list_events(services().engine, over=False)} if places_here() else {}
    return [(one.waiter_id, events[one.slug]) for one in places_here() if one.slug in events]


def _receipt(text: str) -> tuple[UUID, str]:
    parts = text.split()
    unreadable = refuse(
        "receipt_unreadable",
        _("This is not a receipt. It is one line that begins with %s; copy the whole of it") % RECEIPT_MARK,
    )
    if len(parts) not in {4, 5} or parts[0] != RECEIPT_MARK:
        raise unreadable
    try:
        return UUID(parts[2]), parts[3]
    except ValueError:
        raise unreadable from None

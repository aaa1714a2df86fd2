"""An order's page, whatever became of it: pay, wait, see the tickets, give them back. One address for all of it."""

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine
from werkzeug.wrappers import Response

from backend.domain.ids import new_id
from backend.domain.selling.holds import extension_ms
from backend.domain.selling.outcomes import No
from backend.domain.selling.requests import StartPayment
from backend.errors import Refused
from backend.i18n import gettext as _
from backend.notices.order_outbox import want_receipt
from backend.privacy.buyers import marks_of
from backend.privacy.contacts import Contact, agree, checked_contact, keep_contact
from backend.sales import orders
from backend.sales.catalogue import describe_event
from backend.sales.moving import is_kept
from backend.sales.order_list import order_heads
from backend.sales.order_view import order_view
from backend.sales.payments.flow import PaymentView, ask_again, open_payment, pay, stop_paying
from backend.sales.payments.interface import AWAITING_BUYER, Provider
from backend.sales.refunds import preview, refunds_of
from backend.sales.renewing import renew
from backend.sales.till.till import Tills
from backend.sales.words import in_words, refusal
from backend.web.pages.mine import opened, remember
from backend.web.pages.my_orders import RECEIPT_MARK
from backend.web.requests import services
from backend.web.visitors import hold_ended

PAYING = ("started", "unknown")


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>", view_func=order)
    bp.add_url_rule("/orders/<uuid:order_id>/pay", view_func=pay_order, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/pay/on", view_func=go_on_paying, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/pay/stop", view_func=stop, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/paid", view_func=came_back)
    bp.add_url_rule("/orders/<uuid:order_id>/extend", view_func=extend, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/release", view_func=give_back, methods=["POST"])
    bp.add_url_rule("/orders/<uuid:order_id>/renew", view_func=make_new_link, methods=["POST"])
    bp.add_url_rule("/terms", view_func=terms)


def order(order_id: UUID) -> ResponseReturnValue:
    """The order as it stands."""
    event_id, secret = opened(order_id)
    parts = services()
    return render_template(
        "order.html",
        **facts(order_id),
        giving_back=not isinstance(preview(parts.engine, event_id, order_id), No),
        guest=is_kept(parts.engine, order_id),
        form=secrets.token_urlsafe(12),
        sandbox=parts.bank is not None,
        stripe="stripe" in parts.shop_payments,
        on_chain=parts.chain is not None and parts.chain.open_for(event_id),
        terms_version=parts.settings.terms_version,
        mails=_mails(),
        receipt=f"{RECEIPT_MARK} {parts.settings.public_url} {order_id} {secret}",
    )


def terms() -> ResponseReturnValue:
    """What is agreed to by paying, and what becomes of personal data."""
    settings = services().settings
    return render_template("terms.html", version=settings.terms_version, days=settings.keep_personal_days)


def facts(order_id: UUID) -> dict[str, Any]:
    """What the order's page and its live part are made of."""
    engine, chain = services().engine, services().chain
    found = order_view(engine, order_id, chain)
    event = describe_event(engine, found["event"], with_seats=False)
    head = order_heads(engine, [order_id])[0]
    return {
        "order": found,
        "event": event,
        "names": {one["code"]: one["name"] for one in event["classes"]} if event else {},
        "prices": {one["code"]: one["price_minor"] for one in event["classes"]} if event else {},
        "refunds": refunds_of(engine, order_id) if found["tickets"] else [],
        "max_per_buyer": event["max_per_buyer"] if event else None,
        "extension_minutes": extension_ms(event["hold_seconds"] * 1000) // 60_000 if event else 0,
        "left_ms": head.left_ms,
        "paying": (found["payment"] or {}).get("state") in PAYING and found["state"] != "paid",
        "elsewhere": (found["payment"] or {}).get("reason") == AWAITING_BUYER,
    }


def pay_order(order_id: UUID) -> ResponseReturnValue:
    """Pay, and go back to the order's page, which tells how it went. Sent twice, it is paid once."""
    event_id, _secret = opened(order_id)
    parts = services()
    method, token = request.form.get("method", ""), request.form.get("token", "")
    form = request.form.get("form", "")
    there = redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)
    provider = parts.shop_payments.get(method)
    if provider is None or not form:
        flash(_("Choose how to pay"))
        return there
    try:
        marks = marks_of(parts.secret, event_id, request.form.get("mail", ""))
        _keep_what_was_left(order_id)
    except Refused as refused:
        flash(refused.refusal.sentence)
        return there
    key = orders.make_key(orders.PAYMENT_SCOPE, order_id, form, [method, token])
    started = StartPayment(order_id, new_id(int(parts.clock() * 1000)), provider.name, key, marks)
    try:
        back_to = f"{parts.settings.public_url}/orders/{order_id}/paid"
        paid = pay(parts.engine, parts.tills, provider, event_id, started, token, back_to)
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
        return there
    if isinstance(paid, No):
        if paid.code != "already_paid":
            flash(refusal(paid).sentence)
        return there
    if paid.state == "succeeded":
        hold_ended(order_id)
    return _to_provider(provider, paid) or there


def go_on_paying(order_id: UUID) -> ResponseReturnValue:
    """Back to the provider's page, for a buyer who left it."""
    opened(order_id)
    provider, payment = _asked(order_id, ask_again)
    there = redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)
    return (_to_provider(provider, payment) if provider and payment else None) or there


def stop(order_id: UUID) -> ResponseReturnValue:
    """Give up a payment at the provider's page, to pay another way or to give the tickets back."""
    opened(order_id)
    _asked(order_id, stop_paying)
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)


def came_back(order_id: UUID) -> ResponseReturnValue:
    """Whom the provider sent back: ask it at once what became of the payment, then show the order."""
    opened(order_id)
    _asked(order_id, ask_again)
    if order_heads(services().engine, [order_id])[0].state == "paid":  # whoever comes here by hand has paid nothing
        hold_ended(order_id)
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)


def _asked(
    order_id: UUID, ask: Callable[[Engine, Tills, Provider, PaymentView], PaymentView]
) -> tuple[Provider | None, PaymentView | None]:
    parts = services()
    payment = open_payment(parts.engine, order_id)
    provider = parts.payments.get(payment.provider) if payment is not None else None
    if payment is None or provider is None:
        return None, None
    return provider, ask(parts.engine, parts.tills, provider, payment)


def _to_provider(provider: Provider, payment: PaymentView) -> Response | None:
    """The way to the provider's own page; none where it has none, or names one that is not its own."""
    address = payment.pay_at
    if address is None or provider.pages is None or not address.startswith(provider.pages + "/"):
        return None
    return redirect(address, HTTPStatus.SEE_OTHER)


def _keep_what_was_left(order_id: UUID) -> None:
    """The buyer's name and address, sealed, if any; and what was agreed to."""
    parts, form = services(), request.form
    contact = checked_contact(form.get("mail", ""), form.get("name", ""))
    with parts.engine.begin() as connection:
        if contact != Contact():  # a second attempt to pay, with empty fields, takes nothing away
            keep_contact(connection, parts.secret, order_id, contact, parts.settings.keep_personal_days)
            if contact.mail:
                want_receipt(connection, order_id)
        agree(connection, order_id, parts.settings.terms_version, news="news" in form and bool(contact.mail))


def extend(order_id: UUID) -> ResponseReturnValue:
    """Keep the tickets for longer. The page says which end it knew, so that asking twice extends once."""
    event_id, _secret = opened(order_id)
    try:
        orders.extend(services().tills, event_id, order_id, request.form.get("until", ""))
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)


def give_back(order_id: UUID) -> ResponseReturnValue:
    """Give the tickets back before paying."""
    event_id, _secret = opened(order_id)
    try:
        orders.release(services().tills, event_id, order_id)
        hold_ended(order_id)
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)


def make_new_link(order_id: UUID) -> ResponseReturnValue:
    """A new secret for the order, in this browser; the old receipt opens nothing any more."""
    _event_id, secret = opened(order_id)
    there = redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)
    form = request.form.get("form", "")
    if not form:
        return there
    try:
        made = renew(services().engine, services().secret, order_id, secret, form)
    except Refused as refused:
        flash(refused.refusal.sentence)
        return there
    flash(_("The order has a new link. The old receipt opens it no more; keep the new one"))
    remember(there, order_id, made)
    return there


def _mails() -> bool:
    return bool(services().settings.smtp_url)

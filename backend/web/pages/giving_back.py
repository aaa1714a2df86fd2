"""Give paid tickets back, by the organiser's rules: choose, see what comes back, confirm. Works without scripts."""

import secrets
from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from backend.domain.selling.outcomes import No
from backend.errors import Refused
from backend.i18n import gettext as _
from backend.sales import orders
from backend.sales.refunds import Wish, preview, refund
from backend.sales.words import in_words, refusal
from backend.web.pages.mine import opened
from backend.web.pages.order import facts
from backend.web.refunds import REFUND_SCOPE
from backend.web.requests import services

REASONS = ("cannot_come", "wrong_ticket", "other")  # kept with the refund; said in words by the page
MAX_TICKETS = 1000  # of one order, far above any


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/refund", view_func=ask)
    bp.add_url_rule("/orders/<uuid:order_id>/refund", view_func=confirm, methods=["POST"])


def ask(order_id: UUID) -> ResponseReturnValue:
    """Which tickets; then, with tickets named, what comes back for them and the button that does it."""
    event_id, _secret = opened(order_id)
    wanted = _tickets(request.args.getlist("ticket"))
    every = preview(services().engine, event_id, order_id)
    decided = preview(services().engine, event_id, order_id, wanted) if wanted else every
    single = isinstance(every, No) or len(every.tickets) == 1
    return render_template(
        "refund.html",
        **facts(order_id),
        every=every,
        decided=decided,
        refused=refusal(decided).sentence if isinstance(decided, No) else None,
        choosing=not wanted and not single,
        form=secrets.token_urlsafe(12),
    )


def confirm(order_id: UUID) -> ResponseReturnValue:
    """Give back what was shown, for the amount that was shown; sent twice, it is done once."""
    event_id, _secret = opened(order_id)
    parts = services()
    texts = sorted(request.form.getlist("ticket"))
    wanted, amount = _tickets(texts), request.form.get("amount", "")
    reason, form = request.form.get("reason", ""), request.form.get("form", "")[:64]
    reason = reason if reason in REASONS else "other"
    if not wanted or not form:
        flash(_("Choose at least one ticket"))
        return redirect(f"/orders/{order_id}/refund", HTTPStatus.SEE_OTHER)
    decided = preview(parts.engine, event_id, order_id, wanted)
    if not isinstance(decided, No) and str(decided.amount_minor) != amount:
        flash(_("The amount has changed since this page was made; look at it again"))
        return redirect(f"/orders/{order_id}/refund", HTTPStatus.SEE_OTHER)
    key = orders.make_key(REFUND_SCOPE, order_id, form, [texts, reason])
    try:
        refund(parts.engine, event_id, Wish(order_id, "buyer", reason, wanted, key))
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
    return redirect(f"/orders/{order_id}", HTTPStatus.SEE_OTHER)


def _tickets(texts: list[str]) -> tuple[UUID, ...]:
    found = []
    for text in texts[:MAX_TICKETS]:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return tuple(found)

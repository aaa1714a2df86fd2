"""Presale codes, vouchers and complimentary tickets of an event."""

import hmac
import secrets
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.codes import Wish, code_batches, wish_of, withdraw_codes
from backend.desk.events import desk_event
from backend.domain.selling.requests import LineWanted
from backend.errors import Refusal, Refused
from backend.i18n import gettext as _
from backend.privacy.sealing import derived_key
from backend.sales.codes import make_codes
from backend.sales.giving import give
from backend.web.desk.guard import needs, note, see_other, signed
from backend.web.desk.receipts import receipt_page
from backend.web.requests import services

MOST_GIVEN = 50  # tickets in one gift


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/codes", view_func=codes)
    bp.add_url_rule("/events/<slug>/codes", view_func=make, methods=["POST"])
    bp.add_url_rule("/events/<slug>/codes/withdraw", view_func=withdraw, methods=["POST"])
    bp.add_url_rule("/events/<slug>/codes/give", view_func=give_away, methods=["POST"])


@needs("make_codes")
def codes(slug: str) -> ResponseReturnValue:
    """What was made and used, and the forms for more."""
    return _page(slug)


@needs("make_codes")
def make(slug: str) -> ResponseReturnValue:
    """Make codes and show them, this once; or the form again with what is wrong."""
    parts = services()
    event = desk_event(parts.engine, slug)
    try:
        wish = wish_of(request.form, event["time_zone"])
        note("codes_make", f"event:{slug}", codes=wish.count, discount_bps=wish.offer.discount_bps)
        made = make_codes(parts.engine, slug, wish.offer, wish.count, wish.text, _seed(wish))
    except Refused as refused:
        return _page(slug, refusal=refused.refusal), HTTPStatus.CONFLICT
    return _page(slug, made=made)


@needs("make_codes")
def withdraw(slug: str) -> ResponseReturnValue:
    """End a batch of codes."""
    parts = services()
    event = desk_event(parts.engine, slug)
    text = request.form.get("made", "")
    made_ms = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    if not withdraw_codes(parts.engine, parts.secret, signed().name, event["id"], slug, made_ms):
        flash(_("These codes had ended already"))
    return see_other(f"/desk/events/{slug}/codes")


@needs("make_codes")
def give_away(slug: str) -> ResponseReturnValue:
    """Give tickets for nothing, and show the receipt to hand over. The same form again gives no more."""
    parts = services()
    event = desk_event(parts.engine, slug)
    text = request.form.get("quantity", "")
    quantity = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= quantity <= MOST_GIVEN:
        words = {"low": 1, "high": MOST_GIVEN}
        flash(_("Write a whole number from %(low)d to %(high)d") % words)
        return see_other(f"/desk/events/{slug}/codes")
    note("give", f"event:{slug}", tickets=quantity)
    wanted = LineWanted(request.form.get("class", ""), quantity)
    try:
        gift = give(parts, event["id"], (wanted,), f"desk:{request.form.get('form', '')}")
    except Refused as refused:
        flash(refused.refusal.sentence)
        return see_other(f"/desk/events/{slug}/codes")
    return receipt_page(gift.order_id)


def _seed(wish: Wish) -> bytes | None:
    """Of the form as it was given out and filled in; sent twice, it makes its codes once."""
    form = request.form.get("form", "")
    told = f"{signed().name}\0{form}\0{wish!r}".encode()
    return hmac.digest(derived_key(services().secret, "codes"), told, "sha256") if form and wish.text is None else None


def _page(slug: str, made: list[str] | None = None, refusal: Refusal | None = None) -> str:
    parts = services()
    event = desk_event(parts.engine, slug)
    return render_template(
        "desk/codes.html",
        event=event,
        batches=code_batches(parts.engine, event["id"]),
        made=made,
        refusal=refusal,
        filled=request.form if refusal else {},
        form=secrets.token_urlsafe(12),
        most_given=MOST_GIVEN,
    )

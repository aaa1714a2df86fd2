"""The waiting list of a sold-out class as pages: get in line, see how it stands, take the offer, get out.

The place and its secret lie in a signed cookie, as an order's do: two tabs can't overwrite each other's. The
event's page and "My tickets" show what this browser waits for.
"""

from dataclasses import dataclass
from uuid import UUID

from apiflask import APIBlueprint
from flask import current_app, flash, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.privacy.contacts import checked_contact
from backend.sales import waiting_list
from backend.sales.answers import rfc3339
from backend.sales.catalogue import describe_event
from backend.sales.words import in_words
from backend.web.pages.mine import remember
from backend.web.requests import services
from backend.web.visitors import slow_down

MAX_PLACES = 10  # newest; of one browser
COOKIE_SECONDS = 400 * 24 * 3600  # browsers keep no cookie for longer
LOOK_SECONDS = 30  # between two looks of the page by itself
_PREFIX = "waits-"


@dataclass(frozen=True, slots=True)
class Here:
    """A place on a waiting list that this browser took."""

    waiter_id: UUID
    secret: str
    slug: str
    class_code: str
    quantity: int


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/waiting-list", view_func=join_list, methods=["POST"])
    bp.add_url_rule("/waiting-list/<uuid:waiter_id>", view_func=place_in_line)
    bp.add_url_rule("/waiting-list/<uuid:waiter_id>/leave", view_func=leave_list, methods=["POST"])


def join_list(slug: str) -> ResponseReturnValue:
    """Get in line for a class; or back to the event with what stands in the way."""
    parts = services()
    event_id = parts.tills.event_id(slug)
    if event_id is None:
        raise refuse("unknown_event", _("There is no such event. The address may have a typing error"))
    code, quantity = request.form.get("class", ""), _whole(request.form.get("quantity", ""))
    mine = next((one for one in places_here(slug) if one.class_code == code and _waits(one)), None)
    if mine is not None:  # sent twice, or again from another tab: one place is enough
        return redirect(f"/waiting-list/{mine.waiter_id}", 303)
    slow_down("waiter")
    try:
        if quantity < 1:
            raise refuse("nothing_wanted", _("Order at least one ticket"))
        tell = waiting_list.Tell(
            checked_contact(request.form.get("mail", ""), "").mail, parts.settings.keep_personal_days
        )
        standing = waiting_list.join(parts.engine, parts.secret, event_id, code, quantity, tell)
    except Refused as refused:
        flash(in_words(refused).refusal.sentence)
        return redirect(f"/events/{slug}", 303)
    if tell.mail:
        flash(_("You are mailed when tickets are offered to you"))
    answer = redirect(f"/waiting-list/{standing.waiter_id}", 303)
    _keep(answer, Here(standing.waiter_id, standing.secret, slug, code, quantity))
    return answer


def place_in_line(waiter_id: UUID) -> ResponseReturnValue:
    """How the place stands; with the way to pay once tickets were offered."""
    mine = _opened(waiter_id)
    parts = services()
    standing = waiting_list.stand(parts.engine, parts.secret, waiter_id, mine.secret)
    event = describe_event(parts.engine, mine.slug, with_seats=False)
    names = {one["code"]: one["name"] for one in event["classes"]} if event else {}
    ends = rfc3339(standing.offer_ends_ms) if standing.offer_ends_ms is not None else None
    page = make_response(
        render_template(
            "waiting_list.html",
            event=event,
            mine=mine,
            standing=standing,
            class_name=names.get(mine.class_code, mine.class_code),
            offer_ends_at=ends,
        )
    )
    if standing.state == "offered" and standing.order_id is not None and standing.order_secret is not None:
        remember(page, standing.order_id, standing.order_secret)
    if standing.state == "waiting":
        page.headers["Refresh"] = str(LOOK_SECONDS)
    return page


def leave_list(waiter_id: UUID) -> ResponseReturnValue:
    """Get out of line."""
    parts, mine = services(), _opened(waiter_id)
    waiting_list.leave(parts.engine, parts.secret, waiter_id, mine.secret)
    return redirect(f"/waiting-list/{waiter_id}", 303)


def places_here(slug: str | None = None) -> list[Here]:
    """The places of this browser, those of one event or all."""
    found = [_read(name, value) for name, value in request.cookies.items() if name.startswith(_PREFIX)]
    return [one for one in found if one is not None and slug in (None, one.slug)]


def _waits(here: Here) -> bool:
    parts = services()
    try:
        standing = waiting_list.stand(parts.engine, parts.secret, here.waiter_id, here.secret)
    except Refused:
        return False
    return standing.state in ("waiting", "offered")


def _opened(waiter_id: UUID) -> Here:
    name = f"{_PREFIX}{waiter_id.hex}"
    mine = _read(name, request.cookies.get(name, ""))
    if mine is None:
        sentence = _("A place on a waiting list opens only in the browser that took it")
        raise refuse("order_not_here", sentence)
    return mine


def _keep(answer: Response, here: Here) -> None:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    for old in places_here()[MAX_PLACES - 1 :]:
        answer.delete_cookie(f"{_PREFIX}{old.waiter_id.hex}", httponly=True, samesite="Lax", secure=secure)
    value = _signer().dumps([here.waiter_id.hex, here.secret, here.slug, here.class_code, here.quantity])
    answer.set_cookie(
        f"{_PREFIX}{here.waiter_id.hex}",
        value if isinstance(value, str) else value.decode(),
        max_age=COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=secure,
    )


def _read(name: str, value: str) -> Here | None:
    try:
        about, secret, slug, code, quantity = _signer().loads(value)
        here = Here(UUID(hex=about), secret, slug, code, quantity)
    except (BadSignature, ValueError, TypeError):
        return None
    return here if name == f"{_PREFIX}{here.waiter_id.hex}" else None


def _signer() -> URLSafeSerializer:
    key = current_app.secret_key
    if key is None:
        raise AssertionError("the pages' ground sets it")
    return URLSafeSerializer(key, salt="waiting-list")


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0

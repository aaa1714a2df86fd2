"""The shop: what is on sale, one event, and the form that holds tickets."""

import secrets
import time
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import current_app, jsonify, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.domain.ids import new_id
from backend.domain.selling.requests import LineWanted
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.sales import codes, orders
from backend.sales.catalogue import describe_event, list_events, taken_seats
from backend.sales.order_list import open_holds
from backend.sales.words import in_words
from backend.web.pages.mine import orders_here, remember
from backend.web.pages.plan import by_row, draw
from backend.web.pages.waiting import PASS_COOKIE, must_wait
from backend.web.pages.waiting_list import places_here
from backend.web.requests import services
from backend.web.visitors import hold_ended, limits, visitor

MAX_FORM_CHARACTERS = 64  # of the name that a page gives itself
MAX_CODE_CHARACTERS = 40  # of a presale code or voucher, as in the API
SEATS_SECONDS = 2.0  # how old a process's knowledge of the taken seats may be; the till alone decides
LOOK_SECONDS = 10  # between two looks of a page at the seats
CODE_REFUSALS = ("unknown_code", "code_used_up", "code_expired", "code_for_other_class", "presale_only")
TRY_LATER = ("too_busy", "answer_unknown", "storage_full", "storage_read_only", "database_unreachable")


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/", view_func=events)
    bp.add_url_rule("/events/<slug>", view_func=event)
    bp.add_url_rule("/events/<slug>", view_func=choose, methods=["POST"])
    bp.add_url_rule("/events/<slug>/seats", view_func=seats)


def events() -> ResponseReturnValue:
    """Every event that is not over, the next one first."""
    return render_template("events.html", events=list_events(services().engine, over=False))


def event(slug: str) -> ResponseReturnValue:
    """One event, and the form to choose tickets."""
    found = _found(slug)
    if must_wait(UUID(found["id"])):
        return redirect(f"/events/{slug}/waiting", HTTPStatus.SEE_OTHER)
    return _page(found, MultiDict(), secrets.token_urlsafe(12))


def seats(slug: str) -> ResponseReturnValue:
    """Which seats are held and sold, for a page that shows the plan; 304 while nothing changed."""
    remembered: dict[str, tuple[float, dict[str, list[str]]]] = current_app.extensions.setdefault("truestub-seats", {})
    known = remembered.get(slug)
    if known is None or time.monotonic() - known[0] > SEATS_SECONDS:
        taken = taken_seats(services().engine, slug)
        if taken is None:
            raise _unknown()
        known = remembered[slug] = (time.monotonic(), taken)
    answer = make_response(jsonify(known[1]))
    answer.add_etag()
    return answer.make_conditional(request)


def choose(slug: str) -> ResponseReturnValue:
    """Hold what was chosen and go on to pay; or the form again, as it was filled in, with what is wrong."""
    parts = services()
    found = _found(slug)
    form = request.form.get("form", "")[:MAX_FORM_CHARACTERS] or secrets.token_urlsafe(12)
    try:
        address = visitor()
        limits().check_hold(address)
        lines = _wanted(found, request.form)
        event_id = UUID(found["id"])
        leave = parts.rooms.require_pass(event_id, request.cookies.get(PASS_COOKIE))
        order_id = new_id(int(parts.clock() * 1000))
        code = _code(event_id, request.form)
        key, terms = _key(form, lines, code), parts.settings.terms_version
        if leave is not None:  # a pass is good for one order: another choice takes the place of the one before
            _replace(event_id, order_id, form)
        held = orders.hold(parts.tills, parts.secret, event_id, order_id, lines, None, key, code, leave, terms)
    except Refused as refused:
        return _page(_found(slug), request.form, form, in_words(refused).refusal)
    held_id = UUID(held["order_id"])
    limits().unpaid.add(held_id, address)
    _replace(event_id, held_id, form)
    answer = redirect(f"/orders/{held_id}", HTTPStatus.SEE_OTHER)
    remember(answer, held_id, held["order_secret"], form)
    return answer


def _found(slug: str) -> dict[str, Any]:
    found = describe_event(services().engine, slug)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> Exception:
    return refuse("unknown_event", _("There is no such event. The address may have a typing error"))


def _page(
    found: dict[str, Any], filled: MultiDict[str, str], form: str, refusal: Refusal | None = None
) -> ResponseReturnValue:
    holds = open_holds(services().engine, UUID(found["id"]), [one.order_id for one in orders_here()])
    for one in found["classes"]:
        one["rows"] = by_row(one["seats"])
    page = make_response(
        render_template(
            "event.html",
            event=found,
            plan=draw(found["classes"]),
            look_seconds=LOOK_SECONDS,
            filled=filled,
            form=form,
            refusal=refusal,
            about_code=refusal is not None and refusal.code in CODE_REFUSALS,
            holds=holds,
            places=places_here(found["slug"]),
            mails=bool(services().settings.smtp_url),
        ),
        _status(refusal),
    )
    if refusal is not None and "retry_after" in refusal.details:
        page.headers["Retry-After"] = str(refusal.details["retry_after"])
    return page


def _status(refusal: Refusal | None) -> HTTPStatus:
    if refusal is None:
        return HTTPStatus.OK
    if refusal.code == "too_many_requests":
        return HTTPStatus.TOO_MANY_REQUESTS
    return HTTPStatus.SERVICE_UNAVAILABLE if refusal.code in TRY_LATER else HTTPStatus.CONFLICT


def _wanted(found: dict[str, Any], form: MultiDict[str, str]) -> tuple[LineWanted, ...]:
    lines = []
    for one in found["classes"]:
        seats = tuple(form.getlist(f"seat-{one['code']}"))
        quantity = _whole(form.get(f"quantity-{one['code']}", "0"))
        if seats and quantity:
            sentence = _("%(name)s: choose seats, or a number of best seats, not both")
            raise refuse("seats_do_not_match_quantity", sentence % {"name": one["name"]})
        if seats or quantity:
            lines.append(LineWanted(one["code"], quantity or len(seats), seats))
    if not lines:
        raise refuse("nothing_wanted", _("Choose at least one ticket"))
    return tuple(lines)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _code(event_id: UUID, form: MultiDict[str, str]) -> bytes | None:
    text = form.get("code", "").strip()
    if len(text) > MAX_CODE_CHARACTERS:
        raise refuse("unknown_code", _("There is no such code for this event; look for a typing error"))
    return codes.hash_code(event_id, text) if text.strip(" -") else None


def _key(form: str, lines: tuple[LineWanted, ...], code: bytes | None) -> str:
    """The same page sent twice is one order; sent with another choice, another one."""
    return sha256(repr((form, lines, *([code] if code else []))).encode()).hexdigest()


def _replace(event_id: UUID, kept: UUID, form: str) -> None:
    """Give back what this very page held before with another choice."""
    parts = services()
    before = [one for one in orders_here() if one.form == form and one.order_id != kept]
    for hold in open_holds(parts.engine, event_id, [one.order_id for one in before]):
        orders.release(parts.tills, event_id, hold.order_id)
        hold_ended(hold.order_id)

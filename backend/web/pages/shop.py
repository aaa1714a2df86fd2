"""The shop: what is on sale, one event, and the form that holds tickets."""

import secrets
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.domain.ids import new_id
from backend.domain.selling.requests import LineWanted
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.sales import orders
from backend.sales.catalogue import describe_event, list_events
from backend.sales.order_list import open_holds
from backend.sales.words import in_words
from backend.web.pages.mine import orders_here, remember
from backend.web.pages.waiting import PASS_COOKIE, must_wait
from backend.web.requests import services

MAX_FORM_CHARACTERS = 64  # of the name that a page gives itself
TRY_LATER = ("too_busy", "answer_unknown", "storage_full", "database_unreachable")


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/", view_func=events)
    bp.add_url_rule("/events/<slug>", view_func=event)
    bp.add_url_rule("/events/<slug>", view_func=choose, methods=["POST"])


def events() -> ResponseReturnValue:
    """Every event that is not over, the next one first."""
    return render_template("events.html", events=list_events(services().engine, over=False))


def event(slug: str) -> ResponseReturnValue:
    """One event, and the form to choose tickets."""
    found = _found(slug)
    if must_wait(UUID(found["id"])):
        return redirect(f"/events/{slug}/waiting", HTTPStatus.SEE_OTHER)
    return _page(found, MultiDict(), secrets.token_urlsafe(12))


def choose(slug: str) -> ResponseReturnValue:
    """Hold what was chosen and go on to pay; or the form again, as it was filled in, with what is wrong."""
    parts = services()
    found = _found(slug)
    form = request.form.get("form", "")[:MAX_FORM_CHARACTERS] or secrets.token_urlsafe(12)
    try:
        lines = _wanted(found, request.form)
        event_id = UUID(found["id"])
        parts.rooms.require_pass(event_id, request.cookies.get(PASS_COOKIE))
        order_id = new_id(int(parts.clock() * 1000))
        held = orders.hold(parts.tills, parts.secret, event_id, order_id, lines, None, _key(form, lines))
    except Refused as refused:
        return _page(_found(slug), request.form, form, in_words(refused).refusal)
    held_id = UUID(held["order_id"])
    _replace(event_id, held_id, form)
    answer = redirect(f"/orders/{held_id}", HTTPStatus.SEE_OTHER)
    remember(answer, held_id, held["order_secret"], form)
    return answer


def _found(slug: str) -> dict[str, Any]:
    found = describe_event(services().engine, slug)
    if found is None:
        raise refuse("unknown_event", _("There is no such event. The address may have a typing error"))
    return found


def _page(
    found: dict[str, Any], filled: MultiDict[str, str], form: str, refusal: Refusal | None = None
) -> ResponseReturnValue:
    holds = open_holds(services().engine, UUID(found["id"]), [one.order_id for one in orders_here()])
    later = refusal is not None and refusal.code in TRY_LATER
    status = HTTPStatus.OK if refusal is None else HTTPStatus.SERVICE_UNAVAILABLE if later else HTTPStatus.CONFLICT
    for one in found["classes"]:
        one["rows"] = _rows(one["seats"])
    page = render_template("event.html", event=found, filled=filled, form=form, refusal=refusal, holds=holds)
    return page, status


def _rows(seats: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Seats by row, in the plan's order; a label is row and place: A-12."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for seat in seats:
        row, _dash, place = seat["label"].rpartition("-")
        rows.setdefault(row, []).append({**seat, "place": place})
    return rows


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


def _key(form: str, lines: tuple[LineWanted, ...]) -> str:
    """The same page sent twice is one order; sent with another choice, another one."""
    return sha256(repr((form, lines)).encode()).hexdigest()


def _replace(event_id: UUID, kept: UUID, form: str) -> None:
    """Give back what this very page held before with another choice."""
    parts = services()
    before = [one for one in orders_here() if one.form == form and one.order_id != kept]
    for hold in open_holds(parts.engine, event_id, [one.order_id for one in before]):
        orders.release(parts.tills, event_id, hold.order_id)

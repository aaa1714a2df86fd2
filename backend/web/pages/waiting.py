"""The waiting room as a page: a place, an estimate, and the way on when it is time. Works without scripts.

Place and pass are kept in cookies of the event's own path; the page asks again by itself (the `Refresh` header).
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import current_app, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.catalogue import describe_event
from backend.waiting_room.desk import Standing
from backend.web.requests import services
from backend.web.visitors import slow_down
from backend.web.waiting_room import told

PLACE_COOKIE, PASS_COOKIE = "waiting-place", "waiting-pass"
COOKIE_SECONDS = 24 * 3600
SOONEST_SECONDS, LATEST_SECONDS = 3, 20  # between two looks of the page


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/waiting", view_func=waiting)
    bp.add_url_rule("/events/<slug>/waiting", view_func=join, methods=["POST"])


def waiting(slug: str) -> ResponseReturnValue:
    """How the visitor stands; goes on to the event by itself when it is time."""
    event_id, found = _found(slug)
    token = request.cookies.get(PLACE_COOKIE)
    try:
        standing = services().rooms.stand(event_id, token) if token else None
    except Refused as refused:
        if refused.refusal.code != "unknown_place":
            raise
        standing = None
    return _page(slug, found, standing)


def join(slug: str) -> ResponseReturnValue:
    """Take a place, unless the visitor has one whose turn is still to come."""
    event_id, found = _found(slug)
    token = request.cookies.get(PLACE_COOKIE)
    if token:
        try:
            standing = services().rooms.stand(event_id, token)
        except Refused:
            standing = None
        if standing is not None and standing.turn.state != "missed":
            return _page(slug, found, standing)
    slow_down("place")
    standing = services().rooms.join(event_id)
    answer = redirect(f"/events/{slug}/waiting", HTTPStatus.SEE_OTHER)
    _keep(answer, slug, PLACE_COOKIE, standing.place)
    return answer


def must_wait(event_id: UUID) -> bool:
    """Whether the visitor of this request has to go to the waiting room first."""
    rooms = services().rooms
    found = rooms.room(event_id)
    if found is None or found[1] < found[0].opens_ms:
        return False
    if found[1] < found[0].starts_ms:
        return "presale" not in request.args  # a presale code opens the till before the start, and nothing else does
    try:
        rooms.require_pass(event_id, request.cookies.get(PASS_COOKIE))
    except Refused:
        return True
    return False


def _page(slug: str, found: dict[str, Any], standing: Standing | None) -> ResponseReturnValue:
    if standing is not None and standing.leave is not None:
        answer = redirect(f"/events/{slug}", HTTPStatus.SEE_OTHER)
        _keep(answer, slug, PASS_COOKIE, standing.leave)
        return answer
    wait_ms = 1000 * standing.turn.wait_seconds if standing is not None else 0
    turn_at = rfc3339(int(services().clock() * 1000) + wait_ms)
    place = told(standing) if standing is not None else None
    page = make_response(render_template("waiting.html", event=found, place=place, turn_at=turn_at))
    if standing is not None and standing.turn.state != "missed":
        soon = min(max(standing.turn.wait_seconds // 4, SOONEST_SECONDS), LATEST_SECONDS)
        page.headers["Refresh"] = str(soon)
    return page


def _found(slug: str) -> tuple[UUID, dict[str, Any]]:
    found = describe_event(services().engine, slug, with_seats=False)
    if found is None:
        raise refuse("unknown_event", _("There is no such event. The address may have a typing error"))
    return UUID(found["id"]), found


def _keep(answer: Response, slug: str, name: str, value: str) -> None:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    answer.set_cookie(
        name,
        value,
        max_age=COOKIE_SECONDS,
        path=f"/events/{slug}",
        httponly=True,
        samesite="Lax",
        secure=secure,
    )

"""Move an event to another time."""

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.events import desk_event
from backend.desk.postponing import move_event, times_now
from backend.errors import Refusal, Refused
from backend.web.desk.guard import needs, see_other, signed
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/postpone", view_func=ask_to_postpone)
    bp.add_url_rule("/events/<slug>/postpone", view_func=postpone, methods=["POST"])


@needs("edit_events")
def ask_to_postpone(slug: str) -> ResponseReturnValue:
    """The form with the times as they are."""
    return _page(slug)


@needs("edit_events")
def postpone(slug: str) -> ResponseReturnValue:
    """Move it, or show the form again with what is wrong."""
    parts = services()
    try:
        move_event(parts.engine, parts.secret, signed().name, slug, request.form)
    except Refused as refused:
        return _page(slug, refused.refusal), HTTPStatus.CONFLICT
    return see_other(f"/desk/events/{slug}")


def _page(slug: str, refusal: Refusal | None = None) -> str:
    engine = services().engine
    return render_template(
        "desk/postpone.html",
        event=desk_event(engine, slug),
        filled=request.form if refusal else times_now(engine, slug),
        refusal=refusal,
    )

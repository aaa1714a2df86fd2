"""The organiser's events: the list, one event, its creation by form or file, its changes."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from apiflask import APIBlueprint
from flask import Response, flash, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from backend.chain.jobs import enqueue_create_event
from backend.desk import audit
from backend.desk.class_changes import change_classes
from backend.desk.editing import edit_event, editable
from backend.desk.event_form import CLASS_FIELDS, class_rows, event_file, field_of
from backend.desk.events import desk_event, desk_events, set_sales
from backend.domain.event_file import MAX_FILE_BYTES, OFFLINE_POLICIES, POLICIES, EventPlan, parse_event_file
from backend.errors import Refusal, Refused
from backend.i18n import gettext as _
from backend.sales.events import create_event, prepare_event
from backend.web.desk.guard import needs, note, see_other, signed, takes_files
from backend.web.requests import services

EMPTY_ROWS = 2  # kinds of tickets offered below those filled in


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("", view_func=events)
    bp.add_url_rule("/new", view_func=new)
    bp.add_url_rule("/new", view_func=create, methods=["POST"])
    bp.add_url_rule("/upload", view_func=upload, methods=["POST"])
    bp.add_url_rule("/events/<slug>", view_func=event)
    bp.add_url_rule("/events/<slug>/edit", view_func=edit)
    bp.add_url_rule("/events/<slug>/edit", view_func=save, methods=["POST"])
    bp.add_url_rule("/events/<slug>/classes", view_func=save_classes, methods=["POST"])
    bp.add_url_rule("/events/<slug>/pause", view_func=pause, methods=["POST"])
    bp.add_url_rule("/events/<slug>/resume", view_func=resume, methods=["POST"])


@needs("work")
def events() -> ResponseReturnValue:
    """Every event, the next one first."""
    return render_template("desk/events.html", events=desk_events(services().engine))


@needs("edit_events")
def new() -> ResponseReturnValue:
    """The forms for a new event."""
    return _form()


@needs("edit_events")
def create() -> ResponseReturnValue:
    """An event from the form; or the form again, as it was filled in."""
    rows = class_rows(request.form)
    if "more" in request.form:
        return _form(empty=len(rows) + EMPTY_ROWS)
    data = event_file(request.form, rows)
    if "download" in request.form:
        headers = {"Content-Disposition": 'attachment; filename="event.toml"'}
        return Response(data, mimetype="application/toml", headers=headers)
    try:
        return _created(data)
    except Refused as refused:
        return _form(refused.refusal), HTTPStatus.CONFLICT


@needs("edit_events")
@takes_files
def upload() -> ResponseReturnValue:
    """An event from a file, checked as `truestub event create` does."""
    file = request.files.get("file")
    try:
        return _created(file.read(MAX_FILE_BYTES + 1) if file else b"")
    except Refused as refused:
        return _form(refused.refusal), HTTPStatus.CONFLICT


@needs("work")
def event(slug: str) -> ResponseReturnValue:
    """One event: what is sold of what, and what can be done."""
    return render_template("desk/event.html", event=desk_event(services().engine, slug))


@needs("edit_events")
def edit(slug: str) -> ResponseReturnValue:
    """The form with what may still be changed."""
    return _edit_form(slug)


@needs("edit_events")
def save(slug: str) -> ResponseReturnValue:
    """Change it, or show the form again with what is wrong."""
    parts = services()
    try:
        edit_event(parts.engine, parts.secret, signed().name, slug, request.form)
    except Refused as refused:
        return _edit_form(slug, refused.refusal, filled=request.form), HTTPStatus.CONFLICT
    return see_other(f"/desk/events/{slug}")


@needs("edit_events")
def save_classes(slug: str) -> ResponseReturnValue:
    """Change prices and numbers of tickets, or show the forms again with what is wrong."""
    parts = services()
    try:
        change_classes(parts.engine, parts.secret, signed().name, slug, request.form)
    except Refused as refused:
        return _edit_form(slug, refused.refusal, filled_classes=request.form), HTTPStatus.CONFLICT
    return see_other(f"/desk/events/{slug}")


@needs("edit_events")
def pause(slug: str) -> ResponseReturnValue:
    """Stop selling for now."""
    return _set_sales(slug, paused=True)


@needs("edit_events")
def resume(slug: str) -> ResponseReturnValue:
    """Go on selling."""
    return _set_sales(slug, paused=False)


def _set_sales(slug: str, *, paused: bool) -> ResponseReturnValue:
    parts = services()
    found = desk_event(parts.engine, slug)
    try:
        if not set_sales(parts.engine, parts.secret, signed().name, slug, paused=paused):
            flash(_("%s is not in a state to do this") % found["name"])
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other(f"/desk/events/{slug}")


def _created(data: bytes) -> ResponseReturnValue:
    parts = services()
    plan: EventPlan = parse_event_file(data)
    note("event_create", f"event:{plan.slug}", file_sha256=sha256(data).hexdigest())
    event_id = create_event(parts.engine, plan, sha256(data).digest(), told=_note_changes)
    try:
        prepare_event(parts.engine, parts.signer, event_id, enqueue_create_event)
    except Refused as refused:  # the event is kept; the same form or file finishes it
        flash(refused.refusal.sentence)
    return see_other(f"/desk/events/{plan.slug}")


def _note_changes(connection: Connection, slug: str, changed: dict[str, list[Any]]) -> None:
    """Of an event whose file was loaded again."""
    audit.append(connection, services().secret, signed().name, "event_edit", f"event:{slug}", **changed)


def _edit_form(
    slug: str,
    refusal: Refusal | None = None,
    filled: Mapping[str, str] | None = None,
    filled_classes: Mapping[str, str] | None = None,
) -> str:
    """`filled`: the form as it was sent."""
    engine = services().engine
    event, known = desk_event(engine, slug), editable(engine, slug)
    return render_template(
        "desk/edit.html",
        event=event,
        known=known,
        filled=known["fields"] if filled is None else filled,
        filled_classes=filled_classes,
        refusal=refusal,
    )


def _form(refusal: Refusal | None = None, empty: int = EMPTY_ROWS) -> str:
    rows = class_rows(request.form)
    if refusal is not None and refusal.details.get("key"):
        refusal = Refusal(refusal.code, refusal.sentence, {"key": field_of(refusal.details["key"])})
    return render_template(
        "desk/new.html",
        filled=request.form,
        rows=[*rows, *([dict.fromkeys(CLASS_FIELDS, "")] * max(1, empty))],
        policies=POLICIES,
        offline_policies=OFFLINE_POLICIES,
        refusal=refusal,
    )

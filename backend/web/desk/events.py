"""The organiser's events: all of them, whatever their state."""

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from backend.desk.events import desk_events
from backend.web.desk.guard import needs
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("", view_func=events)


@needs("work")
def events() -> ResponseReturnValue:
    """Every event, the next one first."""
    return render_template("desk/events.html", events=desk_events(services().engine))

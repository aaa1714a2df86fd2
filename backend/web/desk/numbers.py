"""An event in numbers: charts and tables that go on by themselves, attendees, the export."""

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.attendees import ROWS_ON_A_PAGE, attendees, export
from backend.desk.events import desk_event
from backend.desk.figures import figures
from backend.web.desk.guard import needs, note
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/figures", view_func=charts)
    bp.add_url_rule("/events/<slug>/figures/now", view_func=charts_now)
    bp.add_url_rule("/events/<slug>/attendees", view_func=who_comes)
    bp.add_url_rule("/events/<slug>/attendees.csv", view_func=download, methods=["POST"])


@needs("see_figures")
def charts(slug: str) -> ResponseReturnValue:
    """Sales and entry as charts, and the same as tables."""
    engine = services().engine
    event = desk_event(engine, slug)
    return render_template("desk/figures.html", event=event, figures=figures(engine, event["id"]))


@needs("see_figures")
def charts_now(slug: str) -> ResponseReturnValue:
    """The live part of the page alone."""
    engine = services().engine
    event = desk_event(engine, slug)
    return render_template("desk/figures_now.html", event=event, figures=figures(engine, event["id"]))


@needs("find_orders")
def who_comes(slug: str) -> ResponseReturnValue:
    """The tickets of the event, a page at a time."""
    engine = services().engine
    event = desk_event(engine, slug)
    found = attendees(engine, event["id"], _uuid(request.args.get("after", "")))
    more = found[-1].ticket_id if len(found) == ROWS_ON_A_PAGE else None
    return render_template("desk/attendees.html", event=event, attendees=found, more=more)


@needs("export")
def download(slug: str) -> ResponseReturnValue:
    """Every ticket as CSV. Written down: lists of people leave the house with it."""
    engine = services().engine
    event = desk_event(engine, slug)
    note("export", f"event:{slug}")
    headers = {"Content-Disposition": f'attachment; filename="{slug}.csv"'}
    return Response(export(engine, services().secret, event["id"]), mimetype="text/csv", headers=headers)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

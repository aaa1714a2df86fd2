"""How we are: for people and programs that want to know what works.

`/status/stream` rings (server-sent events) when what is told changes; `data` is the whole status.
"""

import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any

import orjson
from apiflask import APIBlueprint
from flask import Response

from backend.db.engine import read
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.i18n import language, set_language
from backend.ops.status import incident_now
from backend.web.looking import history_if_seen, history_seen, status_seen
from backend.web.pages.errors import wants_page
from backend.web.pages.status import incident_page, status_page
from backend.web.requests import reply, services
from backend.wiring import Services

MAX_STREAMS = 4  # of the 32 threads of a web process (cli/web.py)
STREAM_SECONDS = 8.0  # then the line is free for another; shorter than a stop waits (ops/supervise.py)
LOOK_SECONDS = 1.0
MAX_NUMBER = (1 << 63) - 1  # that a database has for an incident
RETRY_MS = 2000  # before a browser rings up again

bp = APIBlueprint("status", __name__, enable_openapi=False)
_lines = threading.BoundedSemaphore(MAX_STREAMS)


@bp.get("/status")
@bp.get("/api/v1/status")
def status() -> Response:
    """What works, what waits, and since when, in words."""
    now = status_seen(services())
    if wants_page():
        return status_page(now, history_if_seen(services()))
    return Response(reply(now), 503 if now["state"] == "down" else 200, mimetype="application/json")


@bp.get("/status/incidents/<int:number>")
@bp.get("/api/v1/status/incidents/<int:number>")
def incident(number: int) -> Response:
    """One incident: timeline, estimate, report."""
    found = None
    if number <= MAX_NUMBER:
        with read(services().engine) as connection:
            found = incident_now(connection, number)
    if found is None:
        raise refuse("not_found", _("There is no such incident"))
    return incident_page(found) if wants_page() else Response(reply(found), mimetype="application/json")


@bp.get("/api/v1/status/history")
def history() -> Response:
    """Incidents of the last 90 days that are over, the newest first."""
    return Response(reply({"incidents": history_seen(services())}), mimetype="application/json")


@bp.get("/status/stream")
@bp.get("/api/v1/status/stream")
def stream() -> Response:
    """Server-sent events: the status, at once and whenever it changes. 204: no line is free; look every few seconds."""
    if not _lines.acquire(blocking=False):
        return Response(status=HTTPStatus.NO_CONTENT)
    answer = Response(_ring(services(), language()), mimetype="text/event-stream")
    answer.call_on_close(_lines.release)
    answer.headers["X-Accel-Buffering"] = "no"  # a proxy in between must pass each ring on at once
    return answer


def _ring(parts: Services, words: str) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    ends = time.monotonic() + STREAM_SECONDS
    told = b""
    while time.monotonic() < ends:
        set_language(words)  # the generator runs after the request's own context
        now = status_seen(parts)
        same = sha256(orjson.dumps({**now, "at": None, "last_known_at": None, "components": _calm(now)})).digest()
        yield f"data: {reply(now).decode()}\n\n" if same != told else ": still here\n\n"
        told = same
        time.sleep(LOOK_SECONDS)


def _calm(now: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The components without what changes every second."""
    return [(one["name"], one["state"], one["cause"]) for one in now["components"]]

"""An order's progress as it happens: a stream that rings when something changed, and the part of the page that did.

A stream holds one of the server's threads, so there are at most `MAX_STREAMS` in a process and each ends after
`STREAM_SECONDS`; the browser then rings up again. Who finds no line free looks at the page every few seconds instead
(static/js/order.js).
"""

import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson
from apiflask import APIBlueprint
from flask import Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine

from backend.sales.order_view import order_view
from backend.web.language import current_language
from backend.web.pages.mine import opened
from backend.web.pages.order import facts
from backend.web.requests import services

MAX_STREAMS = 8  # of the 32 threads of a web process (web/serving.py)
STREAM_SECONDS = 8.0  # then the line is free for another; shorter than a stop waits (ops/supervise.py)
LOOK_SECONDS = 0.5  # between two looks at the order
RETRY_MS = 1000  # before a browser rings up again

_lines = threading.BoundedSemaphore(MAX_STREAMS)


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/orders/<uuid:order_id>/progress", view_func=progress)
    bp.add_url_rule("/orders/<uuid:order_id>/stream", view_func=stream)


def progress(order_id: UUID) -> ResponseReturnValue:
    """The live part of the order's page; 304 while nothing changed."""
    opened(order_id)
    found = facts(order_id)
    answer = make_response(render_template("order_progress.html", **found))
    answer.set_etag(f"{digest(found['order'])}-{current_language()}")
    return answer.make_conditional(request)


def stream(order_id: UUID) -> ResponseReturnValue:
    """Server-sent events: `data` is the order's digest, at once and whenever it changes. 204: no line is free."""
    opened(order_id)
    if not _lines.acquire(blocking=False):
        return Response(status=HTTPStatus.NO_CONTENT)
    answer = Response(_ring(services().engine, order_id), mimetype="text/event-stream")
    answer.call_on_close(_lines.release)
    answer.headers["X-Accel-Buffering"] = "no"  # a proxy in between must pass each ring on at once
    return answer


def digest(order: dict[str, Any]) -> str:
    """Changes whenever the page would."""
    return sha256(orjson.dumps(order)).hexdigest()[:16]


def _ring(engine: Engine, order_id: UUID) -> Iterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    ends = time.monotonic() + STREAM_SECONDS
    told = ""
    while time.monotonic() < ends:
        now = digest(order_view(engine, order_id))
        yield f"data: {now}\n\n" if now != told else ": still here\n\n"  # also finds out whether anybody listens
        told = now
        time.sleep(LOOK_SECONDS)

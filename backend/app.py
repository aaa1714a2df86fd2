"""The web application: `create_app(services)` for tests and tools, `serve_from_environment()` for a server."""

import gc
import os
import sys
import time
from typing import Any

from apiflask import APIFlask
from flask import Response

from backend.i18n import set_language
from backend.logs import configure_logs
from backend.ops.supervise import die_with_parent
from backend.settings import Settings, settings_from
from backend.web import (
    apps,
    desk,
    events,
    finding,
    gates,
    moves,
    openapi,
    orders,
    pages,
    payments,
    probes,
    refunds,
    status,
    subscriptions,
    tickets,
    waiting_list,
    waiting_room,
)
from backend.web.express import Express
from backend.web.language import current_language
from backend.web.problems import install_problems
from backend.web.requests import MAX_BODY_BYTES, refuse_nul_in_address, refuse_slow_body
from backend.web.serving import Serving
from backend.web.sessions import ThriftySessions
from backend.web.visitors import init_limits
from backend.wiring import Services, wire

PARTS = (
    events,
    orders,
    finding,
    payments,
    probes,
    refunds,
    status,
    subscriptions,
    tickets,
    waiting_list,
    waiting_room,
    moves,
    gates,
    apps,
    pages,
    desk,
)

PATIENCE_SECONDS = 8.0  # of a request with the database; then it is a 503 that says to come again
SWITCH_SECONDS = 0.0005  # a busy thread gives way after this; Python's 0.005 is what the till paid at each of its waits
GC_ALLOCATIONS = 20_000  # objects made between two looks at the young ones; Python's default is 700

_HEADERS = {  # of every answer that does not set its own
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NO_STATIC: dict[str, Any] = {"static_folder": None}  # Flask's way to say so, which APIFlask's annotations forgot


def create_app(wiring: Settings | Services) -> APIFlask:
    """The application, wired by settings or by services made already."""
    services = wiring if isinstance(wiring, Services) else wire(wiring)
    app = APIFlask(__name__, title="Truestub", version="1", docs_path=None, spec_path=openapi.PATH, **_NO_STATIC)
    app.extensions["truestub"] = services
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    init_limits(app, services.settings, time.monotonic)
    openapi.describe(app)
    install_problems(app)
    app.session_interface = ThriftySessions()
    protection = protection_of(services)

    @app.before_request
    def _choose_language() -> None:
        set_language(current_language())
        refuse_slow_body()
        refuse_nul_in_address()

    @app.after_request
    def _protect(answer: Response) -> Response:
        # `setdefault` reads all headers anew for each of ours.
        there = {name.lower() for name, _value in answer.headers}
        answer.headers.extend([(name, value) for name, value in protection if name.lower() not in there])
        return answer

    for part in PARTS:  # after the defaults, so that what they add to an answer comes first
        app.register_blueprint(part.bp)
    return app


def protection_of(services: Services) -> list[tuple[str, str]]:
    """The headers of every answer that does not set its own."""
    https = services.settings.public_url.startswith("https://")
    return [*_HEADERS.items(), *([("Strict-Transport-Security", "max-age=31536000")] if https else [])]


def serve_from_environment() -> Serving:
    """For a server's worker process: reads TRUESTUB_* and ends when the server does."""
    die_with_parent()
    configure_logs("web")
    app = create_app(wire(settings_from(os.environ), patience_seconds=PATIENCE_SECONDS))
    # What is there now stays: a collector that walks it again and again took a twentieth of the till's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS)
    sys.setswitchinterval(SWITCH_SECONDS)
    return Serving(app, Express(app, protection_of(app.extensions["truestub"])))

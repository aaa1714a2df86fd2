"""The web application: `create_app(services)` for tests and tools, `create_app_from_environment()` for a server."""

import os
from typing import Any

from apiflask import APIFlask
from flask import Response

from backend.i18n import set_language
from backend.logs import configure_logs
from backend.ops.supervise import die_with_parent
from backend.settings import Settings, settings_from
from backend.web import apps, events, finding, gates, openapi, orders, pages, payments, status, tickets
from backend.web.language import current_language
from backend.web.problems import install_problems
from backend.web.requests import MAX_BODY_BYTES
from backend.wiring import Services, wire

PARTS = (events, orders, finding, payments, status, tickets, gates, apps, pages)

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
    openapi.describe(app)
    install_problems(app)
    secure = services.settings.public_url.startswith("https://")

    @app.before_request
    def _choose_language() -> None:
        set_language(current_language())

    @app.after_request
    def _protect(answer: Response) -> Response:
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        if secure:
            answer.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return answer

    for part in PARTS:  # after the defaults, so that what they add to an answer comes first
        app.register_blueprint(part.bp)
    return app


def create_app_from_environment() -> APIFlask:
    """For a server's worker process: reads TRUESTUB_* and ends when the server does."""
    die_with_parent()
    configure_logs("web")
    return create_app(settings_from(os.environ))

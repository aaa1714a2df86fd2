"""How we are: /healthz for machines that restart, /status for people and programs that want to know what works."""

from apiflask import APIBlueprint
from flask import Response

from backend.ops.disk import free_bytes
from backend.ops.status import status_now
from backend.web.pages.errors import wants_page
from backend.web.pages.status import status_page
from backend.web.requests import reply, services

bp = APIBlueprint("status", __name__, enable_openapi=False)


@bp.get("/healthz")
def healthz() -> Response:
    """Whether this process answers; says nothing of the database or the chain, which /status does."""
    return Response(b'{"status":"ok"}', mimetype="application/json")


@bp.get("/status")
@bp.get("/api/v1/status")
def status() -> Response:
    """What works, what waits, and since when, in words."""
    parts = services()
    now = status_now(parts.engine, parts.settings.signer_socket, free_bytes(parts.settings.data_dir))
    if wants_page():
        return status_page(now)
    return Response(reply(now), 503 if now["state"] == "down" else 200, mimetype="application/json")

"""What machines ask: is this process alive (/healthz), may it be sent buyers (/readyz), how is it doing (/metrics)."""

import hmac
import time

from apiflask import APIBlueprint
from flask import Flask, Response, current_app, g, request
from flask.blueprints import BlueprintSetupState
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from backend.db.migrate import is_current
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.metrics import Metrics
from backend.web.looking import readings_seen
from backend.web.requests import bearer_token, reply, services
from backend.wiring import Services

bp = APIBlueprint("probes", __name__, enable_openapi=False)


@bp.get("/healthz")
def healthz() -> Response:
    """Whether this process answers; says nothing of the database or the chain, which /status does."""
    return Response(b'{"status":"ok"}', mimetype="application/json")


@bp.get("/readyz")
def readyz() -> Response:
    """200 if this process can sell: the database answers and has our schema. 503 with the reasons if not.

    The chain is not among them: sales go on without it.
    """
    reasons = list(_unready(services()))
    body = {"ready": not reasons, "reasons": reasons}
    return Response(reply(body), 503 if reasons else 200, mimetype="application/json")


@bp.get("/metrics")
def metrics() -> Response:
    """For Prometheus; with a token, since queues and sales are nobody else's business."""
    settings = services().settings
    if settings.metrics_token or settings.environment == "production":
        token = bearer_token() or ""
        if not settings.metrics_token or not hmac.compare_digest(token.encode(), settings.metrics_token.encode()):
            raise refuse("not_found", _("There is nothing at this address"))
    return Response(generate_latest(_metrics().registry), content_type=CONTENT_TYPE_LATEST)


@bp.record_once
def _install(state: BlueprintSetupState) -> None:
    app = state.app
    if not isinstance(app, Flask):
        raise TypeError(app)
    parts: Services = app.extensions["truestub"]
    app.extensions["truestub_metrics"] = Metrics(
        lambda: readings_seen(parts),
        lambda: parts.tills.waiting,
    )
    app.before_request(_begin)
    app.after_request(_count)


def _begin() -> None:
    g.truestub_began = time.perf_counter()


def _count(answer: Response) -> Response:
    found = _metrics()
    route = str(request.url_rule) if request.url_rule is not None else "none"  # never an address with ids in it
    found.requests.labels(route, request.method, answer.status_code).inc()
    began = g.get("truestub_began")
    if began is not None:
        found.seconds.labels(route).observe(time.perf_counter() - began)
    return answer


def _unready(parts: Services) -> list[str]:
    try:
        current = parts.glance.ask(lambda: is_current(parts.engine))
    except Exception:  # noqa: BLE001 - whatever keeps the database from answering, we are not ready
        return ["database_unreachable"]
    return [] if current else ["schema_behind"]


def _metrics() -> Metrics:
    found: Metrics = current_app.extensions["truestub_metrics"]
    return found

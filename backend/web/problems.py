"""The one place that maps codes to HTTP: every error leaves as RFC 9457 problem+json."""

from apiflask import APIFlask
from flask import Response, json
from werkzeug.exceptions import HTTPException

from backend.errors import Refusal, Refused
from backend.i18n import gettext as _


def install_problems(app: APIFlask) -> None:
    """Answer every refusal and error of `app` as a problem."""

    @app.errorhandler(Refused)
    def _refused(error: Refused) -> Response:
        return problem(error.refusal, 409)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        return problem(
            Refusal(error.name.lower().replace(" ", "_"), error.description or error.name), error.code or 500
        )

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        app.logger.error("unexpected %s", type(error).__name__, exc_info=error)
        sentence = _("Something went wrong here. Nothing was lost; try again in a minute.")
        return problem(Refusal("internal_error", sentence), 500)


def problem(refusal: Refusal, status: int) -> Response:
    """A problem+json answer (RFC 9457)."""
    body = {
        "type": f"urn:truestub:problem:{refusal.code}",
        "title": refusal.code.replace("_", " "),
        "status": status,
        "code": refusal.code,
        "detail": refusal.sentence,
        **refusal.details,
    }
    return Response(json.dumps(body), status, mimetype="application/problem+json")

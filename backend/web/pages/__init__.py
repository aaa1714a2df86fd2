"""The pages people see: shop, order, status. This module lays the ground they stand on; each page is a neighbour.

Plain forms do everything; scripts only make it pleasanter. No script or style is inline. What a form sends carries a
CSRF token; what a form did is answered with a redirect. Order secrets live in cookies of ours, never in an address.
"""

import hmac
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Flask, request
from flask.blueprints import BlueprintSetupState
from flask_wtf.csrf import CSRFProtect

from backend.i18n import LANGUAGES
from backend.web.apps import static_files
from backend.web.language import HTML_LANGUAGES, LANGUAGE_NAMES, current_language, init_language, switch
from backend.web.pages import giving_away, giving_back, live, my_orders, order, shop, status, waiting, waiting_list
from backend.web.pages.compress import compress
from backend.web.pages.formats import init_formats
from backend.web.pages.headers import protect
from backend.web.requests import refuse_nul
from backend.web.subscriptions import ask_by_form
from backend.wiring import Services

_COOKIE_DOMAIN = b"truestub/page-cookies/1\0"

bp = APIBlueprint("pages", __name__, template_folder="../templates", enable_openapi=False)
bp.add_url_rule("/language/<language>", view_func=switch)
bp.add_url_rule("/banner", view_func=status.banner)
bp.add_url_rule("/status/subscribe", view_func=ask_by_form, methods=["POST"])
for views in (shop, waiting, waiting_list, my_orders, order, giving_back, giving_away, live):
    views.register(bp)

_csrf = CSRFProtect()


@bp.before_request
def check_form() -> None:
    """Refuse a form that was not made for this browser (CSRF)."""
    if request.method == "POST":
        _csrf.protect()
        refuse_nul(text for texts in request.form.listvalues() for text in texts)


@bp.record_once
def _lay(state: BlueprintSetupState) -> None:
    app = state.app
    if not isinstance(app, Flask):
        raise TypeError(app)
    services: Services = app.extensions["truestub"]
    _ground(app, services.secret, services.settings.public_url.startswith("https://"))


def _ground(app: Flask, secret: bytes, secure: bool) -> None:
    app.secret_key = hmac.digest(secret, _COOKIE_DOMAIN, "sha256")
    app.config.update(
        SESSION_COOKIE_NAME="truestub",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # the API has bearer secrets; pages are checked above
        WTF_CSRF_TIME_LIMIT=None,  # a page may lie open for as long as the browser does
        WTF_CSRF_SSL_STRICT=False,  # the token decides; a missing Referer is no attack
    )
    _csrf.init_app(app)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        html_language=lambda: HTML_LANGUAGES[current_language()],
        other_languages=_other_languages,
        file_url=_file_url,
        waiting=status.waiting,
    )
    init_language(app)
    init_formats(app)
    app.after_request(compress)
    app.after_request(protect)


def _other_languages() -> list[dict[str, str]]:
    here = request.full_path.rstrip("?") if request.method == "GET" else "/"
    return [
        {"url": f"/language/{code}?next={quote(here)}", "name": LANGUAGE_NAMES[code], "html": HTML_LANGUAGES[code]}
        for code in LANGUAGES
        if code != current_language()
    ]


def _file_url(path: str) -> str:
    """The address of a static file with its version, to be kept for a year."""
    address = f"/static/{path}"
    return f"{address}?v={static_files()[address].version}"

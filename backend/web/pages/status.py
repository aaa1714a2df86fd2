"""The status as a page, and as the banner of the other pages."""

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, make_response, render_template

from backend.ops.incident_words import report_lines, title
from backend.web.language import current_language
from backend.web.looking import status_seen
from backend.web.requests import services

REMEMBER_SECONDS = 3.0  # a banner may be so old; pages are asked for more often than that


@dataclass(frozen=True, slots=True)
class _Remembered:
    sentence: str | None
    until: float


def waiting() -> str | None:
    """What waits or is down just now, or is announced; none when all is well. Remembered for a moment."""
    language = current_language()
    memory: dict[str, _Remembered] = current_app.extensions.setdefault("truestub_waiting", {})
    known = memory.get(language)
    if known is None or known.until < time.monotonic():
        with _lock:
            known = _Remembered(_waiting(), time.monotonic() + REMEMBER_SECONDS)
            memory[language] = known
    return known.sentence


def banner() -> str:
    """The banner alone, for a page that lies open (static/js/banner_here.js)."""
    return render_template("banner.html")


def status_page(
    now: dict[str, Any], history: list[dict[str, Any]], typed: str = "", wrong: str | None = None
) -> Response:
    """The status for people. `wrong`: what to do about the address that they `typed`."""
    names = {one["name"]: title(one["name"]) for one in now["components"]}
    mails = bool(services().settings.smtp_url)
    page = render_template("status.html", now=now, titles=names, history=history, mails=mails, typed=typed, wrong=wrong)
    down = HTTPStatus.SERVICE_UNAVAILABLE if now["state"] == "down" else HTTPStatus.OK
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if wrong else down)


def incident_page(incident: dict[str, Any]) -> Response:
    """One incident with its timeline and report."""
    return make_response(render_template("incident.html", one=incident, lines=report_lines(incident["report"] or {})))


_lock = threading.Lock()


def _waiting() -> str | None:
    told: str | None = status_seen(services())["banner"]
    return told

"""The status as a page, and as the banner of the other pages."""

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, make_response, render_template

from backend.i18n import gettext as _
from backend.ops.disk import free_bytes
from backend.ops.status import status_now
from backend.web.language import current_language
from backend.web.requests import services

REMEMBER_SECONDS = 3.0  # a banner may be so old; pages are asked for more often than that
BUYERS_CARE = ("sales", "payments", "signer", "minting")  # components whose trouble a banner tells


@dataclass(frozen=True, slots=True)
class _Remembered:
    sentence: str | None
    until: float


def waiting() -> str | None:
    """One sentence on what waits or is down just now; none when all is well. Remembered for a moment."""
    language = current_language()
    memory: dict[str, _Remembered] = current_app.extensions.setdefault("truestub_waiting", {})
    known = memory.get(language)
    if known is None or known.until < time.monotonic():
        with _lock:
            known = _Remembered(_waiting(), time.monotonic() + REMEMBER_SECONDS)
            memory[language] = known
    return known.sentence


def status_page(now: dict[str, Any]) -> Response:
    """The status for people."""
    titles = {
        "sales": _("Sales"),
        "payments": _("Payments"),
        "amounts": _("Amounts paid"),
        "signer": _("Codes for phones"),
        "minting": _("Entries on the chain"),
        "index": _("Index of the chain"),
        "disk": _("Disk"),
    }
    page = render_template("status.html", now=now, titles=titles)
    return make_response(page, HTTPStatus.SERVICE_UNAVAILABLE if now["state"] == "down" else HTTPStatus.OK)


_lock = threading.Lock()


def _waiting() -> str | None:
    parts = services()
    now = status_now(parts.engine, parts.settings.signer_socket, free_bytes(parts.settings.data_dir))
    troubled = (one for one in now["components"] if one["state"] != "works" and one["name"] in BUYERS_CARE)
    return next((str(one["sentence"]) for one in troubled), None)

"""The orders this browser bought: one signed cookie for each, so that two tabs can't overwrite each other's.

A cookie holds the order's secret and the form that made the order. It is HttpOnly and SameSite; its name tells the
order's id, which alone opens nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.orders import event_of_order
from backend.web.requests import services

MAX_ORDERS = 20  # newest; more would make the requests' heads too large. A receipt opens what was dropped
_PREFIX = "order-"
_SECONDS = 400 * 24 * 3600  # browsers keep no cookie for longer


@dataclass(frozen=True, slots=True)
class Mine:
    """An order and what opens it. `form` names the page that made it, `since` when."""

    order_id: UUID
    secret: str
    form: str
    since: datetime


def orders_here() -> list[Mine]:
    """The orders of this browser, the newest first."""
    found = [_read(name, value) for name, value in request.cookies.items() if name.startswith(_PREFIX)]
    return sorted((one for one in found if one is not None), key=lambda one: one.since, reverse=True)


def opened(order_id: UUID) -> tuple[UUID, str]:
    """The event and the secret of an order of this browser; refuses (`order_not_here`) any other."""
    mine = _read(_name(order_id), request.cookies.get(_name(order_id), ""))
    if mine is None:
        sentence = _("An order opens only in the browser that bought it, or with its receipt")
        raise refuse("order_not_here", sentence)
    return event_of_order(services().engine, order_id, mine.secret), mine.secret


def remember(answer: Response, order_id: UUID, secret: str, form: str = "") -> None:
    """Let this browser open the order from now on."""
    for dropped in orders_here()[MAX_ORDERS - 1 :]:
        if dropped.order_id != order_id:
            answer.delete_cookie(_name(dropped.order_id), httponly=True, samesite="Lax", secure=_secure())
    value = _signer().dumps([order_id.hex, secret, form])
    answer.set_cookie(
        _name(order_id),
        value if isinstance(value, str) else value.decode(),
        max_age=_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=_secure(),
    )


def _read(name: str, value: str) -> Mine | None:
    try:
        (about, secret, form), since = _signer().loads(value, return_timestamp=True)
        order_id = UUID(hex=about)
    except (BadSignature, ValueError, TypeError):
        return None
    return Mine(order_id, secret, form, since) if name == _name(order_id) else None


def _name(order_id: UUID) -> str:
    return f"{_PREFIX}{order_id.hex}"


def _signer() -> URLSafeTimedSerializer:
    key = current_app.secret_key
    if key is None:
        raise AssertionError("the pages' ground sets it")
    return URLSafeTimedSerializer(key, salt="order")


def _secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])

"""Who may open which page of the desk. A page that names no permission is opened for nobody."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Response, current_app, g, redirect, request
from flask.typing import ResponseReturnValue

from backend.desk import audit, sessions
from backend.desk.roles import PERMISSIONS, may
from backend.domain.event_file import MAX_FILE_BYTES
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.web.pages import check_form
from backend.web.requests import services

COOKIE = "desk"
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 64 * 1024  # an event file, with the form around it
OPEN = "open"  # instead of a permission: whoever comes, signed in or not

View = TypeVar("View", bound=Callable[..., Any])


def needs(permission: str) -> Callable[[View], View]:
    """Open the view to those whose role has the permission."""
    if permission != OPEN and permission not in PERMISSIONS:
        raise AssertionError(permission)

    def mark(view: View) -> View:
        view.desk_permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def takes_files(view: View) -> View:
    """Let those who may open the view send larger bodies than others may."""
    view.desk_takes_files = True  # type: ignore[attr-defined]
    return view


def guard() -> ResponseReturnValue | None:
    """Before every request of the desk: who is it, may they, is the form theirs?"""
    view = current_app.view_functions[request.endpoint or ""]
    permission = getattr(view, "desk_permission", None)
    token = request.cookies.get(COOKIE, "")
    g.desk = sessions.signed(services().engine, token) if token else None
    if permission != OPEN:
        if g.desk is None:
            return _to_sign_in()
        if permission is None or not may(g.desk.role, permission):
            raise refuse("not_permitted", _("Your role at the desk does not include this; ask an owner"))
        if getattr(view, "desk_takes_files", False):
            request.max_content_length = MAX_UPLOAD_BYTES
    check_form()
    return None


def signed() -> sessions.Signed:
    """Who is at the desk, on a page that is not open to all."""
    found: sessions.Signed | None = g.desk
    if found is None:
        raise AssertionError("a guarded page was opened by nobody")
    return found


def note(action: str, about: str, **detail: Any) -> None:  # noqa: ANN401 - JSON values
    """Write down what is about to be done, in the name of who does it."""
    parts = services()
    audit.note(parts.engine, parts.secret, signed().name, action, about, **detail)


def see_other(path: str) -> Response:
    """What a form did is answered with the page that shows it."""
    answer = redirect(path, HTTPStatus.SEE_OTHER)
    if not isinstance(answer, Response):
        raise TypeError(answer)
    return answer


def keep(answer: Response, token: str) -> None:
    """Give the browser its session."""
    answer.set_cookie(COOKIE, token, path="/desk", httponly=True, samesite="Strict", secure=_secure())


def forget(answer: Response) -> None:
    """Take the session from the browser."""
    answer.delete_cookie(COOKIE, path="/desk", httponly=True, samesite="Strict", secure=_secure())


def _to_sign_in() -> ResponseReturnValue:
    if request.method != "GET":
        raise refuse("desk_signed_out", _("You are signed out of the desk; sign in and do it again"))
    return see_other(f"/desk/sign-in?next={quote(request.path)}")


def _secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])

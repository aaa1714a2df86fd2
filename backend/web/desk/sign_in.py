"""Sign in with name, password and a one-time code, or with a passkey; sign out."""

from collections.abc import Callable
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import g, render_template, request, session
from flask.typing import ResponseReturnValue

from backend.desk import passkeys, sessions
from backend.desk.passkeys import site_of
from backend.errors import Refusal, Refused
from backend.web.desk.guard import COOKIE, OPEN, forget, keep, needs, see_other
from backend.web.requests import services
from backend.web.visitors import visitor

MAX_FIELD_CHARACTERS = 200


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/sign-in", view_func=ask)
    bp.add_url_rule("/sign-in", view_func=let_in, methods=["POST"])
    bp.add_url_rule("/sign-in/passkey", view_func=let_in_by_passkey, methods=["POST"])
    bp.add_url_rule("/sign-out", view_func=let_out, methods=["POST"])


@needs(OPEN)
def ask() -> ResponseReturnValue:
    """The form; whoever is signed in goes on to the desk."""
    return see_other("/desk") if g.desk is not None else _page()


@needs(OPEN)
def let_in() -> ResponseReturnValue:
    """Sign in, and go on to where the reader wanted to be."""
    parts = services()
    fields = (request.form.get(name, "")[:MAX_FIELD_CHARACTERS] for name in ("name", "password", "code"))
    name, password, code = fields
    address = visitor()
    return _signed_in(
        lambda: sessions.sign_in(
            parts.engine, parts.secret, name.strip().lower(), password, code.replace(" ", ""), address
        )
    )


@needs(OPEN)
def let_in_by_passkey() -> ResponseReturnValue:
    """Sign in with what a passkey answered."""
    parts, answer = services(), request.form.get("answer", "")
    site = site_of(parts.settings.public_url)
    return _signed_in(lambda: passkeys.sign_in(parts.engine, parts.secret, site, answer, visitor()))


@needs("work")
def let_out() -> ResponseReturnValue:
    """End the session, here and in the database."""
    sessions.sign_out(services().engine, request.cookies.get(COOKIE, ""))
    session.clear()
    answer = see_other("/desk/sign-in")
    forget(answer)
    return answer


def _signed_in(prove: Callable[[], str]) -> ResponseReturnValue:
    """Go on with the session that `prove` opened, or show the form again and say why not."""
    try:
        token = prove()
    except Refused as refused:
        status = HTTPStatus.UNAUTHORIZED
        if refused.refusal.code == "too_many_attempts":
            status = HTTPStatus.TOO_MANY_REQUESTS
        return _page(refused.refusal), status
    session.clear()  # the forms' token of before is nobody's business any more
    answer = see_other(wanted(request.form.get("next", "")))
    keep(answer, token)
    return answer


def _page(refusal: Refusal | None = None) -> str:
    parts = services()
    return render_template(
        "desk/sign_in.html",
        refusal=refusal,
        name=request.form.get("name", "")[:MAX_FIELD_CHARACTERS],
        next=wanted(request.values.get("next", "")),
        options=passkeys.request_options(parts.engine, parts.secret, site_of(parts.settings.public_url)),
    )


def wanted(target: str) -> str:
    """Only a page of the desk: no other site, no other part of this one."""
    plain = target == "/desk" or target.startswith("/desk/")
    return target if plain and "\\" not in target and target.isprintable() else "/desk"

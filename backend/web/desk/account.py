"""One's own account: a new password."""

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from backend.desk import accounts
from backend.errors import Refusal, Refused
from backend.web.desk.guard import forget, needs, see_other, signed
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/account", view_func=mine)
    bp.add_url_rule("/account", view_func=change, methods=["POST"])


@needs("work")
def mine() -> ResponseReturnValue:
    """Name, role, and the form for a new password."""
    return render_template("desk/account.html", refusal=None)


@needs("work")
def change() -> ResponseReturnValue:
    """A new password, if the old one and a code are right; every session ends, this one too."""
    parts, who = services(), signed()
    old, new, code = (request.form.get(name, "") for name in ("old", "new", "code"))
    try:
        accounts.change_password(
            parts.engine, parts.secret, who.name, old, new, code.replace(" ", ""), request.remote_addr or ""
        )
    except Refused as refused:
        return _again(refused.refusal)
    answer = see_other("/desk/sign-in")
    forget(answer)
    return answer


def _again(refusal: Refusal) -> ResponseReturnValue:
    return render_template("desk/account.html", refusal=refusal), HTTPStatus.CONFLICT

"""One's own account: a new password, passkeys."""

from http import HTTPStatus
from uuid import UUID

from apiflask import APIBlueprint
from flask import render_template, request
from flask.typing import ResponseReturnValue

from backend.desk import accounts, passkeys
from backend.desk.passkeys import site_of
from backend.errors import Refusal, Refused
from backend.sales.answers import rfc3339
from backend.web.desk.guard import forget, needs, see_other, signed
from backend.web.requests import services
from backend.web.visitors import visitor


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/account", view_func=mine)
    bp.add_url_rule("/account", view_func=change, methods=["POST"])
    bp.add_url_rule("/account/passkeys/new", view_func=begin_passkey, methods=["POST"])
    bp.add_url_rule("/account/passkeys", view_func=add_passkey, methods=["POST"])
    bp.add_url_rule("/account/passkeys/<uuid:passkey>/remove", view_func=remove_passkey, methods=["POST"])


@needs("work")
def mine() -> ResponseReturnValue:
    """Name, role, and the form for a new password."""
    return _page()


@needs("work")
def change() -> ResponseReturnValue:
    """A new password, if the old one and a code are right; every session ends, this one too."""
    parts, who = services(), signed()
    old, new, code = (request.form.get(name, "") for name in ("old", "new", "code"))
    try:
        accounts.change_password(parts.engine, parts.secret, who.name, old, new, code.replace(" ", ""), visitor())
    except Refused as refused:
        return _again(refused.refusal)
    answer = see_other("/desk/sign-in")
    forget(answer)
    return answer


@needs("work")
def begin_passkey() -> ResponseReturnValue:
    """Password and code once more, then the page on which the browser makes the passkey."""
    parts, who = services(), signed()
    password, code = (request.form.get(name, "") for name in ("password", "passkey_code"))
    address = visitor()
    try:
        passkeys.prove_for_new(parts.engine, parts.secret, who.name, password, code.replace(" ", ""), address)
    except Refused as refused:
        return _again(refused.refusal)
    site = site_of(parts.settings.public_url)
    options = passkeys.creation_options(parts.engine, parts.secret, site, who.account_id, who.name)
    return render_template("desk/new_passkey.html", options=options)


@needs("work")
def add_passkey() -> ResponseReturnValue:
    """Keep the passkey that the browser made."""
    parts, who = services(), signed()
    label, answer = (request.form.get(name, "") for name in ("label", "answer"))
    site = site_of(parts.settings.public_url)
    try:
        passkeys.add_passkey(parts.engine, parts.secret, site, who.account_id, who.name, label, answer)
    except Refused as refused:
        return _again(refused.refusal)
    return see_other("/desk/account")


@needs("work")
def remove_passkey(passkey: UUID) -> ResponseReturnValue:
    """Let nobody in by this passkey any more."""
    parts, who = services(), signed()
    passkeys.remove_passkey(parts.engine, parts.secret, who.account_id, who.name, passkey)
    return see_other("/desk/account")


def _page(refusal: Refusal | None = None) -> str:
    kept = [
        {
            "id": one.id,
            "label": one.label,
            "created": rfc3339(one.created_ms),
            "used": one.used_ms and rfc3339(one.used_ms),
        }
        for one in passkeys.passkeys(services().engine, signed().account_id)
    ]
    return render_template("desk/account.html", refusal=refusal, passkeys=kept)


def _again(refusal: Refusal) -> ResponseReturnValue:
    return _page(refusal), HTTPStatus.CONFLICT

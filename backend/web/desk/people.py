"""Who works at the desk, and what was done there."""

from http import HTTPStatus

from apiflask import APIBlueprint
from flask import flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk import accounts, audit
from backend.desk.accounts import SetUp
from backend.desk.roles import ROLES
from backend.errors import Refusal, Refused
from backend.sales.answers import rfc3339
from backend.web.desk.guard import needs, see_other, signed
from backend.web.desk.pictures import qr_picture
from backend.web.requests import services

ENTRIES_ON_A_PAGE = 100


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/people", view_func=people)
    bp.add_url_rule("/people", view_func=add, methods=["POST"])
    bp.add_url_rule("/people/<name>/role", view_func=change_role, methods=["POST"])
    bp.add_url_rule("/people/<name>/renew", view_func=renew, methods=["POST"])
    bp.add_url_rule("/people/<name>/close", view_func=close, methods=["POST"])
    bp.add_url_rule("/audit", view_func=audit_log)


@needs("manage_people")
def people() -> ResponseReturnValue:
    """Every account, and the form for a new one."""
    return _page()


@needs("manage_people")
def add() -> ResponseReturnValue:
    """A new account; its second factor is shown on this answer and never again."""
    parts, who = services(), signed()
    name, role, password = (request.form.get(field, "") for field in ("name", "role", "password"))
    try:
        made = accounts.add_account(parts.engine, parts.secret, who.name, name.strip().lower(), role, password)
    except Refused as refused:
        return _page(refused.refusal), HTTPStatus.CONFLICT
    return _set_up(made)


@needs("manage_people")
def renew(name: str) -> ResponseReturnValue:
    """A new password and second factor for who lost either."""
    parts, who = services(), signed()
    try:
        made = accounts.renew_account(parts.engine, parts.secret, who.name, name, request.form.get("password", ""))
    except Refused as refused:
        return _page(refused.refusal), HTTPStatus.CONFLICT
    return _set_up(made)


@needs("manage_people")
def change_role(name: str) -> ResponseReturnValue:
    """Another role for the account."""
    parts, who = services(), signed()
    try:
        accounts.change_role(parts.engine, parts.secret, who.name, name, request.form.get("role", ""))
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other("/desk/people")


@needs("manage_people")
def close(name: str) -> ResponseReturnValue:
    """Close the account."""
    parts, who = services(), signed()
    try:
        accounts.close_account(parts.engine, parts.secret, who.name, name)
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other("/desk/people")


@needs("read_audit")
def audit_log() -> ResponseReturnValue:
    """What was done at the desk, the newest first."""
    before = request.args.get("before", "")
    entries = audit.latest(
        services().engine, int(before) if before.isascii() and before.isdigit() else None, ENTRIES_ON_A_PAGE
    )
    told = [{**one, "at": rfc3339(one["at_ms"])} for one in entries]
    more = told[-1]["number"] if len(told) == ENTRIES_ON_A_PAGE else None
    return render_template("desk/audit.html", entries=told, more=more)


def _page(refusal: Refusal | None = None) -> str:
    found = accounts.accounts(services().engine)
    return render_template("desk/people.html", accounts=found, roles=ROLES, refusal=refusal, filled=request.form)


def _set_up(made: SetUp) -> str:
    return render_template("desk/set_up.html", made=made, picture=qr_picture(made.address))

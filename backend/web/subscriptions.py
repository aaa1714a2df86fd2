"""Being told of incidents: asking, confirming, and being forgotten.

The token of a link is the authority for what it does, so these forms carry no CSRF token: RFC 8058's one-click
unsubscription sends none. A GET changes nothing, since mail programs fetch links on their own.
"""

from http import HTTPStatus
from typing import Literal
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from backend.db.engine import read
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.i18n import language
from backend.notices import subscribers
from backend.notices.outbox import enqueue_confirmation
from backend.notices.subscribers import Book, Channel
from backend.notices.webhook import secret_text
from backend.web.looking import history_if_seen, status_seen
from backend.web.pages.status import status_page
from backend.web.requests import Body, keyed, reply, services, takes

bp = APIBlueprint("subscriptions", __name__, tag="Status")


class SubscriptionIn(Body):
    """Who wants to be told."""

    channel: Literal["mail", "webhook"]
    address: str = Field(max_length=2000, description="a mail address, or the https:// address of a webhook")


class SubscriptionOut(BaseModel):
    """The same answer whether or not the address was known."""

    state: Literal["asked"]
    secret: str | None = Field(None, description="of a new webhook: its messages are signed with it")


@bp.post("/api/v1/subscriptions")
@bp.output(SubscriptionOut, 202)
@bp.doc(responses=[400, 409, 422, 429])
@keyed(bp)
@takes(bp, SubscriptionIn)
def subscribe(key: str, body: SubscriptionIn) -> Response:  # noqa: ARG001 - asking twice is asking once, by address
    """Ask to be told of incidents. Mail: a link comes to confirm. Webhook: it must repeat the challenge it is sent."""
    secret = _ask(body.channel, body.address)
    return Response(reply({"state": "asked", "secret": secret}), 202, mimetype="application/json")


@bp.get("/subscriptions/<token>")
@bp.doc(hide=True)
def subscription(token: str) -> ResponseReturnValue:
    """The page of a link: confirm, or stop."""
    found = _opened(token)
    with read(services().engine) as connection:
        who = _book().find(connection, found)
    page = render_template("subscription.html", token=token, state=who.state if who else "gone")
    return make_response(page, HTTPStatus.OK if who else HTTPStatus.NOT_FOUND)


@bp.post("/subscriptions/<token>")
@bp.doc(hide=True)
def confirm(token: str) -> ResponseReturnValue:
    """The owner of the address says yes."""
    found = _opened(token)
    with services().engine.begin() as connection:
        if not subscribers.confirm(connection, found):
            raise refuse("not_found", _("This subscription is gone; ask again on the status page"))
    return redirect(f"/subscriptions/{token}", 303)


@bp.post("/subscriptions/<token>/stop")
@bp.doc(hide=True)
def stop(token: str) -> ResponseReturnValue:
    """Never again; the address is erased."""
    found = _opened(token)
    with services().engine.begin() as connection:
        subscribers.forget(connection, found)
    return make_response(render_template("subscription.html", token=token, state="gone"))


@bp.get("/subscriptions/<token>/stop")
@bp.doc(hide=True)
def ask_to_stop(token: str) -> ResponseReturnValue:
    """Where a mail program opens the link instead of posting to it."""
    return redirect(f"/subscriptions/{token}", 303)


def ask_by_form() -> ResponseReturnValue:
    """The status page's form (checked for CSRF by the pages' blueprint)."""
    address = request.form.get("address", "")
    try:
        _ask("mail", address)
    except Refused as refused:
        if refused.refusal.code != "bad_address":
            raise
        parts, wrong = services(), refused.refusal.sentence
        return status_page(status_seen(parts), history_if_seen(parts), address, wrong)
    return make_response(render_template("subscription.html", token="", state="asked"))


def _ask(channel: Channel, address: str) -> str | None:
    parts, book = services(), _book()
    if channel == "mail" and not parts.settings.smtp_url:
        raise refuse("no_mail", _("This platform sends no mail; use a webhook or look at the status page"))
    address = subscribers.checked(channel, address, strangers=parts.settings.environment == "production")
    with parts.engine.begin() as connection:
        found, new = book.ask(connection, channel, address, language())
        if new:
            enqueue_confirmation(connection, found)
    return secret_text(book.hook_key(found)) if channel == "webhook" and new else None


def _book() -> Book:
    return Book(services().secret)


def _opened(token: str) -> UUID:
    found = _book().opened(token)
    if found is None:
        raise refuse("not_found", _("This link is not ours, or was cut short; open it from the mail again"))
    return found

"""An event's waiting lists: who waits and how long, the export, and taking somebody off at their wish.

Addresses are shown on a form's answer alone, to who may see them, and each time is written down.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, flash, render_template, request
from flask.typing import ResponseReturnValue

from backend.desk.attendees import ROWS_ON_A_PAGE
from backend.desk.events import desk_event
from backend.desk.roles import may
from backend.desk.waiters import Place, counts, export, find_places, mails_of, places, places_of
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.privacy.contacts import orders_by_mail
from backend.privacy.waiters import waiters_by_mail
from backend.sales.waiting_list import take_off
from backend.web.desk.guard import needs, note, see_other, signed
from backend.web.desk.words import LEAVING_WORDS, PROOF_WORDS
from backend.web.requests import services


def register(bp: APIBlueprint) -> None:
    """Add the views."""
    bp.add_url_rule("/events/<slug>/waiting-list", view_func=who_waits)
    bp.add_url_rule("/events/<slug>/waiting-list/addresses", view_func=with_addresses, methods=["POST"])
    bp.add_url_rule("/events/<slug>/waiting-list/find", view_func=look_for, methods=["POST"])
    bp.add_url_rule("/events/<slug>/waiting-list.csv", view_func=download_list, methods=["POST"])
    bp.add_url_rule("/events/<slug>/waiting-list/<uuid:waiter_id>", view_func=one_waits)
    bp.add_url_rule("/events/<slug>/waiting-list/<uuid:waiter_id>/remove", view_func=remove, methods=["POST"])


@needs("find_orders")
def who_waits(slug: str) -> ResponseReturnValue:
    """The lists, a page at a time, without addresses."""
    return _page(slug)


@needs("see_buyers")
def with_addresses(slug: str) -> ResponseReturnValue:
    """The same page with the addresses of the people on it. Written down: this is reading personal data."""
    return _page(slug, addresses=True)


@needs("find_orders")
def look_for(slug: str) -> ResponseReturnValue:
    """Somebody's places, by a place's number or a mail address, which is sent in the body and ends in no log."""
    parts = services()
    event, wanted = desk_event(parts.engine, slug), request.form.get("wanted", "")
    if "@" not in wanted:
        return _shown(event, find_places(parts.engine, event["id"], wanted), wanted=wanted)
    if not may(signed().role, "see_buyers"):
        flash(_("Your role does not see mail addresses; look for the number of the place"))
        return see_other(f"/desk/events/{slug}/waiting-list")
    note("waiting_list_find", f"event:{slug}")
    theirs = [one(parts.engine, parts.secret, wanted) for one in (waiters_by_mail, orders_by_mail)]
    return _shown(event, places_of(parts.engine, event["id"], *theirs), wanted=wanted)


@needs("export")
def download_list(slug: str) -> ResponseReturnValue:
    """Everybody on the lists as CSV. Written down: lists of people leave the house with it."""
    parts = services()
    event = desk_event(parts.engine, slug)
    note("waiting_list_export", f"event:{slug}")
    headers = {"Content-Disposition": f'attachment; filename="{slug}-waiting-list.csv"'}
    return Response(export(parts.engine, parts.secret, event["id"]), mimetype="text/csv", headers=headers)


@needs("help_buyers")
def one_waits(slug: str, waiter_id: UUID) -> ResponseReturnValue:
    """One place, and the form that takes it off the list."""
    event = desk_event(services().engine, slug)
    place = _place(event["id"], waiter_id)
    return render_template(
        "desk/waiter.html", event=event, place=place, reasons=_said(LEAVING_WORDS), proofs=_said(PROOF_WORDS)
    )


@needs("help_buyers")
def remove(slug: str, waiter_id: UUID) -> ResponseReturnValue:
    """Take them off at their wish; what was offered to them goes to the next."""
    parts = services()
    event_id = desk_event(parts.engine, slug)["id"]
    _place(event_id, waiter_id)
    there = f"/desk/events/{slug}/waiting-list/{waiter_id}"
    reason, shown = request.form.get("reason", ""), request.form.getlist("shown")
    if reason not in LEAVING_WORDS or not shown or not set(shown) <= set(PROOF_WORDS):
        flash(_("Say why, and how you know that it is their place"))
        return see_other(there)
    note("waiting_list_remove", f"waiter:{waiter_id}", reason=reason, shown=sorted(shown), event=slug)
    try:
        take_off(parts.engine, parts.tills, event_id, waiter_id)
    except Refused as refused:
        flash(refused.refusal.sentence)
    return see_other(there)


def _place(event_id: UUID, waiter_id: UUID) -> Place:
    found = places_of(services().engine, event_id, [waiter_id], [])
    if not found:
        raise refuse("unknown_waiter", _("There is no such place on this waiting list"))
    return found[0]


def _page(slug: str, *, addresses: bool = False) -> str:
    parts = services()
    event = desk_event(parts.engine, slug)
    asked = request.form if addresses else request.args
    waiting = asked.get("only", "") == "waiting"
    found = places(parts.engine, event["id"], _uuid(asked.get("after", "")), waiting=waiting)
    mails = None
    if addresses:
        note("waiting_list_read", f"event:{slug}", people=len(found))
        mails = mails_of(parts.engine, parts.secret, found)
    return _shown(event, found, mails, waiting=waiting, after=asked.get("after", ""))


def _shown(
    event: dict[str, Any],
    found: list[Place],
    mails: dict[UUID, str] | None = None,
    *,
    wanted: str | None = None,
    waiting: bool = False,
    after: str = "",
) -> str:
    """`wanted`: what was looked for; none on the lists themselves."""
    return render_template(
        "desk/waiting_list.html",
        event=event,
        counts=counts(services().engine, event["id"]),
        places=found,
        mails=mails,
        wanted=wanted,
        only_waiting=waiting,
        after=after,
        more=found[-1].waiter_id if wanted is None and len(found) == ROWS_ON_A_PAGE else None,
    )


def _said(words: dict[str, Callable[[], str]]) -> list[tuple[str, str]]:
    return [(code, say()) for code, say in words.items()]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None

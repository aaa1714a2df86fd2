"""What to tell a buyer for each refusal of the till: said here, where the reader's language is known."""

from collections.abc import Callable
from typing import Any

from backend.domain.selling.outcomes import No
from backend.errors import Refusal, Refused
from backend.i18n import gettext as _
from backend.i18n import ngettext

SHORT_PAUSE_SECONDS = 1  # Retry-After where the next batch may have room
DATABASE_PAUSE_SECONDS = 5
STORAGE_PAUSE_SECONDS = 30


def refusal(no: No) -> Refusal:
    """The refusal in words."""
    return Refusal(no.code, _sentence(no.code, no.details), no.details)


def till_refusal(code: str) -> Refusal:
    """Why the till itself gave no answer, with `retry_after` in seconds."""
    match code:
        case "too_busy":
            sentence, pause = _("Many people are buying right now; try again in a moment"), SHORT_PAUSE_SECONDS
        case "answer_unknown":
            sentence = _("This takes longer than usual; send the same request again, with the same key, to learn more")
            pause = SHORT_PAUSE_SECONDS
        case "storage_full" | "storage_read_only":
            sentence = _("We can't store anything right now: this was not done and not charged. Try again in a minute")
            pause = STORAGE_PAUSE_SECONDS
        case "payment_unrecorded":
            sentence = _(
                "Your payment may have gone through, but we can't write it down right now. Send the same request "
                "again, with the same key, in a minute: you are not charged twice"
            )
            pause = STORAGE_PAUSE_SECONDS
        case _:
            sentence = _("Our database does not answer; send the same request again, with the same key, in a moment")
            pause = DATABASE_PAUSE_SECONDS
    return Refusal(code, sentence, {"retry_after": pause})


def in_words(refused: Refused) -> Refused:
    """A refusal of the till that was made without words, with them."""
    return Refused(till_refusal(refused.refusal.code)) if not refused.refusal.sentence else refused


def _sentence(code: str, details: dict[str, Any]) -> str:
    return _SENTENCES[code](details) if code in _SENTENCES else code


def _sold_out(details: dict[str, Any]) -> str:
    if details.get("may_come_back"):
        return _("Sold out for now. Tickets that others do not pay for come back within minutes; try again")
    return _("Sold out")


def _too_few_left(details: dict[str, Any]) -> str:
    left = int(details["left"])
    return ngettext("Only %d ticket of this kind is left", "Only %d tickets of this kind are left", left) % left


def _over_limit(details: dict[str, Any]) -> str:
    limit = int(details["limit"])
    return ngettext("One order can have %d ticket", "One order can have at most %d tickets", limit) % limit


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "sold_out": _sold_out,
    "too_few_left": _too_few_left,
    "over_limit": _over_limit,
    "seat_taken": lambda one: _("Somebody was faster: %s. Choose other seats") % ", ".join(one["seats"]),
    "extended_enough": lambda _one: _("The time was extended as often as it can be; pay, or give the tickets back"),
    "over_buyers_limit": lambda one: _("One buyer can have %(limit)d tickets of this event; you have %(have)d") % one,
    "buyer_unknown": lambda one: (
        ngettext(
            "One buyer can have %(limit)d ticket of this event: leave your mail address, or order with a wallet",
            "One buyer can have %(limit)d tickets of this event: leave your mail address, or order with a wallet",
            one["limit"],
        )
        % one
    ),
    "pass_used": lambda _one: _(
        "Your turn in the waiting room was good for one order, and you have it: pay for it, or give it back first"
    ),
    "unknown_code": lambda _one: _("There is no such code for this event; look for a typing error"),
    "code_used_up": lambda _one: _("This code was used as often as it can be"),
    "code_expired": lambda _one: _("This code is no longer good"),
    "code_for_other_class": lambda _one: _("This code is for another kind of ticket"),
    "presale_only": lambda _one: _("The sale has not begun; only buyers with a presale code can order now"),
    "unknown_seat": lambda one: _("There is no seat %s in this class") % one["seat"],
    "seat_named_twice": lambda one: _("Seat %s is named twice") % one["seat"],
    "seats_do_not_match_quantity": lambda _one: _("Name as many seats as tickets, or none for the best available"),
    "class_has_no_seats": lambda _one: _("This class is standing room; leave the seats out"),
    "unknown_class": lambda _one: _("There is no such class of tickets; look at the event again"),
    "nothing_wanted": lambda _one: _("Order at least one ticket"),
    "not_on_sale": lambda _one: _("This event is not on sale right now"),
    "event_cancelled": lambda _one: _("The event was cancelled"),
    "event_over": lambda _one: _("The event is over"),
    "idempotency_key_reused": lambda _one: _("This key was used for another request; make a new one for each order"),
    "unknown_order": lambda _one: _("There is no such order, or its secret is another"),
    "unknown_payment": lambda _one: _("There is no such payment"),
    "payment_under_way": lambda _one: _("A payment for this order is under way; wait for its result"),
    "already_paid": lambda _one: _("This order is paid already; look at it for its tickets"),
    "hold_expired": lambda _one: _("The time to pay has run out and the tickets went back on sale; order again"),
    "order_cancelled": lambda _one: _("This order was cancelled; order again"),
    "order_not_paid": lambda _one: _("This order is not paid; there is nothing to give back"),
    "nothing_to_refund": lambda _one: _("No ticket of this order can be given back any more"),
    "unknown_ticket": lambda _one: _("There is no such ticket in this order"),
    "ticket_used": lambda _one: _("Somebody has entered with this ticket; it can't be given back"),
    "ticket_moved": lambda _one: _(
        "This ticket was passed on and is somebody else's now; its buyer can't give it back"
    ),
    "ticket_not_valid": lambda _one: _("The ticket is no longer valid"),
    "refund_by_organiser": lambda one: (
        _("Your bank took back some of this order's money, so only the organiser gives back the rest; ask them")
        if one.get("disputed")
        else _("For this event only the organiser gives money back; ask them")
    ),
    "refund_closed": lambda _one: _("The time for giving tickets back is over; ask the organiser"),
    "order_refunded": lambda _one: _("This order was refunded"),
}

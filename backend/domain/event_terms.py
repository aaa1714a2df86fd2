"""What an organiser may still change of an event's refund rules and of its sale's start, once people know them. Pure.

- Whoever has bought did so under the rules of that day: from then on rules only become kinder.
- A sale that has begun can't begin at another time. Until then its start may be moved, and the waiting room with it
  (`backend.waiting_room.rules.moved_opening`).
"""

from dataclasses import dataclass

from backend.errors import Refusal
from backend.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class EventTerms:
    """Times are Unix milliseconds. `refund_until_ms` none: only the organiser gives back; no start: sold at once."""

    refund_until_ms: int | None
    refund_keep_bps: int  # of the price, kept when a buyer gives back
    sale_starts_ms: int | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the rules look at. `has_buyers`: somebody holds or has bought tickets."""

    state: str
    doors_ms: int
    ends_ms: int
    has_buyers: bool
    now_ms: int


def why_unchangeable(now: EventTerms, wanted: EventTerms, event: Known) -> Refusal | None:
    """Why the terms can't become the wanted ones, with the event file's key it is about; none if they can."""
    if now == wanted:
        return None
    if event.state not in ("preparing", "on_sale", "paused"):
        return Refusal("event_closed", _("The event is over or cancelled; nothing of it can be changed"))
    return _why_other_refunds(now, wanted, event) or _why_other_start(now, wanted, event)


def sale_has_begun(terms: EventTerms, state: str, now_ms: int) -> bool:
    """Whether everybody can order, or could if the sale were not paused."""
    return state != "preparing" and (terms.sale_starts_ms is None or now_ms >= terms.sale_starts_ms)


def _why_other_refunds(now: EventTerms, wanted: EventTerms, event: Known) -> Refusal | None:
    until, before = wanted.refund_until_ms, now.refund_until_ms
    if until is not None and until > event.doors_ms and until != before:
        sentence = _("Giving back ends when doors open, at the latest")
        return Refusal("times_out_of_order", sentence, {"key": "refunds.until"})
    if not event.has_buyers or before is None:
        return None  # nobody loses anything: those who have bought could give nothing back by themselves
    if until is None:
        sentence = _("People have bought knowing that they may give back; it can't be taken from them")
        return _less_kind(sentence, "refunds.self_service")
    if until < before:
        sentence = _("People have bought knowing until when they may give back; the time can only become later")
        return _less_kind(sentence, "refunds.until")
    if wanted.refund_keep_bps > now.refund_keep_bps:
        sentence = _("People have bought knowing what you keep; it can only become less")
        return _less_kind(sentence, "refunds.keep_percent")
    return None


def _less_kind(sentence: str, key: str) -> Refusal:
    return Refusal("refunds_only_kinder", sentence, {"key": key})


def _why_other_start(now: EventTerms, wanted: EventTerms, event: Known) -> Refusal | None:
    starts, key = wanted.sale_starts_ms, {"key": "sale_starts"}
    if starts == now.sale_starts_ms:
        return None
    if sale_has_begun(now, event.state, event.now_ms):
        sentence = _("The sale has begun, so its start can't be moved; to stop it for a while, pause it")
        return Refusal("sale_has_begun", sentence, key)
    if starts is None or starts <= event.now_ms:
        return Refusal("sale_start_passed", _("Write a time for the start of the sale that is still to come"), key)
    if starts >= event.ends_ms:
        return Refusal("times_out_of_order", _("The sale must start before the event ends"), key)
    return None

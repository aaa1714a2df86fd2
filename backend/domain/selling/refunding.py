"""Rules of giving back (SPEC 9.6): who may give back which tickets, until when, for how much. Pure.

A ticket that somebody entered with is never taken back: its place was used. Every other ticket that goes back frees its
place at once, and its code dies; nobody gets another for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from backend.domain.selling.outcomes import No

BUYER, ORGANISER = "buyer", "organiser"
BASIS_POINTS = 10_000
GOOD = ("valid", "suspended")  # states of tickets that hold a place

By = Literal["buyer", "organiser"]


@dataclass(frozen=True, slots=True)
class SoldTicket:
    """A ticket of the order.

    `entered`: a gate has let it in, or the chain says it was redeemed. `moved`: by a move in order or on the chain,
    final or not, it is somebody else's than who bought it: what the buyer could give back is theirs no more. `stopped`:
    the chain says `revoked` or `suspended`; then only the organiser gives it back.
    """

    id: UUID
    position: int
    class_number: int
    seat_number: int
    price_minor: int
    state: str  # valid | refunded | revoked | suspended
    entered: bool
    moved: bool = False
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The organiser's rules. `until_ms` none: buyers can't give back by themselves."""

    event_state: str
    doors_ms: int
    until_ms: int | None
    keep_bps: int  # of the price, kept when a buyer gives back; a cancelled event keeps nothing


@dataclass(frozen=True, slots=True)
class Returned:
    """What goes back. `amount_minor` to the buyer, `kept_minor` to the organiser; both 0 for tickets given away.

    Together they are less than the price where a bank gave the buyer some of it back before.
    """

    tickets: tuple[SoldTicket, ...]
    amount_minor: int
    kept_minor: int
    empties_order: bool  # no ticket of the order holds a place any more


def give_back(
    order_state: str,
    tickets: Sequence[SoldTicket],
    wanted: Sequence[UUID] | None,
    by: By,
    terms: Terms,
    now_ms: int,
    left_minor: int | None = None,
) -> Returned | No:
    """Decide about the wanted tickets (none: all that can still go back), all of them or nothing.

    `left_minor`: what we still have of their payment. What a bank gave the buyer never goes back again: who would get
    more than is left is sent to the organiser, who gives no more than that.
    """
    if order_state not in ("paid", "refunded"):
        return No("order_not_paid", {"state": order_state})
    chosen = _chosen(tickets, wanted, by)
    if isinstance(chosen, No):
        return chosen
    refusal = _why_not(chosen, by, terms, now_ms)
    if refusal is not None:
        return refusal
    keep_bps = terms.keep_bps if by == BUYER and terms.event_state != "cancelled" else 0
    price = sum(one.price_minor for one in chosen)
    kept = sum(one.price_minor * keep_bps // BASIS_POINTS for one in chosen)  # each ticket for itself, so parts add up
    amount = price - kept
    if left_minor is not None and amount > left_minor:
        if by == BUYER:
            return No("refund_by_organiser", {"disputed": True})
        amount = max(0, left_minor)
    gone = {one.id for one in chosen}
    return Returned(
        tickets=tuple(chosen),
        amount_minor=amount,
        kept_minor=kept,
        empties_order=not any(one.state in GOOD and one.id not in gone for one in tickets),
    )


NOTHING = Returned((), 0, 0, empties_order=False)


def charge_back(tickets: Sequence[SoldTicket]) -> Returned:
    """The bank took the money of the whole order: what was not used is void; what was used is a loss."""
    void = tuple(one for one in tickets if one.state in GOOD and not one.entered)
    used = any(one.state in GOOD and one.entered for one in tickets)
    return Returned(void, sum(one.price_minor for one in void), 0, empties_order=not used)


def dispute(tickets: Sequence[SoldTicket], amount_minor: int, left_minor: int) -> Returned:
    """A bank took `amount_minor` of a payment of which we had `left_minor`.

    What covers all that was left is a charge-back. Less stops no ticket, since nobody can tell which one was meant: it
    is a loss until the organiser decides.
    """
    return charge_back(tickets) if amount_minor >= left_minor else NOTHING


def self_service_until(terms: Terms) -> int | None:
    """Until when a buyer may give back, in Unix milliseconds; none: never. Closes when doors open at the latest."""
    return None if terms.until_ms is None else min(terms.until_ms, terms.doors_ms)


def _chosen(tickets: Sequence[SoldTicket], wanted: Sequence[UUID] | None, by: By) -> list[SoldTicket] | No:
    if wanted is None:
        theirs = [one for one in tickets if by == ORGANISER or not (one.moved or one.stopped)]
        chosen = [one for one in theirs if one.state in GOOD and not one.entered]
        return chosen or No("nothing_to_refund")
    by_id = {one.id: one for one in tickets}
    unknown = [one for one in wanted if one not in by_id]
    if unknown:
        return No("unknown_ticket")
    return [by_id[one] for one in dict.fromkeys(wanted)] or No("nothing_to_refund")


def _why_not(chosen: Sequence[SoldTicket], by: By, terms: Terms, now_ms: int) -> No | None:
    if any(one.entered for one in chosen):
        return No("ticket_used")
    if by == BUYER and any(one.moved for one in chosen):
        return No("ticket_moved")
    returnable = GOOD if by == ORGANISER else ("valid",)
    gone = next((word for one in chosen if (word := _word_for(one, by)) not in returnable), None)
    if gone is not None:
        return No("ticket_not_valid", {"state": gone})
    if by == BUYER and terms.event_state != "cancelled":
        until = self_service_until(terms)
        if until is None:
            return No("refund_by_organiser")
        if now_ms >= until:
            return No("refund_closed")
    return None


def _word_for(ticket: SoldTicket, by: By) -> str:
    """The ticket's state; for the buyer the chain's word is in it."""
    return ticket.stopped if by == BUYER and ticket.state == "valid" and ticket.stopped else ticket.state

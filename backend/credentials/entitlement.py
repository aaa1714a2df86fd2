"""Is this ticket one that may have a credential now? Pure rules over its rows (SPEC 4.3)."""

from typing import Any

from sqlalchemy import Row

from backend.credentials.validity import validity
from backend.errors import Refusal
from backend.i18n import gettext as _

NOT_READY_RETRY_SECONDS = 2  # batches close within seconds while an event is hot
MAX_SERIAL = 0xFFFF  # two bytes


def why_not_entitled(order: Row[Any], ticket: Row[Any], event: Row[Any], now_ms: int, step: int = 1) -> Refusal | None:
    """None for a paid order, a good ticket with its token id, and an event still to come."""
    if order.state != "paid":
        return Refusal("order_not_paid", _("The order is not paid, or no longer"), {"state": order.state})
    if ticket.state != "valid":
        return not_valid(ticket.state)
    return _why_event_not_ahead(event, now_ms) or _why_not_ready(ticket, step)


def not_valid(state: str) -> Refusal:
    return Refusal("ticket_not_valid", _("The ticket is no longer valid"), {"state": state})


def _why_event_not_ahead(event: Row[Any], now_ms: int) -> Refusal | None:
    if event.state == "cancelled":
        return Refusal("event_cancelled", _("The event was cancelled"))
    if now_ms // 1000 >= validity(event.doors_ms, event.ends_ms).not_after:
        return Refusal("event_over", _("The event is over"))
    return None


def _why_not_ready(ticket: Row[Any], step: int) -> Refusal | None:
    if ticket.token_id is None:
        sentence = _("The ticket is being made ready; try again in a moment")
        return Refusal("ticket_not_ready", sentence, {"retry_after": NOT_READY_RETRY_SECONDS})
    if ticket.serial + step > MAX_SERIAL:
        return Refusal("serials_exhausted", _("This ticket had too many codes; ask the help desk"))
    return None

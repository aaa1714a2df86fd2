"""What buyers are mailed of their own orders: receipt, offer, money that goes back, a way to open their orders again.

Plain text in the language they bought in. No letter holds the secret that opens an order: mail is read by others on its
way. A recovery code opens the orders once and for half an hour.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from backend.domain.money import minor_digits
from backend.i18n import gettext as _
from backend.i18n import language
from backend.notices.letters import Letter

_LOCALES = {"en": "en_GB", "zh": "zh_Hans_CN"}


@dataclass(frozen=True, slots=True)
class Bought:
    """An order as its receipt tells it. Money in minor units, moments in Unix milliseconds."""

    number: str
    event: str
    venue: str
    time_zone: str
    starts_ms: int
    paid_ms: int
    lines: tuple[tuple[int, str, int], ...]  # how many, of what, for how much together
    total_minor: int
    currency: str


def receipt_letter(order: Bought, public_url: str) -> Letter:
    """After the payment."""
    lines = [
        _("Thank you. Your order is paid."),
        "",
        *_about(order),
        "",
        *_ordered(order),
        _("Paid: %s") % _moment(order.paid_ms, order.time_zone),
        _("Order number: %s") % order.number,
        "",
        _("Your tickets are in the browser you bought them with: %s") % f"{public_url}/orders",
        _("On another phone, ask there for a code by mail, with this address."),
    ]
    return Letter(_("Your tickets: %s") % order.event, "\n".join(lines))


def refund_letter(
    order: Bought, amount_minor: int, kept_minor: int, why: str, public_url: str, *, by_hand: bool = False
) -> Letter:
    """Tickets were given back, or taken back because the event was cancelled. `by_hand`: they were paid in cash."""
    cancelled = why == "event_cancelled"
    back = (
        _("It was paid in cash. Fetch your money at the box office, with this letter: %s")
        if by_hand
        else _("Your money is on its way back: %s")
    )
    lines = [
        _("The event was cancelled. We are sorry.") if cancelled else _("Tickets of your order were given back."),
        "",
        *_about(order),
        "",
        back % _money(amount_minor, order.currency)
        if amount_minor
        else _("They had cost nothing, so no money goes back."),
        *(
            [_("Kept by the organiser, by the event's rules: %s") % _money(kept_minor, order.currency)]
            if kept_minor
            else []
        ),
        _("These tickets no longer let anybody in."),
        _("Order number: %s") % order.number,
        f"{public_url}/orders",
    ]
    subject = _("Cancelled: %s") if cancelled else _("Your refund: %s")
    return Letter(subject % order.event, "\n".join(lines))


def moved_letter(order: Bought, refund_until_ms: int, public_url: str) -> Letter:
    """The event has another time."""
    lines = [
        _("The event has a new time. Your tickets stay good for it."),
        "",
        *_about(order),
        "",
        _("If you can't come, give them back for the whole price until %s:")
        % _moment(refund_until_ms, order.time_zone),
        f"{public_url}/orders",
        _("Order number: %s") % order.number,
    ]
    return Letter(_("New time: %s") % order.event, "\n".join(lines))


def offer_letter(order: Bought, place: str, until_ms: int, public_url: str) -> Letter:
    """Tickets came back, for somebody on the waiting list. `place`: number of their place."""
    lines = [
        _("Tickets came back, and you are next on the waiting list."),
        "",
        *_about(order),
        "",
        *_ordered(order),
        _("They are kept for you until %s. After that the next in line gets them.")
        % _moment(until_ms, order.time_zone),
        "",
        _("Pay for them in the browser you waited with: %s") % f"{public_url}/waiting-list/{place}",
        _("In another one, ask for a code by mail, with this address: %s") % f"{public_url}/orders",
    ]
    return Letter(_("Tickets for you: %s") % order.event, "\n".join(lines))


def stray_letter(order: Bought, amount_minor: int, currency: str, public_url: str) -> Letter:
    """Money came that bought nothing."""
    lines = [
        _("Your payment could not buy tickets: it came when they were gone, or was of another amount than asked for."),
        _("Your money is on its way back: %s") % _money(amount_minor, currency),
        "",
        *_about(order),
        _("Order number: %s") % order.number,
        f"{public_url}/orders",
    ]
    return Letter(_("Your refund: %s") % order.event, "\n".join(lines))


def recovery_letter(code: str, minutes: int, public_url: str) -> Letter:
    """A code that opens the orders of this address once."""
    lines = [
        _("Somebody, probably you, asked to open the orders that were made with this address in another browser."),
        _("Open this page within %d minutes:") % minutes,
        f"{public_url}/orders#{code}",
        "",
        _("Or paste this code there:"),
        code,
        "",
        _("Whoever has the code has the tickets: show it to nobody. If it was not you, do nothing."),
    ]
    return Letter(_("Open your orders"), "\n".join(lines))


def _about(order: Bought) -> list[str]:
    return [order.event, order.venue, _moment(order.starts_ms, order.time_zone)]


def _ordered(order: Bought) -> list[str]:
    return [
        *[f"{count} x {name}: {_money(amount, order.currency)}" for count, name, amount in order.lines],
        _("Total, all included: %s") % _money(order.total_minor, order.currency),
    ]


def _money(minor: int, currency: str) -> str:
    amount = Decimal(minor).scaleb(-minor_digits(currency))
    return str(format_currency(amount, currency, locale=_LOCALES[language()], decimal_quantization=False))


def _moment(at_ms: int, time_zone: str) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return f"{format_datetime(at, 'full', locale=_LOCALES[language()])}"

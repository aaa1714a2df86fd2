"""Our minor units (ISO 4217) and Stripe's, which differ for some currencies (docs.stripe.com/currencies).

Stripe has a list of currencies without decimals and takes every other in hundredths, except five in thousandths whose
last digit must be 0. What can't be said exactly in its units is refused, before anybody pays.
"""

from backend.domain.money import minor_digits
from backend.errors import Refused, refuse
from backend.i18n import gettext as _

_DIGITS_0 = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_TEN = (1, 10, 100, 1000)  # its powers
_DIGITS_3 = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
_UNCLEAR = frozenset({"UGX", "IQD", "LYD"})  # not taken, or documented in two ways: a factor of 100 is not guessed at


def to_stripe(amount_minor: int, currency: str) -> int:
    """The amount in Stripe's units; refuses (`amount_not_payable`) what those can't say."""
    ours, theirs = minor_digits(currency), _digits(currency)
    if currency in _UNCLEAR:
        raise _not_payable(currency)
    amount, rest = divmod(amount_minor * _TEN[max(0, theirs - ours)], _TEN[max(0, ours - theirs)])
    if rest or (currency in _DIGITS_3 and amount % 10):
        raise _not_payable(currency)
    return amount


def from_stripe(amount: int, currency: str) -> int | None:
    """Stripe's amount in our minor units; none if it is no whole number of them, or of a currency we don't know."""
    try:
        ours = minor_digits(currency)
    except Refused:
        return None
    theirs = _digits(currency)
    minor, rest = divmod(amount * _TEN[max(0, ours - theirs)], _TEN[max(0, theirs - ours)])
    return None if rest else minor


def _digits(currency: str) -> int:
    return 0 if currency in _DIGITS_0 else 3 if currency in _DIGITS_3 else 2


def _not_payable(currency: str) -> Refused:
    sentence = _("Stripe can't take this amount in %s; tell the organiser")
    return refuse("amount_not_payable", sentence % currency)

"""Money as whole minor units with an ISO 4217 code. No floats anywhere."""

from decimal import Decimal, InvalidOperation

from backend.errors import refuse
from backend.i18n import gettext as _

MAX_MINOR = 10**12  # a price or total beyond this is a typing error; keeps sums far inside 64 bits

# ISO 4217, list one: active national currencies by the digits of their minor unit.
_DIGITS_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_DIGITS_2 = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB "
    "TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
_DIGITS_3 = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = {code: digits for codes, digits in ((_DIGITS_0, 0), (_DIGITS_2, 2), (_DIGITS_3, 3)) for code in codes.split()}


def minor_digits(currency: str) -> int:
    """How many decimals the currency has; refuses (`unknown_currency`) what ISO 4217 does not list."""
    if currency not in _DIGITS:
        raise refuse(
            "unknown_currency",
            _("%(currency)s is not a currency; write its three capital letters, such as EUR") % {"currency": currency},
        )
    return _DIGITS[currency]


def as_decimal(minor: int, currency: str) -> str:
    """Minor units as `parse_amount` reads them: 4950, "EUR" -> 49.50."""
    return str(Decimal(minor).scaleb(-minor_digits(currency)))


def parse_amount(amount: str, currency: str) -> int:
    """A decimal such as "49.50" as minor units (4950). Refuses fractions of the smallest coin and what is no number."""
    digits = minor_digits(currency)
    plain = amount.strip()
    try:
        value = Decimal(plain) if plain.isascii() and not set(plain) - set("0123456789.") else None
    except InvalidOperation:
        value = None
    if value is None:
        raise refuse("bad_amount", _("%(amount)s is not an amount; write it like 49.50") % {"amount": amount[:40]})
    if value > MAX_MINOR:
        raise refuse("amount_too_large", _("%(amount)s is more than we can sell for") % {"amount": amount[:40]})
    minor = value.scaleb(digits)
    if minor != minor.to_integral_value():
        raise refuse(
            "fraction_of_a_cent",
            _("%(amount)s has fractions of the smallest coin; round it, %(currency)s has %(digits)d decimals")
            % {"amount": amount[:40], "currency": currency, "digits": digits},
        )
    if minor > MAX_MINOR:
        raise refuse("amount_too_large", _("%(amount)s is more than we can sell for") % {"amount": amount[:40]})
    return int(minor)


def format_amount(minor: int, currency: str) -> str:
    """Minor units as "49.50 EUR": for logs and terminals; pages format by the reader's language."""
    digits = minor_digits(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f} {currency}"

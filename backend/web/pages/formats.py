"""Money and times as the reader writes them, as filters of templates. Moments come as the API says them: RFC 3339."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import (
    format_date,
    format_datetime,
    format_skeleton,
    format_time,
    get_datetime_format,
    get_timezone_name,
)
from babel.numbers import format_currency, format_decimal
from flask import Flask
from flask_babel import get_locale

from backend.domain.money import as_decimal, minor_digits


def init_formats(app: Flask) -> None:
    """Register the filters."""
    app.add_template_filter(as_decimal, "decimal")
    for rule in (money, count, minor_digits, at_place, clock, weekday, day_number, month, place_zone, in_utc):
        app.add_template_filter(rule)


def money(minor: int, currency: str) -> str:
    """Minor units as money: 4950, "CHF" -> CHF 49.50."""
    amount = Decimal(minor).scaleb(-minor_digits(currency))
    return str(format_currency(amount, currency, locale=get_locale(), decimal_quantization=False))


def count(number: int) -> str:
    """A whole number as the reader groups it: 1,234."""
    return str(format_decimal(number, locale=get_locale()))


def at_place(moment: str, time_zone: str) -> str:
    """Day and time at the place: Saturday 14 June 2026, 19:30."""
    at = _at(moment, time_zone)
    date, time = format_date(at, "full", locale=get_locale()), format_time(at, "short", locale=get_locale())
    return str(get_datetime_format("medium", locale=get_locale())).replace("{1}", date).replace("{0}", time)


def clock(moment: str, time_zone: str) -> str:
    """Time of day at the place."""
    return str(format_time(_at(moment, time_zone), "short", locale=get_locale()))


def weekday(moment: str, time_zone: str) -> str:
    """Short weekday at the place."""
    return str(format_skeleton("E", _at(moment, time_zone), locale=get_locale()))


def day_number(moment: str, time_zone: str) -> str:
    """Day of the month at the place."""
    return str(_at(moment, time_zone).day)


def month(moment: str, time_zone: str) -> str:
    """Short month at the place."""
    return str(format_skeleton("MMM", _at(moment, time_zone), locale=get_locale()))


def place_zone(moment: str, time_zone: str) -> str:
    """The place's time zone in words, for readers who are elsewhere."""
    return str(get_timezone_name(_at(moment, time_zone), width="long", locale=get_locale()))


def in_utc(moment: str) -> str:
    """Day and time in UTC, where the reader's zone is not known; `times.js` turns it into theirs."""
    return f"{format_datetime(_at(moment, 'UTC'), 'medium', locale=get_locale())} UTC"


def _at(moment: str, time_zone: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(ZoneInfo(time_zone))

"""Read an organiser's event file (TOML, see examples/) into an `EventPlan`.

Pure and strict: every value is checked here once, and each error names the key and says what to do. A file is refused
at its first error; nothing is guessed.
"""

import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backend.domain.event_table import Table, bad
from backend.domain.money import minor_digits, parse_amount
from backend.errors import Refused
from backend.i18n import gettext as _
from backend.waiting_room.rules import MAX_RATE_PER_MINUTE

MAX_FILE_BYTES = 4 * 1024 * 1024  # enough for a stadium's seat plan
MAX_CLASSES = 255  # a class is one byte of a credential (SPEC 2); numbers start at 1
MAX_CAPACITY = 1_000_000  # tickets of a class
MAX_SEATS = (1 << 24) - 1  # a seat is three bytes of a credential; 0 means none
MAX_HOLD_MINUTES = 60
MAX_PER_ORDER = 100
MAX_ZONE = 255
MAX_RESALE_CAP_PERCENT = 600  # basis points fit the contract's 16 bits
MAX_ROYALTY_PERCENT = 50
MAX_EVENT_DAYS = 40  # a credential's lifetime is 16 bits of minutes: 45 days (SPEC 2)
LAST_SECOND = (1 << 32) - 1  # times of a credential are 32 bits

POLICIES = ("open", "market_only", "frozen", "soulbound")  # SPEC 8; their order is the contract's
OFFLINE_POLICIES = ("local", "home", "refuse")  # SPEC 6


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """A seat. `number` counts from 1 in the file's order, best first; `label` is unique in the event."""

    number: int
    label: str  # row and seat, "A-12"


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """A class of tickets. `number` counts from 1 in the file's order. Seated exactly when `seats` is not empty."""

    number: int
    code: str
    name: str
    capacity: int
    price_minor: int
    zone: int
    policy: str
    resale_cap_bps: int
    royalty_bps: int
    seats: tuple[SeatPlan, ...]


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """The waiting room of the on-sale: it opens some time before the sale starts, and lets so many in a minute."""

    opens_ms: int
    rate_per_minute: int


@dataclass(frozen=True, slots=True)
class EventPlan:
    """An event as its organiser wants it. Times are Unix milliseconds."""

    slug: str
    name: str
    venue: str
    time_zone: str
    currency: str
    doors_ms: int
    starts_ms: int
    ends_ms: int
    freeze_ms: int
    hold_seconds: int
    max_per_order: int
    offline_policy: str
    classes: tuple[ClassPlan, ...]
    refund_until_ms: int | None = None  # buyers give back by themselves until then; none: never
    refund_keep_bps: int = 0  # of the price, kept by the organiser then
    sale_starts_ms: int | None = None  # before it only with a presale code; none: on sale at once
    max_per_buyer: int | None = None  # tickets of one address, on the chain or by mail
    waiting_room: RoomPlan | None = None


def parse_event_file(data: bytes) -> EventPlan:
    """The plan in a file's bytes; raises `Refused` with a code, a sentence and the key it is about."""
    top = Table(_toml(data))
    if top.is_empty:
        raise bad("event_file_unreadable", "", _("The file is empty; begin with a copy of examples/concert.toml"))
    zone = _time_zone(top)
    doors, starts, ends = (_time(top, key, zone) for key in ("doors", "starts", "ends"))
    freeze = _time(top, "freeze", zone) if top.has("freeze") else doors
    _check_times(top, doors, starts, ends, freeze)
    currency = _currency(top)
    refund_until, refund_keep = _refunds(top, zone, doors)
    sale_starts = _time(top, "sale_starts", zone) if top.has("sale_starts") else None
    plan = EventPlan(
        slug=top.slug("slug", 80),
        name=top.text("name", 200),
        venue=top.text("venue", 200),
        time_zone=zone.key,
        currency=currency,
        doors_ms=doors,
        starts_ms=starts,
        ends_ms=ends,
        freeze_ms=freeze,
        hold_seconds=60 * top.whole("hold_minutes", 1, MAX_HOLD_MINUTES, default=10),
        max_per_order=top.whole("max_per_order", 1, MAX_PER_ORDER, default=8),
        offline_policy=top.choice("offline_policy", OFFLINE_POLICIES, default="local"),
        classes=_classes(top, currency),
        refund_until_ms=refund_until,
        sale_starts_ms=sale_starts,
        waiting_room=_waiting_room(top, zone, sale_starts),
        max_per_buyer=top.whole("max_per_buyer", 1, MAX_CAPACITY) if top.has("max_per_buyer") else None,
        refund_keep_bps=refund_keep,
    )
    top.finish()
    return plan


def _toml(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_FILE_BYTES:
        raise bad("event_file_too_large", "", _("The file is larger than %d bytes") % MAX_FILE_BYTES)
    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal)  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise bad("event_file_unreadable", "", _("The file is not text in UTF-8; save it as such")) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        sentence = _(
            "The file can't be read: %s. Texts stand in quotes, numbers and times without; compare with "
            "examples/concert.toml"
        )
        raise bad("event_file_unreadable", "", sentence % error) from error


def _time_zone(top: Table) -> ZoneInfo:
    name = top.text("time_zone", 64)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise bad(
            "unknown_time_zone", "time_zone", _("There is no time zone of that name; write one like Europe/Berlin")
        ) from error


def _time(top: Table, key: str, zone: ZoneInfo) -> int:
    value = top.take(key)
    if not isinstance(value, datetime):
        shape = _("Write a date with a time, without quotes, like 2030-06-15T20:00:00")
        raise bad("bad_time", key, _("This is a date without a time. ") + shape if isinstance(value, date) else shape)
    return moment_ms(value, key, zone)


def moment_ms(value: datetime, key: str, zone: ZoneInfo) -> int:
    """Unix milliseconds; without an offset, as clocks at the venue show it. Refuses times that are two, or too far."""
    if value.tzinfo is None:
        early, late = (value.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if early != late:
            raise bad(
                "ambiguous_time",
                key,
                _("Clocks change at that hour in this time zone; add the offset, like 2030-10-27T02:30:00+01:00"),
            )
        value = early
    seconds = value.timestamp()
    if not 0 < seconds <= LAST_SECOND:
        raise bad("bad_time", key, _("The year must be between 1970 and 2105"))
    return int(seconds) * 1000


def _waiting_room(top: Table, zone: ZoneInfo, sale_starts: int | None) -> RoomPlan | None:
    if not top.has("waiting_room"):
        return None
    table = top.table("waiting_room")
    opens = _time(table, "opens", zone)
    rate = table.whole("rate_per_minute", 1, MAX_RATE_PER_MINUTE)
    table.finish()
    if sale_starts is None:
        raise bad("missing_key", "sale_starts", _("A waiting room needs the time at which the sale starts"))
    if opens >= sale_starts:
        raise bad("times_out_of_order", table.path("opens"), _("The waiting room opens before the sale starts"))
    return RoomPlan(opens, rate)


def _refunds(top: Table, zone: ZoneInfo, doors: int) -> tuple[int | None, int]:
    """Until when buyers may give back (none: never), and what is kept, in basis points."""
    table = top.table("refunds")
    allowed = table.flag("self_service", default=False)
    until = _time(table, "until", zone) if table.has("until") else doors
    keep = table.percent("keep_percent", 100, default=0)
    table.finish()
    if until > doors:
        raise bad("times_out_of_order", table.path("until"), _("Giving back ends when doors open, at the latest"))
    return (until if allowed else None), keep


def _check_times(top: Table, doors: int, starts: int, ends: int, freeze: int) -> None:
    for first, first_key, second, second_key in (
        (doors, "doors", starts, "starts"),
        (starts + 1, "starts", ends, "ends"),
        (freeze, "freeze", starts, "starts"),
    ):
        if first > second:
            key = first_key if top.has(first_key) else second_key
            raise bad(
                "times_out_of_order",
                key,
                _("%(first)s must come before %(second)s") % {"first": first_key, "second": second_key},
            )
    if ends - min(doors, freeze) > timedelta(days=MAX_EVENT_DAYS) // timedelta(milliseconds=1):
        raise bad(
            "event_too_long",
            "ends",
            _("An event lasts at most %d days, from freeze to end; make several events") % MAX_EVENT_DAYS,
        )


def _currency(top: Table) -> str:
    currency = top.text("currency", 40)
    try:
        minor_digits(currency)
    except Refused as refused:
        raise bad(refused.refusal.code, "currency", refused.refusal.sentence) from refused
    return currency


def _classes(top: Table, currency: str) -> tuple[ClassPlan, ...]:
    tables = top.tables("classes")
    if not tables:
        raise bad("no_classes", "classes", _("An event needs at least one [[classes]]"))
    if len(tables) > MAX_CLASSES:
        raise bad("too_many_classes", "classes", _("An event has at most %d classes") % MAX_CLASSES)
    classes: list[ClassPlan] = []
    for number, table in enumerate(tables, start=1):
        classes.append(_class(table, number, currency, first_seat=1 + sum(len(c.seats) for c in classes)))
    _unique("classes", "duplicate_class", [one.code for one in classes])
    _unique("classes", "duplicate_seat", [seat.label for one in classes for seat in one.seats])
    return tuple(classes)


def _class(table: Table, number: int, currency: str, first_seat: int) -> ClassPlan:
    seats = _seats(table, first_seat) if table.has("rows") else ()
    capacity = table.whole("capacity", 1, MAX_CAPACITY, code="bad_capacity", default=len(seats) or None)
    if seats and capacity != len(seats):
        raise bad(
            "seats_do_not_match_capacity",
            table.path("capacity"),
            _("The rows have %(seats)d seats but capacity says %(capacity)d; leave capacity out, or correct one")
            % {"seats": len(seats), "capacity": capacity},
        )
    plan = ClassPlan(
        number=number,
        code=table.slug("code", 40),
        name=table.text("name", 120),
        capacity=capacity,
        price_minor=_price(table, currency),
        zone=table.whole("zone", 0, MAX_ZONE, default=0),
        policy=table.choice("policy", POLICIES, default="market_only"),
        resale_cap_bps=table.percent("resale_cap_percent", MAX_RESALE_CAP_PERCENT, default=100),
        royalty_bps=table.percent("royalty_percent", MAX_ROYALTY_PERCENT, default=0),
        seats=seats,
    )
    table.finish()
    return plan


def _price(table: Table, currency: str) -> int:
    value = table.take("price")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise bad("bad_amount", table.path("price"), _('Write the price as a text, like "49.50"'))
    try:
        return parse_amount(str(value), currency)
    except Refused as refused:
        raise bad(refused.refusal.code, table.path("price"), refused.refusal.sentence) from refused


def _seats(table: Table, first: int) -> tuple[SeatPlan, ...]:
    labels: list[str] = []
    for row in table.tables("rows"):
        name = row.text("row", 30)
        for seat in _seat_numbers(row):
            labels.append(f"{name}-{seat}")
            if len(labels) + first > MAX_SEATS:
                raise bad("too_many_seats", table.path("rows"), _("An event has at most %d seats") % MAX_SEATS)
        row.finish()
    if not labels:
        raise bad("no_seats", table.path("rows"), _("Name at least one row with seats, or leave rows out"))
    if len(labels) > MAX_CAPACITY:
        raise bad("too_many_seats", table.path("rows"), _("A class has at most %d seats") % MAX_CAPACITY)
    return tuple(SeatPlan(number, label) for number, label in enumerate(labels, start=first))


def _seat_numbers(row: Table) -> list[int]:
    """The text `1-10, 13-20` as numbers, in that order."""
    numbers: list[int] = []
    for part in row.text("seats", 400).split(","):
        low, dash, high = (piece.strip() for piece in part.partition("-"))
        if not all(
            piece.isascii() and piece.isdigit() and len(piece) <= 4 for piece in ((low, high) if dash else (low,))
        ):
            raise bad("bad_seats", row.path("seats"), _('Write seats as ranges, like "1-10, 13-20"'))
        first, last = int(low), int(high or low)
        if last < first:
            raise bad("bad_seats", row.path("seats"), _("A range of seats must count upwards, like 1-10"))
        numbers.extend(range(first, last + 1))
    return numbers


def _unique(key: str, code: str, values: list[str]) -> None:
    value, count = Counter(values).most_common(1)[0] if values else ("", 1)
    if count > 1:
        raise bad(
            code, key, _("%(value)s is there %(count)d times; each must be unique") % {"value": value, "count": count}
        )

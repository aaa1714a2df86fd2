"""What an organiser writes, and what each mistake gets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.event_file import parse_event_file
from backend.errors import Refused

EXAMPLE = (Path(__file__).parents[3] / "examples/concert.toml").read_text()

GOOD = """
slug = "gig"
name = "Gig"
venue = "Hall"
time_zone = "Europe/Berlin"
currency = "EUR"
doors = 2030-06-15T18:00:00
starts = 2030-06-15T20:00:00
ends = 2030-06-15T23:00:00
[[classes]]
code = "floor"
name = "Floor"
capacity = 10
price = "49.50"
"""


def refusal(text: str) -> tuple[str, str, str]:
    with pytest.raises(Refused) as caught:
        parse_event_file(text.encode())
    said = caught.value.refusal
    return said.code, said.details["key"], said.sentence


def with_line(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_example_says_what_it_shows() -> None:
    plan = parse_event_file(EXAMPLE.encode())
    standing, seated = plan.classes
    assert (standing.capacity, standing.price_minor, standing.resale_cap_bps) == (500, 4950, 11000)
    assert seated.capacity == len(seated.seats) == 58
    assert [seat.label for seat in seated.seats[:2]] == ["A-1", "A-2"]
    assert [seat.number for seat in seated.seats] == list(range(1, 59))
    assert plan.doors_ms == 1907769600000  # 18:00 in Berlin in summer is 16:00 UTC


def test_what_may_be_left_out_has_defaults() -> None:
    plan = parse_event_file(GOOD.encode())
    assert (plan.hold_seconds, plan.max_per_order, plan.offline_policy) == (600, 8, "local")
    assert plan.freeze_ms == plan.doors_ms
    assert plan.classes[0].policy == "market_only"


@pytest.mark.parametrize(
    ("old", "new", "code", "key"),
    [
        ("capacity = 10", "capacity = 0", "bad_capacity", "classes[1].capacity"),
        ("capacity = 10", "capacity = -5", "bad_capacity", "classes[1].capacity"),
        ("capacity = 10", "capacity = 1.5", "bad_capacity", "classes[1].capacity"),
        ("capacity = 10", "capacity = true", "bad_capacity", "classes[1].capacity"),
        ("capacity = 10", "", "missing_key", "classes[1].capacity"),
        ('price = "49.50"', 'price = "49.505"', "fraction_of_a_cent", "classes[1].price"),
        ('price = "49.50"', 'price = "1e3"', "bad_amount", "classes[1].price"),
        ('price = "49.50"', 'price = "-1"', "bad_amount", "classes[1].price"),
        ('price = "49.50"', 'price = "4٩"', "bad_amount", "classes[1].price"),
        ('price = "49.50"', 'price = "1.2.3"', "bad_amount", "classes[1].price"),
        ('price = "49.50"', 'price = ""', "bad_amount", "classes[1].price"),
        ('price = "49.50"', 'price = "99999999999999999999"', "amount_too_large", "classes[1].price"),
        ('currency = "EUR"', 'currency = "EURO"', "unknown_currency", "currency"),
        ('currency = "EUR"', 'currency = "eur"', "unknown_currency", "currency"),
        ('currency = "EUR"', 'currency = "JPY"', "fraction_of_a_cent", "classes[1].price"),
        ('slug = "gig"', 'slug = "Gig!"', "bad_slug", "slug"),
        ('slug = "gig"', 'sluug = "gig"', "missing_key", "slug"),
        ('venue = "Hall"', 'venue = "Hall"\nvenu = "x"', "unknown_key", "venu"),
        ('code = "floor"', 'code = "floor"\ncolour = "red"', "unknown_key", "classes[1].colour"),
        ('time_zone = "Europe/Berlin"', 'time_zone = "Europe/Bärlin"', "unknown_time_zone", "time_zone"),
        ('time_zone = "Europe/Berlin"', 'time_zone = "../../etc/passwd"', "unknown_time_zone", "time_zone"),
        ("starts = 2030-06-15T20:00:00", "starts = 2030-06-15T17:00:00", "times_out_of_order", "doors"),
        ("ends = 2030-06-15T23:00:00", "ends = 2030-06-15T20:00:00", "times_out_of_order", "starts"),
        ("ends = 2030-06-15T23:00:00", "ends = 2030-09-15T23:00:00", "event_too_long", "ends"),
        ("doors = 2030-06-15T18:00:00", "doors = 2030-06-15", "bad_time", "doors"),
        ("doors = 2030-06-15T18:00:00", 'doors = "soon"', "bad_time", "doors"),
        ("doors = 2030-06-15T18:00:00", "doors = 2029-10-28T02:30:00", "ambiguous_time", "doors"),
        ("ends = 2030-06-15T23:00:00", "ends = 2130-06-15T23:00:00", "bad_time", "ends"),
    ],
)
def test_each_mistake_is_named_with_its_key(old: str, new: str, code: str, key: str) -> None:
    said_code, said_key, sentence = refusal(with_line(old, new))
    assert (said_code, said_key) == (code, key)
    assert sentence.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ('rows = [{row = "A", seats = "1-9"}]', "seats_do_not_match_capacity"),
        ('rows = [{row = "A", seats = "1-5"}, {row = "A", seats = "5-9"}]', "duplicate_seat"),
        ('rows = [{row = "A", seats = "9-1"}]', "bad_seats"),
        ('rows = [{row = "A", seats = "1-"}]', "bad_seats"),
        ('rows = [{row = "A", seats = "1-10", aisle = 5}]', "unknown_key"),
        ('rows = "A"', "bad_table"),
        ("rows = []", "no_seats"),
    ],
)
def test_a_seat_plan_that_contradicts_itself_is_refused(rows: str, code: str) -> None:
    assert refusal(GOOD + rows)[0] == code


def test_an_event_has_classes_and_at_most_255() -> None:
    head, one, more = GOOD.partition("[[classes]]")
    assert refusal(head)[0] == "no_classes"
    assert refusal(head + "".join((one + more).replace("floor", f"c{n}") for n in range(256)))[0] == "too_many_classes"
    assert len(parse_event_file((head + (one + more).replace("floor", "x") + one + more).encode()).classes) == 2
    assert refusal(GOOD + one + more)[0] == "duplicate_class"


@pytest.mark.parametrize("text", ["not toml", "a = [", "[[[", "= 1", "\x00"])
def test_what_is_not_toml_is_unreadable(text: str) -> None:
    assert refusal(text)[0] == "event_file_unreadable"


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with pytest.raises(Refused):
        parse_event_file(data)


@given(st.text(max_size=30))
def test_no_price_crashes_the_reader(price: str) -> None:
    quoted = '"' + "".join(f"\\U{ord(c):08x}" for c in price if not 0xD800 <= ord(c) < 0xE000) + '"'
    try:
        key = "" if parse_event_file(with_line('"49.50"', quoted).encode()) else None
    except Refused as refused:
        key = refused.refusal.details["key"]
    assert key in {"", "classes[1].price"}

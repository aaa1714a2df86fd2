"""The organiser's form and the event file are one thing."""

import pytest

from backend.desk.event_form import class_rows, event_file, field_of
from backend.domain.event_file import EventPlan, RoomPlan, parse_event_file
from backend.errors import Refused

FORM = {
    "slug": "river-night",
    "name": 'A "River" \\ Night 夜',
    "venue": "Hall",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "doors": "2030-06-15T18:00",
    "starts": "2030-06-15T20:00",
    "ends": "2030-06-15T23:00",
    "hold_minutes": "15",
    "max_per_order": "4",
    "offline_policy": "home",
    "class-1-name": "Standing",
    "class-1-code": "standing",
    "class-1-price": "49.50",
    "class-1-capacity": "100",
    "class-3-name": "Seated",
    "class-3-code": "seated",
    "class-3-price": "72",
    "class-3-rows": "A: 1-4; B: 1-2, 5",
    "class-3-policy": "soulbound",
    "class-3-zone": "2",
}


def read(**changed: str) -> EventPlan:
    form = {**FORM, **changed}
    return parse_event_file(event_file(form, class_rows(form)))


def test_a_form_becomes_the_event_it_describes() -> None:
    plan = read()
    assert (plan.slug, plan.name, plan.hold_seconds, plan.offline_policy) == (
        *("river-night", 'A "River" \\ Night 夜', 900, "home"),
    )
    standing, seated = plan.classes
    assert (standing.price_minor, standing.capacity, standing.seats) == (4950, 100, ())
    assert [seat.label for seat in seated.seats] == ["A-1", "A-2", "A-3", "A-4", "B-1", "B-2", "B-5"]
    assert (seated.price_minor, seated.policy, seated.zone) == (7200, "soulbound", 2)


def test_the_form_has_the_rules_of_the_sale_that_a_file_has() -> None:
    plan = read(
        **{"sale_starts": "2030-05-01T10:00", "max_per_buyer": "6", "refunds-self_service": "1"},
        **{"refunds-until": "2030-06-01T12:00", "refunds-keep_percent": "12.5"},
        **{"waiting_room-opens": "2030-05-01T09:00", "waiting_room-rate_per_minute": "300"},
    )
    assert (plan.max_per_buyer, plan.refund_keep_bps) == (6, 1250)
    assert plan.sale_starts_ms is not None
    assert plan.waiting_room == RoomPlan(plan.sale_starts_ms - 3_600_000, 300)
    assert plan.refund_until_ms is not None
    assert plan.refund_until_ms < plan.doors_ms
    plain = read()
    assert (plain.sale_starts_ms, plain.max_per_buyer, plain.refund_until_ms, plain.waiting_room) == (None,) * 4


@pytest.mark.parametrize(
    ("field", "value", "code", "named"),
    [
        ("refunds-until", "2030-06-16T12:00", "times_out_of_order", "refunds-until"),
        ("refunds-keep_percent", "200", "bad_percent", "refunds-keep_percent"),
        ("waiting_room-opens", "2030-05-01T09:00", "missing_key", "waiting_room-rate_per_minute"),
        ("max_per_buyer", "0", "bad_number", "max_per_buyer"),
        ("slug", "River Night", "bad_slug", "slug"),
        ("doors", "tomorrow", "bad_time", "doors"),
        ("starts", "", "missing_key", "starts"),
        ("ends", "2030-06-15T19:00", "times_out_of_order", "starts"),
        ("max_per_order", "many", "bad_number", "max_per_order"),
        ("class-1-price", "cheap", "bad_amount", "class-1-price"),
        ("class-1-capacity", "-5", "bad_capacity", "class-1-capacity"),
        ("class-3-rows", "A: x", "bad_seats", "class-2-rows"),
        ("class-3-zone", "2\nname = 5", "bad_number", "class-2-zone"),
        ("name", 'x"\nslug = "other', "bad_text", "name"),
        ("currency", "EURO", "unknown_currency", "currency"),
    ],
)
def test_what_the_file_would_be_refused_for_is_said_at_its_field(field: str, value: str, code: str, named: str) -> None:
    with pytest.raises(Refused) as caught:
        read(**{field: value})
    assert caught.value.refusal.code == code
    assert field_of(caught.value.refusal.details["key"]) == named

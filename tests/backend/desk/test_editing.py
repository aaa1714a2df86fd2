"""What is changed of an event that people know of: kinder rules, another start; by a file no more than by the form."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, insert, select, update

from backend.cli import event as cli
from backend.db.clock import now_ms
from backend.db.tables.events import Event, WaitingRoom
from backend.db.tables.orders import Order
from backend.desk.audit import COMMAND_LINE, latest
from backend.desk.editing import edit_event, editable
from backend.domain.event_file import parse_event_file
from backend.domain.event_terms import EventTerms, Known, why_unchangeable
from backend.domain.selling.outcomes import Again
from backend.errors import Refused
from backend.sales.events import create_event
from backend.sales.till.reading import lock_event
from backend.sales.till.till import Till
from backend.waiting_room.desk import Desk
from backend.waiting_room.rules import Phase
from backend.waiting_room.tokens import read_place
from tests.support.shop import EVENT, floor, put_on_sale

SECRET = b"s" * 32
HOUR = 3_600_000
REFUNDS = "[refunds]\nself_service = true\nuntil = 2030-06-01T12:00:00\nkeep_percent = 10"
ROWS = '{row = "A", seats = "1-6"}, {row = "B", seats = "1-4, 7-10"}'
TERMS = EventTerms(5000, 1000, 2000)
OPEN = Known("on_sale", doors_ms=9000, ends_ms=10_000, has_buyers=True, now_ms=1000)


@pytest.fixture
def event_id(engine: Engine) -> UUID:
    return put_on_sale(engine, extra=REFUNDS)


def edit(engine: Engine, **fields: str | None) -> None:
    """The form as it is shown, with some fields changed; none: a box that is not ticked."""
    form = {**editable(engine, "gig")["fields"], **{name.replace("__", "-"): text for name, text in fields.items()}}
    edit_event(engine, SECRET, "anna", "gig", {name: text for name, text in form.items() if text is not None})


def load(engine: Engine, extra: str = REFUNDS, head: str = "", **changes: Any) -> UUID:
    """Load the event's file again. `head`: keys in the place of the start of the sale."""
    text = EVENT.format(slug="gig", floor=10, max_per_order=8, extra=f"{head}\n{extra}", rows=ROWS)
    for old, new in changes.items():
        text = text.replace(*new) if isinstance(new, tuple) else text.replace(old, new)
    plan = parse_event_file(text.encode())
    return create_event(engine, plan, sha256(text.encode()).digest())


def buy(engine: Engine, event_id: UUID) -> None:
    assert isinstance(Till(engine, event_id).ask(floor()), Again)


def terms(engine: Engine, event_id: UUID) -> tuple[Any, ...]:
    with engine.connect() as connection:
        query = select(Event.refund_until_ms, Event.refund_keep_bps, Event.sale_starts_ms)
        return tuple(connection.execute(query.where(Event.id == event_id)).one())


def code_of(refused: pytest.ExceptionInfo[Refused]) -> tuple[str, Any]:
    told = refused.value.refusal
    assert len(told.sentence) > 20
    return told.code, told.details.get("key")


@pytest.mark.parametrize(
    ("wanted", "code", "key"),
    [
        (replace(TERMS, refund_until_ms=5001), None, None),
        (replace(TERMS, refund_until_ms=4999), "refunds_only_kinder", "refunds.until"),
        (replace(TERMS, refund_until_ms=None), "refunds_only_kinder", "refunds.self_service"),
        (replace(TERMS, refund_until_ms=9001), "times_out_of_order", "refunds.until"),
        (replace(TERMS, refund_keep_bps=999), None, None),
        (replace(TERMS, refund_keep_bps=1001), "refunds_only_kinder", "refunds.keep_percent"),
        (replace(TERMS, refund_until_ms=6000, refund_keep_bps=1001), "refunds_only_kinder", "refunds.keep_percent"),
        (replace(TERMS, sale_starts_ms=1001), None, None),
        (replace(TERMS, sale_starts_ms=1000), "sale_start_passed", "sale_starts"),
        (replace(TERMS, sale_starts_ms=None), "sale_start_passed", "sale_starts"),
        (replace(TERMS, sale_starts_ms=10_000), "times_out_of_order", "sale_starts"),
    ],
)
def test_terms_become_kinder_only(wanted: EventTerms, code: str | None, key: str | None) -> None:
    refusal = why_unchangeable(TERMS, wanted, OPEN)
    assert (refusal.code, refusal.details["key"]) == (code, key) if refusal else code is None


def test_who_could_give_nothing_back_loses_nothing_by_any_rule() -> None:
    assert why_unchangeable(replace(TERMS, refund_until_ms=None), replace(TERMS, refund_keep_bps=9000), OPEN) is None


def test_before_anybody_bought_the_rules_are_free() -> None:
    free = replace(OPEN, has_buyers=False)
    assert why_unchangeable(TERMS, EventTerms(None, 10_000, 2000), free) is None


@pytest.mark.parametrize("starts", [None, 999, 1000])
def test_a_sale_that_has_begun_begins_at_no_other_time(starts: int | None) -> None:
    refusal = why_unchangeable(replace(TERMS, sale_starts_ms=starts), TERMS, OPEN)
    assert refusal is not None
    assert refusal.code == "sale_has_begun"


@pytest.mark.parametrize("state", ["cancelled", "over"])
def test_a_closed_event_keeps_its_terms(state: str) -> None:
    refusal = why_unchangeable(TERMS, replace(TERMS, refund_keep_bps=0), replace(OPEN, state=state))
    assert refusal is not None
    assert refusal.code == "event_closed"


def test_the_form_makes_refunds_kinder_and_the_log_says_from_what_to_what(engine: Engine, event_id: UUID) -> None:
    buy(engine, event_id)
    until, _keep, _starts = terms(engine, event_id)
    edit(engine, refunds__until="2030-06-10T12:00", refunds__keep_percent="2.5")
    assert terms(engine, event_id) == (until + 9 * 24 * HOUR, 250, None)
    (entry,) = latest(engine)
    assert (entry["action"], entry["actor"]) == ("event_edit", "anna")
    assert entry["detail"]["refund_keep_bps"] == [1000, 250]
    edit(engine)
    assert len(latest(engine)) == 1, "nothing changed, nothing to tell"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"refunds__until": "2030-05-31T12:00"}, "refunds-until"),
        ({"refunds__keep_percent": "10.01"}, "refunds-keep_percent"),
        ({"refunds__self_service": None}, "refunds-self_service"),
    ],
)
def test_the_form_takes_nothing_from_who_has_bought(
    engine: Engine, event_id: UUID, fields: dict[str, Any], key: str
) -> None:
    before = terms(engine, event_id)
    buy(engine, event_id)
    with pytest.raises(Refused) as refused:
        edit(engine, **fields, name="Another name")
    assert code_of(refused) == ("refunds_only_kinder", key)
    assert terms(engine, event_id) == before
    assert editable(engine, "gig")["fields"]["name"] == "Gig"
    with engine.begin() as connection:
        connection.execute(update(Order).values(state="expired"))
    edit(engine, **fields)
    assert terms(engine, event_id) != before, "nobody has bought"


@pytest.mark.parametrize("percent", ["-1", "101", "1e1", "ten", "1.234", "٣"])
def test_what_is_no_percentage_is_refused(engine: Engine, event_id: UUID, percent: str) -> None:
    with pytest.raises(Refused) as refused:
        edit(engine, refunds__keep_percent=percent)
    assert code_of(refused) == ("bad_percent", "refunds-keep_percent")


def test_the_form_as_it_was_given_out_changes_nothing_not_even_seconds(engine: Engine, event_id: UUID) -> None:
    with engine.begin() as connection:
        connection.execute(update(Event).values(refund_until_ms=Event.refund_until_ms + 31_000))
    before = terms(engine, event_id)
    buy(engine, event_id)
    edit(engine, venue="Other hall")
    assert terms(engine, event_id) == before


def test_a_name_that_is_changed_at_the_same_moment_takes_back_no_change_of_the_rules(
    engine: Engine, event_id: UUID
) -> None:
    form = {"name": "Gig", "venue": "Elsewhere", "hold_minutes": "10", "max_per_order": "8"}
    with ThreadPoolExecutor(1) as other:
        with engine.begin() as connection:
            lock_event(connection, event_id)
            connection.execute(update(Event).values(refund_keep_bps=0))
            waiting = other.submit(edit_event, engine, SECRET, "anna", "gig", form)
            wait([waiting], timeout=1)
        waiting.result()
    assert terms(engine, event_id)[1] == 0


def test_a_sale_at_the_same_moment_comes_before_the_change_and_forbids_it(engine: Engine, event_id: UUID) -> None:
    """Somebody is buying, knowing the rules: the change waits for the till, and sees them."""
    before = terms(engine, event_id)
    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as sale:
            lock_event(sale, event_id)
            changing = threads.submit(edit, engine, refunds__keep_percent="50")
            wait([changing], timeout=0.5)  # it would be done by now if it did not wait for the lock
            row = {"id": uuid4(), "event_id": event_id, "state": "held", "secret_hash": bytes(32), "quantity": 1}
            more = {"total_minor": 1, "currency": "EUR", "hold_expires_ms": 10**13, "created_ms": 1}
            sale.execute(insert(Order).values(**row, **more))
        with pytest.raises(Refused, match="refunds_only_kinder"):
            changing.result()
    assert terms(engine, event_id) == before


# --- the start of the sale, and the waiting room ---


@pytest.fixture
def room(engine: Engine, event_id: UUID) -> Desk:
    """A waiting room that opened an hour ago; the sale starts in an hour."""
    with engine.begin() as connection:
        now = now_ms(connection)
        values = {"opens_ms": now - HOUR, "starts_ms": now + HOUR, "rate_per_minute": 60}
        connection.execute(insert(WaitingRoom).values(event_id=event_id, seed=bytes(32), **values))
        connection.execute(update(Event).values(sale_starts_ms=now + HOUR))
    return Desk(engine, SECRET)


def row(connection: Connection) -> Any:
    return connection.execute(select(WaitingRoom)).one()


def test_the_waiting_rooms_draw_moves_with_the_sale_and_nobody_in_it_loses_their_place(
    engine: Engine, event_id: UUID, room: Desk
) -> None:
    mine = room.join(event_id)
    edit(engine, sale_starts="2030-06-14T20:00")
    starts = terms(engine, event_id)[2]
    with engine.begin() as connection:
        moved = row(connection)
        assert moved.starts_ms == starts
        assert moved.opens_ms < now_ms(connection), "an open room stays open"
        assert moved.seed != bytes(32), "the draw is a new one"
        assert moved.early_count == 1
    later = Desk(engine, SECRET)
    standing = later.stand(event_id, mine.place)
    assert (standing.turn.state, standing.starts_ms) == ("too_early", moved.starts_ms)
    place = read_place(SECRET, later.join(event_id).place)
    assert place is not None
    assert (place.phase, place.number) == (Phase.EARLY, 1)
    with pytest.raises(Refused) as refused:
        edit(engine, sale_starts="2030-06-16T20:00")
    assert code_of(refused) == ("times_out_of_order", "sale_starts")
    assert "sale_starts_ms" in latest(engine)[0]["detail"]


def test_a_room_that_is_not_open_opens_as_long_before_the_start_as_it_would_have(
    engine: Engine, event_id: UUID, room: Desk
) -> None:
    with engine.begin() as connection:
        connection.execute(update(WaitingRoom).values(opens_ms=WaitingRoom.starts_ms - HOUR // 2))
    edit(engine, sale_starts="2030-06-14T20:00")
    with engine.connect() as connection:
        assert row(connection).starts_ms - row(connection).opens_ms == HOUR // 2


def test_the_start_of_a_sale_that_has_begun_stays(engine: Engine, event_id: UUID, room: Desk) -> None:
    with engine.begin() as connection:
        now = now_ms(connection)
        connection.execute(update(WaitingRoom).values(starts_ms=now))
        connection.execute(update(Event).values(sale_starts_ms=now))
    seen = room.join(event_id)
    with pytest.raises(Refused) as refused:
        edit(engine, sale_starts="2030-06-14T20:00")
    assert code_of(refused) == ("sale_has_begun", "sale_starts")
    with engine.connect() as connection:
        assert row(connection).seed == bytes(32)
    assert room.stand(event_id, seen.place).turn.state == "enter"


# --- the event's file, loaded again ---


def test_a_file_loaded_again_changes_what_the_form_may_change(engine: Engine, event_id: UUID) -> None:
    buy(engine, event_id)
    kinder = REFUNDS.replace("06-01", "06-10").replace("= 10", "= 5")
    told: list[Any] = []
    text = EVENT.format(slug="gig", floor=10, max_per_order=4, extra=kinder, rows=ROWS).replace('"Hall"', '"Dome"')
    plan, hash_ = parse_event_file(text.encode()), sha256(text.encode()).digest()
    for _twice in range(2):
        again = create_event(engine, plan, hash_, told=lambda _one, slug, changed: told.append((slug, changed)))
        assert again == event_id
    assert [(slug, sorted(changed)) for slug, changed in told] == [
        ("gig", ["max_per_order", "refund_keep_bps", "refund_until_ms", "venue"])
    ]
    assert terms(engine, event_id)[1] == 500
    fields = editable(engine, "gig")["fields"]
    assert (fields["venue"], fields["max_per_order"]) == ("Dome", "4")


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        (REFUNDS.replace("06-01", "05-31"), "refunds.until"),
        (REFUNDS.replace("= 10", "= 11"), "refunds.keep_percent"),
        (REFUNDS.replace("true", "false"), "refunds.self_service"),
    ],
)
def test_a_file_loaded_again_takes_nothing_from_who_has_bought(
    engine: Engine, event_id: UUID, extra: str, key: str
) -> None:
    before = terms(engine, event_id)
    buy(engine, event_id)
    with pytest.raises(Refused) as refused:
        load(engine, extra)
    assert code_of(refused) == ("refunds_only_kinder", key)
    assert terms(engine, event_id) == before


def test_a_file_loaded_again_starts_no_sale_anew(engine: Engine, event_id: UUID) -> None:
    with pytest.raises(Refused) as refused:
        load(engine, head="sale_starts = 2030-01-01T12:00:00")
    assert code_of(refused) == ("sale_has_begun", "sale_starts")


def test_a_file_loaded_again_moves_the_start_with_its_waiting_room(engine: Engine) -> None:
    room = "[waiting_room]\nopens = 2030-01-01T11:00:00\nrate_per_minute = 60"
    event_id = put_on_sale(engine, extra=f"sale_starts = 2030-01-01T12:00:00\n{REFUNDS}\n{room}")
    with pytest.raises(Refused) as refused:
        load(engine, f"{REFUNDS}\n{room.replace('= 60', '= 61')}", "sale_starts = 2030-01-01T12:00:00")
    assert code_of(refused) == ("event_exists", "waiting_room")
    load(engine, f"{REFUNDS}\n{room.replace('11', '09')}", "sale_starts = 2030-01-01T10:00:00")
    starts = terms(engine, event_id)[2]
    with engine.begin() as connection:
        moved = row(connection)
        assert (moved.starts_ms, moved.starts_ms - moved.opens_ms) == (starts, HOUR)
        connection.execute(update(WaitingRoom).values(opens_ms=now_ms(connection) - HOUR))
    with pytest.raises(Refused) as refused:
        load(engine, f"{REFUNDS}\n{room.replace('11', '12')}", "sale_starts = 2030-01-01T13:00:00")
    assert code_of(refused) == ("waiting_room_open", "waiting_room.opens")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("EUR", "USD", "currency"),
        ("06-15T20", "06-15T21", "starts"),
        ('price = "49.50"', 'price = "50.00"', "classes[1].price"),
        ("capacity = 10", "capacity = 11", "classes[1].capacity"),
        ('code = "balcony"', 'code = "gallery"', "classes[2].code"),
        ('seats = "1-6"', 'seats = "2-7"', "classes"),
        ("max_per_order = 8", "max_per_order = 8\nmax_per_buyer = 9", "max_per_buyer"),
        ("max_per_order = 8", 'max_per_order = 8\noffline_policy = "home"', "offline_policy"),
    ],
)
def test_a_slug_is_given_to_no_other_event(engine: Engine, event_id: UUID, old: str, new: str, key: str) -> None:
    with pytest.raises(Refused) as refused:
        load(engine, this=(old, new))
    assert code_of(refused) == ("event_exists", key)


def test_the_command_line_loads_a_file_again_and_the_log_says_what_it_changed(
    engine: Engine, event_id: UUID, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = EVENT.format(slug="gig", floor=10, max_per_order=8, extra=REFUNDS.replace("= 10", "= 3"), rows=ROWS)
    (tmp_path / "gig.toml").write_text(text)
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRUESTUB_DATABASE_URL", database_url)
    monkeypatch.setattr(cli, "prepare_event", lambda *_arguments: None)  # the signer's part is done since long
    cli.create(tmp_path / "gig.toml")
    assert terms(engine, event_id)[1] == 300
    edits = [one for one in latest(engine) if one["action"] == "event_edit"]
    assert [(one["actor"], one["about"], one["detail"]) for one in edits] == [
        (COMMAND_LINE, "event:gig", {"refund_keep_bps": [1000, 300]})
    ]


def test_an_unknown_event_has_no_form(engine: Engine) -> None:
    with pytest.raises(Refused, match="unknown_event"):
        editable(engine, f"gone-{uuid4().hex[:4]}")

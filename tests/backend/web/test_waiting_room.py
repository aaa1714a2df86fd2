"""The waiting room over HTTP: places for everybody, the till for those whose turn it is, no write for a poll."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, select, update

from backend.app import create_app
from backend.db.clock import now_ms
from backend.db.tables.events import Event, WaitingRoom
from backend.domain.event_file import parse_event_file
from backend.errors import Refused
from backend.waiting_room.desk import Desk
from backend.waiting_room.rules import ENTRY_MINUTES, Phase
from backend.waiting_room.tokens import Pass, pass_token, read_place
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key, problem
from tests.support.shop import EVENT

ROOM = "/api/v1/events/gig/waiting-room"
HOUR = 3_600_000


def event_id(services: Services) -> UUID:
    found = services.tills.event_id("gig")
    assert found
    return found


def open_room(services: Services, opened_ago: int = HOUR, started_ago: int = 0, rate: int = 60) -> None:
    """A room that opened and started so long ago (negative: is still to)."""
    with services.engine.begin() as connection:
        now = now_ms(connection)
        values = {"opens_ms": now - opened_ago, "starts_ms": now - started_ago, "rate_per_minute": rate}
        connection.execute(insert(WaitingRoom).values(event_id=event_id(services), seed=bytes(32), **values))
        connection.execute(update(Event).values(sale_starts_ms=now - started_ago))


def start_sale(services: Services, ago: int = 0) -> None:
    with services.engine.begin() as connection:
        now = now_ms(connection)
        connection.execute(update(WaitingRoom).values(starts_ms=now - ago))
        connection.execute(update(Event).values(sale_starts_ms=now - ago))
    services.rooms._rooms.clear()


def join(client: FlaskClient) -> dict[str, Any]:
    answer = client.post(ROOM)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def stand(client: FlaskClient, place: str) -> dict[str, Any]:
    answer = client.get(ROOM, headers={"Waiting-Place": place})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def order(client: FlaskClient, leave: str | None) -> Any:
    headers = {"Idempotency-Key": new_key(), **({"Waiting-Pass": leave} if leave else {})}
    body = {"lines": [{"class": "floor", "quantity": 1}]}
    return client.post("/api/v1/events/gig/orders", json=body, headers=headers)


def test_nobody_passes_the_room_to_the_till(services: Services, client: FlaskClient, buyer: Buyer) -> None:
    open_room(services, started_ago=1)
    now = int(services.clock() * 1000)
    forged = pass_token(bytes(32), Pass(event_id(services), now + HOUR, bytes(16)))
    elsewhere = pass_token(services.secret, Pass(UUID(int=1), now + HOUR, bytes(16)))
    for attempt in (None, "", forged, elsewhere, "x" * 5000):
        assert problem(order(client, attempt)) == (403, "waiting_room")
    over = pass_token(services.secret, Pass(event_id(services), now - HOUR, bytes(16)))
    assert problem(order(client, over)) == (403, "pass_expired")
    place = join(client)
    assert problem(order(client, place["place"])) == (403, "waiting_room"), "a place is no pass"


def test_who_came_before_the_start_is_drawn_and_enters_in_turn(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=-HOUR, rate=2)
    places = [join(client) for _ in range(6)]
    assert {(one["state"], one["ahead"], one["pass"]) for one in places} == {("too_early", None, None)}
    assert problem(order(client, None)) == (409, "presale_only")
    start_sale(services)
    standing = sorted((stand(client, one["place"]) for one in places), key=lambda one: one["ahead"])
    assert standing[-1]["ahead"] <= 5
    late = join(client)
    assert late["ahead"] == 6, "behind all who were early"
    start_sale(services, ago=2 * 60_000)
    entering = [one for one in (stand(client, one["place"]) for one in places) if one["state"] == "enter"]
    waiting = [one for one in (stand(client, one["place"]) for one in places) if one["state"] == "waiting"]
    assert len(entering) + len(waiting) == 6
    for one in entering:
        assert order(client, one["pass"]).status_code == 201
    assert all(one["pass"] is None for one in waiting)


def test_who_comes_when_the_line_is_empty_enters_at_once(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=5 * HOUR)
    place = join(client)
    assert place["state"] in ("enter", "waiting")
    assert place["wait_seconds"] <= 2
    start_sale(services, ago=5 * HOUR + 5_000)
    here = stand(client, place["place"])
    assert here["state"] == "enter"
    assert order(client, here["pass"]).status_code == 201


def test_a_turn_that_was_not_used_is_lost(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=1)
    place = join(client)
    start_sale(services, ago=ENTRY_MINUTES * 60_000 + 60_000)
    assert stand(client, place["place"])["state"] == "missed"


def test_two_hundred_at_once_get_two_hundred_numbers(services: Services) -> None:
    """Together they need a few writes only, in every process."""
    open_room(services, started_ago=-HOUR)
    desks = [Desk(services.engine, services.secret) for _ in range(2)]
    with ThreadPoolExecutor(40) as pool:
        standing = list(pool.map(lambda number: desks[number % 2].join(event_id(services)), range(200)))
    places = [read_place(services.secret, one.place) for one in standing]
    assert sorted(one.number for one in places if one) == list(range(200))
    assert {one.phase for one in places if one} == {Phase.EARLY}
    with services.engine.connect() as connection:
        assert connection.scalar(select(WaitingRoom.early_count)) == 200


def test_a_poll_writes_nothing_and_hardly_reads(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=-HOUR)
    place = join(client)["place"]
    stand(client, place)
    statements: list[str] = []
    sqlalchemy_event.listen(services.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    for _ in range(100):
        stand(client, place)
    assert not [one for one in statements if one.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))]
    assert len(statements) < 50, "a second's knowledge serves them all"


def test_a_restart_forgets_nobody(services: Services, client: FlaskClient) -> None:
    open_room(services, started_ago=1, rate=1)
    join(client)
    place = join(client)
    again = Desk(services.engine, services.secret).stand(event_id(services), place["place"])
    assert again.turn.ahead == place["ahead"]


def test_places_of_others_and_rooms_that_are_not(services: Services, client: FlaskClient) -> None:
    assert problem(client.post(ROOM)) == (404, "no_waiting_room")
    open_room(services, opened_ago=-HOUR, started_ago=-2 * HOUR)
    services.rooms._rooms.clear()
    assert problem(client.post(ROOM)) == (409, "waiting_room_closed")
    assert problem(client.get(ROOM)) == (400, "place_missing")
    assert problem(client.get(ROOM, headers={"Waiting-Place": "nonsense"})) == (404, "unknown_place")
    assert problem(client.post("/api/v1/events/none/waiting-room")) == (404, "unknown_event")


def test_the_page_shows_the_place_and_leads_on(services: Services) -> None:
    app = create_app(services)
    visitor = app.test_client()
    open_room(services, started_ago=-HOUR)
    assert visitor.get("/events/gig").headers["Location"] == "/events/gig/waiting"
    form = visitor.get("/events/gig/waiting").get_data(as_text=True)
    assert "Take a place" in form
    assert visitor.post("/events/gig/waiting").status_code == 400, "another site can't send the form"
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert visitor.post("/events/gig/waiting", data={"csrf_token": token}).status_code == 303
    page = visitor.get("/events/gig/waiting")
    assert "You have a place" in page.get_data(as_text=True)
    assert int(page.headers["Refresh"]) > 0
    start_sale(services, ago=61_000)
    assert visitor.get("/events/gig/waiting").headers["Location"] == "/events/gig"
    assert visitor.get("/events/gig").status_code == 200
    assert app.test_client().get("/events/gig").status_code == 303, "another browser has no pass"


def test_the_event_file_says_when_the_room_opens() -> None:
    text = EVENT.format(slug="gig", floor=5, max_per_order=5, rows='{row = "A", seats = "1-2"}', extra="{extra}")
    room = "[waiting_room]\nopens = 2030-03-01T09:30:00\nrate_per_minute = 600\n"
    plan = parse_event_file(text.replace("{extra}", f"sale_starts = 2030-03-01T10:00:00\n{room}").encode())
    assert plan.waiting_room
    assert plan.sale_starts_ms == plan.waiting_room.opens_ms + 30 * 60_000
    with pytest.raises(Refused, match="missing_key"):
        parse_event_file(text.replace("{extra}", room).encode())

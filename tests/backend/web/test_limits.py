"""Bots: how much one address may ask for, whom a proxy speaks for, and that nobody else pays for it."""

import asyncio
import ipaddress
import secrets
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, update
from werkzeug.test import TestResponse

from backend.app import create_app, protection_of
from backend.db.clock import now_ms
from backend.db.tables.events import Event, WaitingRoom
from backend.errors import SettingError
from backend.settings import settings_from
from backend.web.express import Express
from backend.web.limits import MAX_ADDRESSES, Buckets, Rate, UnpaidHolds
from backend.web.visitors import BURST_SECONDS, Limits, init_limits, network_of, visitor_behind
from backend.wiring import Services
from tests.backend.web.test_express import HOLD, ONE, Scope
from tests.support.buyer import Buyer, new_key, problem
from tests.support.desk import enter, post
from tests.support.forms import HTML, token_of

STRANGER, NEIGHBOUR = "192.0.2.1", "192.0.2.2"
FEW = 2  # of what is limited here
ORDER = {"lines": [{"class": "floor", "quantity": 1}]}
FIND = {"owner": "0x" + "11" * 20, "expiry": 1, "signature": "0x" + "22" * 65}
Send = Callable[[FlaskClient, str], TestResponse]


class Clock:
    """Seconds that pass when told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def services(services: Services) -> Services:
    """With low limits."""
    settings = replace(services.settings, holds_per_second=1, places_per_hour=FEW, lookups_per_hour=FEW)
    return replace(services, settings=settings)


@pytest.fixture
def app(services: Services) -> Flask:
    return standing_still(services)


def standing_still(services: Services) -> Flask:
    """The application, for whose limits no time passes."""
    app = create_app(services)
    init_limits(app, services.settings, Clock())
    return app


def by_api(path: str, body: object) -> Send:
    def send(client: FlaskClient, address: str) -> TestResponse:
        headers = {"Idempotency-Key": new_key()}
        return client.post(path, json=body, headers=headers, environ_base={"REMOTE_ADDR": address})

    return send


def by_form(path: str, page: str, **fields: str) -> Send:
    def send(client: FlaskClient, address: str) -> TestResponse:
        there = {"REMOTE_ADDR": address}
        client.delete_cookie("waiting-place", path="/events/gig")
        token = token_of(client.get(page, headers=HTML, environ_base=there).text)
        data = {"csrf_token": token, "form": secrets.token_hex(8), **fields}
        return client.post(path, data=data, headers=HTML, environ_base=there)

    return send


ROUTES: dict[str, tuple[int, Send]] = {  # how many are let through, and how to ask
    "hold": (BURST_SECONDS, by_api("/api/v1/events/gig/orders", ORDER)),
    "hold by form": (BURST_SECONDS, by_form("/events/gig", "/events/gig?presale", **{"quantity-floor": "1"})),
    "waiting room": (FEW, by_api("/api/v1/events/gig/waiting-room", None)),
    "waiting room by form": (FEW, by_form("/events/gig/waiting", "/events/gig/waiting")),
    "waiting list": (FEW, by_api("/api/v1/events/gig/waiting-list", {"class": "floor", "quantity": 1})),
    "waiting list by form": (FEW, by_form("/events/gig/waiting-list", "/orders", quantity="1")),
    "orders of an owner": (FEW, by_api("/api/v1/events/gig/orders/find", FIND)),
    "receipt": (FEW, by_form("/orders", "/orders", receipt="truestub-receipt-1 x y z")),
    "code by mail": (FEW, by_form("/orders/code", "/orders", mail="somebody@truestub.example")),
}


@pytest.mark.parametrize("name", ROUTES)
def test_a_bot_is_slowed_down_and_its_neighbour_is_not(app: Flask, services: Services, name: str) -> None:
    if name.startswith("waiting room"):
        open_room(services)
    allowed, send = ROUTES[name]
    client = app.test_client()
    assert 429 not in [send(client, STRANGER).status_code for _ in range(allowed)]
    refused = send(client, STRANGER)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    if name.endswith("form") or name in ("receipt", "code by mail"):
        assert "Too many requests came from your network" in refused.text
    else:
        assert problem(refused) == (429, "too_many_requests")
        assert refused.get_json()["retry_after"] == int(refused.headers["Retry-After"])
    assert send(client, NEIGHBOUR).status_code != 429


def open_room(services: Services) -> None:
    """A waiting room whose sale begins in an hour."""
    with services.engine.begin() as connection:
        now, event_id = now_ms(connection), services.tills.event_id("gig")
        values = {"opens_ms": now - 1000, "starts_ms": now + 3_600_000, "rate_per_minute": 60, "seed": bytes(32)}
        connection.execute(insert(WaitingRoom).values(event_id=event_id, **values))
        connection.execute(update(Event).values(sale_starts_ms=now + 3_600_000))


def test_the_express_road_has_the_same_limit(app: Flask, services: Services) -> None:
    services.tills.event_id("gig")
    express = Express(app, protection_of(services))

    async def ask(client: str) -> int:
        heads = [("content-type", "application/json"), ("idempotency-key", secrets.token_hex(8))]
        with ThreadPoolExecutor(1) as pool:
            answer = await express.answer(Scope(HOLD, heads, client=client), ONE, pool)  # type: ignore[arg-type]
        assert answer is not None
        assert (answer[0] == 429) == ("Retry-After" in dict(answer[1]))
        return answer[0]

    async def rush() -> list[int]:
        return [await ask(f"{address}:{port}") for address, count in crowd for port in range(count)]

    crowd = ((STRANGER, BURST_SECONDS + 1), (NEIGHBOUR, 1), ("[2001:db8::1]", BURST_SECONDS), ("[2001:db8::2]", 1))
    statuses = asyncio.run(rush())
    assert [index for index, status in enumerate(statuses) if status == 429] == [10, 22]


def test_an_address_cannot_hoard_holds_that_it_does_not_pay(services: Services) -> None:
    low = replace(services, settings=replace(services.settings, unpaid_holds=FEW, holds_per_second=60))
    buyer = Buyer(standing_still(low).test_client())
    first, second = buyer.held(), buyer.held()
    refused = buyer.order()
    assert problem(refused) == (429, "too_many_requests")
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    buyer.client.environ_base["REMOTE_ADDR"] = NEIGHBOUR
    buyer.held()
    buyer.client.environ_base["REMOTE_ADDR"] = "127.0.0.1"
    assert buyer.pay(first).status_code == 200
    buyer.held()
    assert problem(buyer.order()) == (429, "too_many_requests")
    release = {"Authorization": f"Bearer {second['order_secret']}"}
    assert buyer.client.delete(f"/api/v1/orders/{second['order_id']}", headers=release).status_code == 200
    buyer.held()


def test_the_address_that_paid_buyers_come_back_to_frees_nobody_who_did_not_pay(services: Services) -> None:
    low = replace(services, settings=replace(services.settings, unpaid_holds=1, holds_per_second=60))
    client = standing_still(low).test_client()
    held = post(client, "/events/gig", "/events/gig", form="a-page", **{"quantity-floor": "1"})
    assert held.status_code == 303
    assert client.get(held.headers["Location"] + "/paid", headers=HTML).status_code == 303
    assert problem(Buyer(client).order()) == (429, "too_many_requests")


def test_joining_again_and_again_gets_an_address_no_more_places_than_its_limit(app: Flask, services: Services) -> None:
    open_room(services)
    _allowed, send = ROUTES["waiting room"]
    client = app.test_client()
    answers = [send(client, STRANGER) for _ in range(20)]
    places = {one.get_json()["place"] for one in answers if one.status_code == 201}
    assert len(places) == FEW


def test_holds_over_count_no_more() -> None:
    clock = Clock()
    holds = UnpaidHolds(FEW, 600, clock)
    for order_id in (UUID(int=1), UUID(int=1), UUID(int=2)):  # one answer was repeated
        assert holds.wait_seconds(STRANGER) == 0
        holds.add(order_id, STRANGER)
    assert holds.wait_seconds(STRANGER) == 600
    clock.now += 601
    assert holds.wait_seconds(STRANGER) == 0
    assert len(holds) == 0


def test_a_rate_gives_its_burst_at_once_and_then_its_pace() -> None:
    clock = Clock()
    buckets = Buckets(Rate(600, 60), clock)
    assert [buckets.wait_seconds(STRANGER) for _ in range(601)] == [0] * 600 + [1]
    clock.now += 1
    assert [buckets.wait_seconds(STRANGER) for _ in range(61)] == [0] * 60 + [1]
    slow = Buckets(Rate(1, 1 / 12), clock)
    assert (slow.wait_seconds(STRANGER), slow.wait_seconds(STRANGER)) == (0, 6)


def test_a_bot_with_very_many_addresses_does_not_fill_the_memory() -> None:
    most = 500
    tracemalloc.start()
    try:
        buckets, holds = Buckets(Rate(10, 1), Clock(), most), UnpaidHolds(1, 600, Clock(), most)
        for number in range(3 * most):
            address = str(ipaddress.IPv4Address(number))
            buckets.wait_seconds(address)
            holds.add(uuid4(), address)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(buckets) == len(holds) == most
    assert taken / most * MAX_ADDRESSES < 60_000_000, "bytes, when full"


def test_a_forged_forwarded_header_gets_a_stranger_no_new_limit(services: Services) -> None:
    for trusted, more in (("", 0), ("203.0.113.0/24", 0), ("192.0.2.1", 1)):
        proxies = settings_from({"TRUESTUB_TRUSTED_PROXIES": trusted}).trusted_proxies
        limited = replace(services, settings=replace(services.settings, trusted_proxies=proxies))
        client = standing_still(limited).test_client()
        statuses = [
            client.post(
                "/api/v1/events/gig/orders/find",
                json=FIND,
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
                environ_base={"REMOTE_ADDR": STRANGER},
            ).status_code
            for number in range(FEW + 1)
        ]
        assert (429 not in statuses) == bool(more), trusted


def test_a_forged_hop_before_the_proxys_own_is_not_believed() -> None:
    trusted = settings_from({"TRUESTUB_TRUSTED_PROXIES": "10.0.0.0/8, ::1"}).trusted_proxies
    for peer, said, found in (
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # the visitor wrote the first
        ("10.0.0.1", "6.6.6.6, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, what", "10.0.0.1"),
        ("[::1]", "2001:db8::7", "2001:db8::7"),
        ("198.51.100.7", "10.0.0.1", "198.51.100.7"),
    ):
        assert visitor_behind(trusted, peer, said) == found


def test_an_ipv6_visitor_is_its_network_and_a_mapped_address_is_an_ipv4_one() -> None:
    assert network_of("2001:db8::1") == network_of("[2001:db8::ffff:2]") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == STRANGER
    assert network_of("what") == ""


def test_guessing_passwords_through_forged_headers_is_slowed_down_as_well(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.desk.throttle.FREE_ATTEMPTS_BY_ADDRESS", FEW)
    statuses = []
    for number in range(FEW + 1):
        client = app.test_client()
        client.environ_base["HTTP_X_FORWARDED_FOR"] = f"198.51.100.{number}"
        statuses.append(enter(client, f"nobody-{number}", "a guess", "000000").status_code)
    assert statuses[-1] == 429


def test_production_behind_a_proxy_says_who_the_proxy_is() -> None:
    environ = {
        "TRUESTUB_ENVIRONMENT": "production",
        "TRUESTUB_DATA_DIR": "/nowhere",
        "TRUESTUB_DATABASE_URL": "sqlite:////nowhere",
        "TRUESTUB_PUBLIC_URL": "https://tickets.example",
    }
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        settings_from(environ)
    with pytest.raises(SettingError, match="TRUSTED_PROXIES"):
        settings_from({**environ, "TRUESTUB_TRUSTED_PROXIES": "proxy"})
    assert settings_from({**environ, "TRUESTUB_WEB_HOST": "0.0.0.0"}).trusted_proxies == ()  # noqa: S104 - not opened
    assert isinstance(Limits(settings_from({**environ, "TRUESTUB_TRUSTED_PROXIES": "::1"}), Clock()), Limits)

"""The express desk gives the answers of the application, and leaves to it whatever is not plainly a sale's request."""

import asyncio
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from apiflask import APIFlask
from flask import Flask
from sqlalchemy import select, update

from backend.app import create_app, protection_of
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Ticket
from backend.errors import refuse
from backend.sales.till import till as till_module
from backend.web.express import Express
from backend.web.requests import MAX_BODY_BYTES
from backend.web.serving import Serving
from backend.wiring import Services
from tests.support.checker import check_sales

HOLD = "/api/v1/events/gig/orders"
ONE = b'{"lines":[{"class":"floor","quantity":1}]}'
PAY_BODY = b'{"method":"sandbox","token":"approve"}'
KEY = "the-very-same-key-1"
SECONDS = 30

Headers = list[tuple[str, str]]


@dataclass
class Scope:
    """As granian's: a request's head."""

    path: str
    pairs: Headers
    method: str = "POST"
    query_string: str = ""
    http_version: str = "1.1"
    server: str = "127.0.0.1:1"
    client: str = "127.0.0.1:2"
    scheme: str = "http"

    @property
    def headers(self) -> "Scope":
        return self

    def items(self) -> Headers:
        return self.pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        return dict(self.pairs).get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in dict(self.pairs)


@dataclass
class Protocol:
    """As granian's: a request's body, and what was answered."""

    body: bytes
    answer: tuple[int, Headers, bytes] | None = None
    _pieces: Iterator[bytes] = field(init=False)

    def __aiter__(self) -> "Protocol":
        self._pieces = (self.body[at : at + 1000] for at in range(0, len(self.body), 1000))
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self.answer = (status, headers, body)


class Watched(Express):
    """Says whether it took the last request."""

    took = False

    async def answer(self, *asked: Any) -> Any:
        found = await super().answer(*asked)
        self.took = found is not None
        return found


@dataclass
class Roads:
    """The same application on both roads."""

    app: Flask
    express: Watched
    run: Callable[[Any], Any]  # of one event loop, as in a server

    def both(self, *request: Any, **more: Any) -> tuple[Any, Any]:
        """What the express desk answers, and what the application does."""
        quick = self.quick(*request, **more)
        return quick, self.plain(*request, **more)

    def quick(self, *request: Any, **more: Any) -> Any:
        return ask(self.run, Serving(self.app, self.express, threads=2), *request, **more)

    def plain(self, *request: Any, **more: Any) -> Any:
        return ask(self.run, Serving(self.app, threads=2), *request, **more)


@pytest.fixture
def app(services: Services) -> APIFlask:
    services.tills.event_id("gig")  # the first asks the database, in the application
    return create_app(services)


@pytest.fixture
def roads(app: APIFlask, services: Services) -> Iterator[Roads]:
    with asyncio.Runner() as runner:
        yield Roads(app, Watched(app, protection_of(services)), runner.run)


def ask(
    run: Callable[[Any], Any], serving: Serving, path: str, body: bytes, *more: tuple[str, str], key: str = KEY
) -> Any:
    """Status, headers and body of the answer."""
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    scope, protocol = Scope(path, [*headers, *([("idempotency-key", key)] if key else []), *more]), Protocol(body)
    run(serving.__rsgi__(scope, protocol))  # type: ignore[arg-type]
    assert protocol.answer is not None
    status, named, said = protocol.answer
    return status, {name.lower(): value for name, value in named}, json.loads(said)


def hold(roads: Roads, key: str = "") -> dict[str, Any]:
    status, _headers, held = roads.quick(HOLD, ONE, key=key or secrets.token_hex(8))
    assert (status, roads.express.took) == (201, True)
    return dict(held)


def payments(held: dict[str, Any]) -> str:
    return f"/api/v1/orders/{held['order_id']}/payments"


def opens(held: dict[str, Any]) -> tuple[str, str]:
    return "authorization", f"Bearer {held['order_secret']}"


def test_both_roads_give_the_same_answers_to_a_sale(roads: Roads, services: Services) -> None:
    quick, plain = roads.both(HOLD, ONE)  # the same key: the second is a repeat
    assert quick == plain
    assert quick[0] == 201
    held = quick[2]
    quick, plain = roads.both(payments(held), PAY_BODY, opens(held))
    assert roads.express.took
    assert quick == plain
    assert (quick[0], quick[2]["state"]) == (200, "paid")
    with services.engine.connect() as connection:
        assert connection.scalars(select(Ticket.order_id)).all() == [UUID(held["order_id"])]
    assert check_sales(services.engine).problems == []


def sold_out(_roads: Roads, services: Services) -> tuple[Any, ...]:
    with services.engine.begin() as connection:
        connection.execute(update(Event).values(max_per_order=100))
    return HOLD, b'{"lines":[{"class":"floor","quantity":11}]}'


def wrong_secret(roads: Roads, _services: Services) -> tuple[Any, ...]:
    mine, yours = hold(roads), hold(roads)
    return payments(mine), PAY_BODY, opens(yours)


def key_of_another_request(roads: Roads, _services: Services) -> tuple[Any, ...]:
    hold(roads, KEY)
    return HOLD, ONE.replace(b"1", b"2")


def declined(roads: Roads, _services: Services) -> tuple[Any, ...]:
    held = hold(roads)
    return payments(held), PAY_BODY.replace(b"approve", b"decline"), opens(held)


def silent(roads: Roads, _services: Services) -> tuple[Any, ...]:
    held = hold(roads)
    return payments(held), PAY_BODY.replace(b"approve", b"silent"), opens(held)


def hold_that_ended(roads: Roads, services: Services) -> tuple[Any, ...]:
    held = hold(roads)
    with services.engine.begin() as connection:
        connection.execute(update(Order).values(hold_expires_ms=1))
    return payments(held), PAY_BODY, opens(held)


def till_broken(_roads: Roads, services: Services) -> tuple[Any, ...]:
    def busy(*_request: Any) -> None:
        raise refuse("too_busy", "")

    till = services.tills.of(services.tills.event_id("gig"))  # type: ignore[arg-type]
    till._take = busy  # type: ignore[assignment]
    return HOLD, ONE, ("accept-language", "zh")


MADE: list[tuple[Callable[[Roads, Services], tuple[Any, ...]], int, str]] = [
    (sold_out, 409, "too_few_left"),
    (wrong_secret, 404, "unknown_order"),
    (key_of_another_request, 422, "idempotency_key_reused"),
    (declined, 402, "payment_declined"),
    (silent, 202, ""),
    (hold_that_ended, 409, "hold_expired"),
    (till_broken, 503, "too_busy"),
]


@pytest.mark.parametrize(("make", "status", "code"), MADE, ids=[make.__name__ for make, _status, _code in MADE])
def test_both_roads_refuse_in_the_same_words(
    roads: Roads, services: Services, make: Callable[[Roads, Services], tuple[Any, ...]], status: int, code: str
) -> None:
    quick, plain = roads.both(*make(roads, services))
    assert roads.express.took
    assert quick == plain
    assert (quick[0], quick[2].get("code", "")) == (status, code)


def test_both_roads_speak_the_readers_language(roads: Roads) -> None:
    """Also where the sentence is made in another thread, by a payment provider."""
    held = hold(roads)
    request = payments(held), PAY_BODY.replace(b"approve", b"what"), opens(held), ("accept-language", "zh-CN,en")
    quick, plain = roads.quick(*request, key="first-key-of-this"), roads.plain(*request, key="second-key-of-it")
    assert quick == plain
    assert (quick[0], quick[2]["code"]) == (422, "unknown_payment_token")
    assert not quick[2]["detail"].isascii()


NOT_PLAIN: dict[str, tuple[Any, ...]] = {
    "no key": (HOLD, ONE, (), ""),
    "short key": (HOLD, ONE, (), "short"),
    "not JSON": (HOLD, ONE[:-1], (), KEY),
    "unknown field": (HOLD, b'{"lines":[{"class":"floor","quantity":1}],"x":1}', (), KEY),
    "a number as text": (HOLD, b'{"lines":[{"class":"floor","quantity":"1"}]}', (), KEY),
    "another type": (HOLD, ONE, (("content-type", "text/plain"),), KEY),
    "a header twice": (HOLD, ONE, (("idempotency-key", KEY),), KEY),
    "unknown event": ("/api/v1/events/none/orders", ONE, (), KEY),
    "no secret": (f"/api/v1/orders/{UUID(int=1)}/payments", PAY_BODY, (), KEY),
    "no order": (f"/api/v1/orders/{UUID(int=1)}/payments", PAY_BODY.replace(b"sandbox", b"gold"), (), KEY),
    "a cookie": (HOLD, b"{}", (("cookie", "language=zh"),), KEY),
    "too large": (HOLD, b" " * MAX_BODY_BYTES + ONE, (), KEY),
    "another address": ("/api/v1/events/gig/orders/", ONE, (), KEY),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_the_application(roads: Roads, name: str) -> None:
    path, body, more, key = NOT_PLAIN[name]
    quick, plain = roads.both(path, body, *more, key=key)
    assert not roads.express.took
    assert quick == plain
    assert quick[0] >= 400


def test_requests_are_counted_on_both_roads(roads: Roads, app: APIFlask) -> None:
    roads.both(HOLD, ONE)
    counter = app.extensions["truestub_metrics"].requests
    assert counter.labels("/api/v1/events/<slug>/orders", "POST", 201)._value.get() == 2


def test_nobody_waits_for_ever_on_the_express_road(
    roads: Roads, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(till_module, "ANSWER_SECONDS", 0.05)
    stuck = threading.Event()
    monkeypatch.setattr(till_module, "run_batch", lambda *_all: stuck.wait(SECONDS) and [])
    try:
        status, headers, said = roads.quick(HOLD, ONE)
    finally:
        stuck.set()
    assert (status, said["code"], headers["retry-after"]) == (503, "answer_unknown", "1")


def test_64_buyers_on_the_express_road_race_for_the_last_10(roads: Roads, services: Services) -> None:
    async def rush() -> list[int]:
        with ThreadPoolExecutor(4) as pool:
            heads = [("content-type", "application/json")]
            asked = [Scope(HOLD, [*heads, ("idempotency-key", secrets.token_hex(8))]) for _ in range(64)]
            answers = await asyncio.gather(*(roads.express.answer(one, ONE, pool) for one in asked))
            return [answer[0] for answer in answers]

    statuses = roads.run(rush())
    assert (statuses.count(201), statuses.count(409)) == (10, 54)
    assert check_sales(services.engine).problems == []

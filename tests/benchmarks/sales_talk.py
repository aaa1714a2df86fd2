"""What buyers say to the shop in the benchmark: conversations for `tests.support.load`."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.load import Conversation, Measured, get, post

PAY_BODY = b'{"method":"sandbox","token":"approve"}'

_keys = itertools.count()
_RUN = time.time_ns()


def key_header() -> str:
    """A new Idempotency-Key."""
    return f"Idempotency-Key: bench-{_RUN}-{next(_keys)}\r\n"


def hold_request(slug: str, quantity: int = 1, code: str = "floor") -> bytes:
    body = b'{"lines":[{"class":"%s","quantity":%d}]}' % (code.encode(), quantity)
    return post(f"/api/v1/events/{slug}/orders", body, key_header())


def pay_request(held: bytes) -> bytes:
    """The payment of the order in a hold's answer."""
    order, secret = text_of(held, b'"order_id":"'), text_of(held, b'"order_secret":"')
    return post(f"/api/v1/orders/{order}/payments", PAY_BODY, f"Authorization: Bearer {secret}\r\n{key_header()}")


def text_of(answer: bytes, before: bytes) -> str:
    at = answer.index(before) + len(before)
    return answer[at : answer.index(b'"', at)].decode()


def buyers(
    slug: str, seconds: float, orders: Measured, quantity: int = 1, code: str = "floor"
) -> Callable[[int], Conversation]:
    """Buyers who order and pay again and again for `seconds`. Each order's seconds, both requests, go to `orders`."""
    deadline = time.perf_counter() + seconds

    def talk(_number: int) -> Conversation:
        while (began := time.perf_counter()) < deadline:
            status, held = yield hold_request(slug, quantity, code)
            if status != 201:
                raise AssertionError(f"hold: {status} {held[:300]!r}")
            status, paid = yield pay_request(held)
            if status != 200:
                raise AssertionError(f"pay: {status} {paid[:300]!r}")
            orders.taken.append(time.perf_counter() - began)

    return talk


@dataclass
class Race:
    """What came of a rush on few tickets."""

    tries: int
    sold: int = 0
    turned_away: list[float] = field(default_factory=list)  # seconds each refusal took
    first_refusal: float = 0.0
    last_refusal: float = 0.0


def racers(slug: str, race: Race) -> Callable[[int], Conversation]:
    """Each connection tries again and again until all tries are used up, and pays for what it got."""
    left = itertools.count()

    def talk(_number: int) -> Conversation:
        while next(left) < race.tries:
            began = time.perf_counter()
            status, held = yield hold_request(slug)
            now = time.perf_counter()
            if status == 201:
                status, paid = yield pay_request(held)
                if status != 200:
                    raise AssertionError(f"pay: {status} {paid[:300]!r}")
                race.sold += 1
            elif status == 409:
                race.turned_away.append(now - began)
                race.first_refusal = race.first_refusal or now
                race.last_refusal = now
            else:
                raise AssertionError(f"race: {status} {held[:300]!r}")

    return talk


def same(request: bytes, seconds: float) -> Callable[[int], Conversation]:
    """One request again and again."""
    deadline = time.perf_counter() + seconds

    def talk(_number: int) -> Conversation:
        while time.perf_counter() < deadline:
            status, _answer = yield request
            if status != 200:
                raise AssertionError(f"{status}")

    return talk


def bare(seconds: float) -> Callable[[int], Conversation]:
    """`GET /bare` of `sales_limits`."""
    return same(get("/bare"), seconds)


def bare_orders(seconds: float, orders: Measured) -> Callable[[int], Conversation]:
    """The bare writer's two requests an order."""
    deadline = time.perf_counter() + seconds

    def talk(_number: int) -> Conversation:
        while (began := time.perf_counter()) < deadline:
            _status, order = yield post("/hold", b"{}")
            yield post("/pay", order)
            orders.taken.append(time.perf_counter() - began)

    return talk

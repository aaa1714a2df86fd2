"""The express desk: the two requests of a sale, hold and pay, without Flask and without a thread for each.

They are what ten thousand people send in the same second. What they mean stands in the functions that Flask's views
use too (`backend.web.orders`); only the waiting is different: on the event loop, where one wake-up brings the answers
of a whole batch. What is not plainly one of these requests (a cookie, a header given twice, a body that does not fit)
is the application's, which says what is wrong with it. `tests/backend/web/test_express.py` compares the two.
"""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from flask import Flask, Response
from granian.rsgi import Scope
from pydantic import BaseModel, ValidationError

from backend.domain.selling.outcomes import No
from backend.i18n import set_language
from backend.ops.metrics import Metrics
from backend.sales import orders
from backend.sales.payments.flow import Ask, PaymentView, Steps, paying
from backend.sales.payments.interface import Provider
from backend.sales.till.mailbox import Mailbox
from backend.sales.till.till import Till
from backend.web.language import language_of
from backend.web.models import OrderIn, PaymentIn
from backend.web.orders import JSON, back_to, hold_wish, payment_answer, payment_wish
from backend.web.problems import problem, refusal_for
from backend.web.requests import MAX_BODY_BYTES, bearer_in, is_good_key, reply
from backend.web.serving import Answered, Headers
from backend.web.visitors import EXTENSION, Limits
from backend.web.waiting_room import PASS_HEADER
from backend.wiring import Services

HOLD, PAY = "/api/v1/events/<slug>/orders", "/api/v1/orders/<uuid:order_id>/payments"  # as Flask names the routes
_HOLD_PATH = re.compile(r"/api/v1/events/([a-z0-9-]+)/orders")
_PAY_PATH = re.compile(r"/api/v1/orders/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/payments")

Body = TypeVar("Body", bound=BaseModel)
Work = Coroutine[Any, Any, Answered]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request, its headers by their names in small letters."""

    headers: dict[str, str]
    body: bytes
    peer: str
    language: str
    pool: Executor


class Express:
    """Serves the event loop that asks it first."""

    def __init__(self, app: Flask, protection: Headers) -> None:
        self._parts: Services = app.extensions["truestub"]
        self._metrics: Metrics = app.extensions["truestub_metrics"]
        self._limits: Limits = app.extensions[EXTENSION]
        self._protection = protection
        self._providers = self._parts.shop_payments
        self._mailbox: Mailbox | None = None
        self._looks: dict[UUID, asyncio.Future[Any]] = {}  # at waiting rooms, once for all who come meanwhile

    async def answer(self, scope: Scope, body: bytes, pool: Executor) -> Answered | None:
        """The answer to a hold or a payment; none for everything else, of which nothing was done yet."""
        headers = _headers(scope) if scope.method == "POST" and len(body) <= MAX_BODY_BYTES else None
        if headers is None:
            return None
        began = time.perf_counter()
        sent = _Sent(
            headers, body, scope.client.rpartition(":")[0], language_of(headers.get("accept-language", "")), pool
        )
        route, work = self._work(scope.path, sent)
        if work is None:
            return None
        set_language(sent.language)
        try:
            answered = await work
        except Exception as error:  # noqa: BLE001 - as Flask's own handlers do: whatever it is, it is answered
            answered = self._whole(problem(refusal_for(error, route)))
        self._metrics.requests.labels(route, "POST", answered[0]).inc()
        self._metrics.seconds.labels(route).observe(time.perf_counter() - began)
        return answered

    def _work(self, path: str, sent: _Sent) -> tuple[str, Work | None]:
        if found := _HOLD_PATH.fullmatch(path):
            return HOLD, self._hold(found[1], sent)
        if found := _PAY_PATH.fullmatch(path):
            return PAY, self._pay(UUID(found[1]), sent)
        return "", None

    # --- the two requests -----------------------------------------------------------------------------------------

    def _hold(self, slug: str, sent: _Sent) -> Work | None:
        key, wanted = _key(sent), _parsed(OrderIn, sent)
        if key is None or wanted is None or not self._parts.tills.knows(slug):
            return None
        event_id = self._parts.tills.event_id(slug)
        return self._held(event_id, key, wanted, sent) if event_id is not None else None

    async def _held(self, event_id: UUID, key: str, wanted: OrderIn, sent: _Sent) -> Answered:
        parts, address = self._parts, self._limits.address(sent.peer, sent.headers.get("x-forwarded-for"))
        self._limits.check_hold(address)
        if not parts.rooms.remembers(event_id):
            await self._look_at_room(event_id, sent)
        wish = hold_wish(parts, event_id, key, wanted, sent.headers.get(PASS_HEADER.lower()))
        outcome = await parts.tills.of(event_id).ask_soon(wish, self._box())
        held = orders.held_answer(parts.tills, parts.secret, event_id, outcome)
        self._limits.unpaid.add(UUID(held["order_id"]), address)
        return self._json(201, reply(held))

    def _pay(self, order_id: UUID, sent: _Sent) -> Work | None:
        key, wanted = _key(sent), _parsed(PaymentIn, sent)
        secret = bearer_in(sent.headers.get("authorization", ""))
        provider = self._providers.get(wanted.method) if wanted is not None else None
        if key is None or wanted is None or secret is None or provider is None:
            return None
        return self._paid(order_id, secret, key, provider, wanted, sent)

    async def _paid(
        self, order_id: UUID, secret: str, key: str, provider: Provider, wanted: PaymentIn, sent: _Sent
    ) -> Answered:
        parts = self._parts
        event_id = orders.event_of_recent(parts.tills, parts.secret, order_id, secret)
        if event_id is None:
            ask = partial(orders.event_of_order, parts.engine, order_id, secret)
            event_id = await _aside(ask, sent)
        wish = payment_wish(parts, event_id, order_id, provider.name, key, wanted)
        steps = paying(parts.engine, provider, event_id, wish, wanted.token, back_to(parts, order_id))
        paid = await self._walk(steps, parts.tills.of(event_id), sent)
        if isinstance(paid, PaymentView) and paid.state == "succeeded" and paid.body is not None:
            self._limits.unpaid.drop(order_id)
            return self._json(200, paid.body.encode())
        return self._whole(await _aside(partial(payment_answer, parts, paid), sent))

    async def _walk(self, steps: Steps, till: Till, sent: _Sent) -> PaymentView | No:
        """As `flow.pay` walks them."""
        step = next(steps)
        try:
            while True:
                try:
                    if isinstance(step, Ask):
                        answer: Any = await till.ask_soon(step.request, self._box())
                    else:
                        answer = await _aside(step.run, sent)
                except Exception as error:  # noqa: BLE001 - the steps say what it means
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            paid: PaymentView | No = end.value
            return paid

    async def _look_at_room(self, event_id: UUID, sent: _Sent) -> None:
        look = self._looks.get(event_id)
        if look is None:
            look = self._looks[event_id] = _aside(partial(self._parts.rooms.room, event_id), sent)
            look.add_done_callback(lambda _done: self._looks.pop(event_id))
        await look

    def _box(self) -> Mailbox:
        if self._mailbox is None:
            self._mailbox = Mailbox(asyncio.get_running_loop())
        return self._mailbox

    # --- answers --------------------------------------------------------------------------------------------------

    def _json(self, status: int, body: bytes) -> Answered:
        return status, [("Content-Type", JSON), ("Content-Length", str(len(body))), *self._protection], body

    def _whole(self, response: Response) -> Answered:
        there = {name.lower() for name, _value in response.headers}
        more = [(name, value) for name, value in self._protection if name.lower() not in there]
        return response.status_code, [*response.headers, *more], response.get_data()


def _headers(scope: Scope) -> dict[str, str] | None:
    """The headers by name; none where one came twice, or where there is more to heed than these two requests need."""
    items = scope.headers.items()
    headers = dict(items)
    return headers if len(headers) == len(items) and "cookie" not in headers else None


def _key(sent: _Sent) -> str | None:
    key = sent.headers.get("idempotency-key")
    return key if key is not None and is_good_key(key) else None


def _parsed(model: type[Body], sent: _Sent) -> Body | None:
    if sent.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        return None
    try:
        return model.model_validate_json(sent.body)
    except ValidationError:
        return None


def _aside(run: Callable[[], Any], sent: _Sent) -> asyncio.Future[Any]:
    """What takes its time, in a thread that speaks the request's language."""
    return asyncio.get_running_loop().run_in_executor(sent.pool, _speaking, sent.language, run)


def _speaking(language: str, run: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `run` gives
    set_language(language)
    return run()

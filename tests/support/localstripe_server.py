"""localstripe on loopback, as a process, with what we use of Stripe and it lacks: Checkout, disputes, idempotency keys.

PaymentIntents, charges, refunds, events and the signing and sending of webhooks are localstripe's own. It would listen
on every interface and keep its book in a file that all of them share; here it does neither. `POST /_config/faults`
makes the next requests fail as a real server's may: after they took effect.
"""

import asyncio
import contextlib
import hashlib
import json
import socket
from typing import Any

from aiohttp import web
from localstripe import resources
from localstripe.errors import UserError
from localstripe.server import api_create, api_extra, api_list_all, api_retrieve, app
from localstripe.webhooks import schedule_webhook

LEAST_AMOUNT = 50  # Stripe's least charge is about half a dollar
WORKS = "pm_card_visa"

_answers: dict[str, tuple[bytes, int, bytes]] = {}  # by idempotency key: hash of the request, status, body
_faults: list[dict[str, Any]] = []
_base = ""


class Session(resources.StripeObject):  # type: ignore[misc] # it ships no types
    """A Checkout Session, as far as our provider uses it (docs.stripe.com/api/checkout/sessions)."""

    object = "checkout.session"
    _id_prefix = "cs_test_"

    def __init__(
        self,
        mode: str = "",
        client_reference_id: str = "",
        payment_method_types: Any = None,
        line_items: Any = None,
        metadata: Any = None,
        payment_intent_data: Any = None,
        success_url: str = "",
        cancel_url: str = "",
    ) -> None:
        price = line_items[0]["price_data"]
        amount = int(price["unit_amount"]) * int(line_items[0]["quantity"])
        if (
            mode != "payment"
            or not success_url
            or not price["product_data"]["name"]
            or payment_method_types != ["card"]
        ):
            raise UserError(400, "Bad request")
        if amount < LEAST_AMOUNT:
            raise UserError(400, "Amount too small", {"code": "amount_too_small"})
        super().__init__()
        self.client_reference_id = client_reference_id
        self.amount_total = amount
        self.currency = price["currency"]
        self.metadata = metadata or {}
        self.success_url, self.cancel_url = success_url, cancel_url
        self.payment_intent: str | None = None
        self.payment_status, self.status = "unpaid", "open"
        self.url: str | None = f"{_base}/_config/pay/{self.id}"
        self._intent_metadata = (payment_intent_data or {}).get("metadata")

    @classmethod
    def _api_expire(cls, id: str) -> "Session":  # noqa: A002 - localstripe's
        session: Session = cls._api_retrieve(id)
        if session.status != "open":
            raise UserError(400, "Only open sessions can be expired", {"code": "checkout_session_not_open"})
        session.status, session.url = "expired", None
        return session

    @classmethod
    def _api_list_all(
        cls, url: str, limit: Any = None, starting_after: Any = None, created: dict[str, str] | None = None
    ) -> Any:
        found = super()._api_list_all(url, limit=limit, starting_after=starting_after)
        low, high = int((created or {}).get("gte", 0)), int((created or {}).get("lte", 1 << 40))
        found._list = [one for one in found._list if low <= one.created <= high]
        return found

    def _pay(self, method: str) -> None:
        """What a buyer does at the hosted page; raises `UserError` if the card is declined."""
        if self.status != "open":
            raise UserError(400, "This page has expired")
        intent = resources.PaymentIntent(
            amount=self.amount_total, currency=self.currency, payment_method=method, metadata=self._intent_metadata
        )
        resources.PaymentIntent._api_confirm(intent.id)
        if intent.status != "succeeded":
            raise UserError(402, "Your card was declined.")
        self.payment_intent, self.payment_status, self.status, self.url = intent.id, "paid", "complete", None
        schedule_webhook(resources.Event("checkout.session.completed", self))


class Dispute(resources.StripeObject):  # type: ignore[misc] # it ships no types
    """A dispute (docs.stripe.com/api/disputes/object), as a bank opens it: `POST /_config/disputes`."""

    object = "dispute"
    _id_prefix = "dp_"

    def __init__(self, payment_intent: str, amount: int, moves: list[int], created: int) -> None:
        super().__init__()
        intent = resources.PaymentIntent._api_retrieve(payment_intent)
        self.payment_intent, self.amount, self.currency, self.created = payment_intent, amount, intent.currency, created
        self.balance_transactions = [{"amount": one, "currency": intent.currency} for one in moves]

    @classmethod
    def _api_list_all(
        cls, url: str, limit: Any = None, starting_after: Any = None, created: dict[str, str] | None = None
    ) -> Any:
        found = super()._api_list_all(url, limit=limit, starting_after=starting_after)
        found._list = [one for one in found._list if one.created >= int((created or {}).get("gte", 0))]
        return found


async def dispute(request: web.Request) -> web.Response:
    return web.json_response({"id": Dispute(**await request.json()).id})


async def page(request: web.Request) -> web.Response:
    """The hosted page, without its looks."""
    session: Session = Session._api_retrieve(request.match_info["id"])
    if request.method == "GET":
        form = f'<form method="post"><button name="method" value="{WORKS}">Pay</button></form>'
        text = f'<!doctype html><title>Pay</title>{form}<a href="{session.cancel_url}">Back</a>'
        return web.Response(text=text, content_type="text/html")
    form_data = await request.post()
    session._pay(str(form_data.get("method", WORKS)))
    return web.Response(status=303, headers={"Location": session.success_url})


async def set_faults(request: web.Request) -> web.Response:
    _faults[:] = await request.json()
    return web.json_response({})


@web.middleware
async def once_for_a_key(request: web.Request, handler: Any) -> web.StreamResponse:
    """The same key with the same request gets the first answer again; localstripe itself does not look at keys."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None or not request.path.startswith("/v1/"):
        return await handler(request)  # type: ignore[no-any-return]
    digest = hashlib.sha256(request.path.encode() + await request.read()).digest()
    if key not in _answers:
        answer = await handler(request)
        _answers[key] = (digest, answer.status, bytes(answer.body))
    before, status, body = _answers[key]
    if before != digest:
        error = {"error": {"type": "idempotency_error", "message": "Keys for other parameters"}}
        return web.json_response(error, status=400)
    return web.Response(body=body, status=status, content_type="application/json")


@web.middleware
async def bad_days(request: web.Request, handler: Any) -> web.StreamResponse:
    """The first fault that fits the request's path happens, once."""
    fault = next((one for one in _faults if one["path"] in request.path and one["method"] == request.method), None)
    if fault is None or not request.path.startswith("/v1/"):
        return await handler(request)  # type: ignore[no-any-return]
    _faults.remove(fault)
    if fault["kind"] == "refuse":
        error = {"type": "invalid_request_error", "code": fault["code"], "message": "No sk_test_ ever again"}
        return web.json_response({"error": error}, status=fault.get("status", 400))
    await handler(request)
    if fault["kind"] == "500":
        return web.json_response({"error": {"type": "api_error", "message": "later"}}, status=500)
    drip = web.StreamResponse(headers={"Content-Type": "application/json"})
    await drip.prepare(request)
    with contextlib.suppress(ConnectionResetError):  # when the other side has had enough
        for _byte in range(600):
            await drip.write(b" ")
            await asyncio.sleep(0.1)
    return drip


def serve() -> None:
    """Listen on a free port of loopback and say which."""
    global _base  # noqa: PLW0603 - a program's only server
    resources.Store.dump_to_disk = lambda _self: None
    sock = socket.create_server(("127.0.0.1", 0))
    _base = f"http://127.0.0.1:{sock.getsockname()[1]}"
    for method, url, make, func in (
        ("POST", "/v1/checkout/sessions", api_create, Session),
        ("GET", "/v1/checkout/sessions", api_list_all, Session),
        ("GET", "/v1/checkout/sessions/{id}", api_retrieve, Session),
        ("POST", "/v1/checkout/sessions/{id}/expire", api_extra, Session._api_expire),
    ):
        app.router.add_route(method, url, make(func, url))
    app.router.add_route("*", "/_config/pay/{id}", page)
    app.router.add_route("GET", "/v1/disputes", api_list_all(Dispute, "/v1/disputes"))
    app.router.add_post("/_config/disputes", dispute)
    app.router.add_post("/_config/faults", set_faults)
    app.middlewares.insert(0, once_for_a_key)
    app.middlewares.insert(0, bad_days)
    print(json.dumps({"url": _base}), flush=True)
    web.run_app(app, sock=sock, print=None, access_log=None)


if __name__ == "__main__":
    serve()

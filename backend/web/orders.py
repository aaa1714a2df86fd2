"""Orders and their payments. Each handler reads, asks the till or the provider, and tells."""

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from backend.domain.ids import new_id
from backend.domain.selling.outcomes import No
from backend.domain.selling.requests import Hold, LineWanted, StartPayment
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.privacy.buyers import marks_of
from backend.sales import codes, orders
from backend.sales.order_view import order_view, paid_answer
from backend.sales.payments.flow import OTHER_MONEY, PaymentView, pay
from backend.sales.renewing import renew
from backend.sales.words import refusal
from backend.web.models import ExtendedOut, ExtendIn, HeldOut, OrderIn, OrderOut, PaidOut, PaymentIn, RenewedOut
from backend.web.problems import problem
from backend.web.requests import bearer, keyed, reply, services, takes
from backend.web.visitors import hold_ended, limits, visitor
from backend.web.waiting_room import PASS_HEADER
from backend.wiring import Services

JSON = "application/json"

bp = APIBlueprint("orders", __name__, url_prefix="/api/v1", tag="Orders")


@bp.post("/events/<slug>/orders")
@bp.output(HeldOut, 201)
@bp.doc(responses=[400, 403, 404, 409, 422, 429, 503])
@keyed(bp)
@takes(bp, OrderIn)
def create_order(slug: str, key: str, body: OrderIn) -> Response:
    """Hold tickets. They are kept until `hold_expires_at`; keep `order_secret`, it opens the order."""
    parts = services()
    event_id = parts.tills.event_id(slug)
    if event_id is None:
        raise refuse("unknown_event", _("There is no such event"))
    address = visitor()
    limits().check_hold(address)
    wish = hold_wish(parts, event_id, key, body, request.headers.get(PASS_HEADER))
    outcome = parts.tills.of(event_id).ask(wish)
    held = orders.held_answer(parts.tills, parts.secret, event_id, outcome)
    limits().unpaid.add(UUID(held["order_id"]), address)
    return Response(reply(held), 201, mimetype=JSON)


@bp.get("/orders/<uuid:order_id>")
@bp.output(OrderOut)
@bp.doc(responses=[401, 404], security="order_secret")
def read_order(order_id: UUID) -> Response:
    """The order as it stands, with its tickets."""
    parts = services()
    _opened(order_id)
    return Response(reply(order_view(parts.engine, order_id, parts.chain)), mimetype=JSON)


@bp.delete("/orders/<uuid:order_id>")
@bp.output(OrderOut)
@bp.doc(responses=[401, 404, 409, 503], security="order_secret")
def release_order(order_id: UUID) -> Response:
    """Give the tickets back before paying."""
    parts = services()
    orders.release(parts.tills, _opened(order_id), order_id)
    hold_ended(order_id)
    return Response(reply(order_view(parts.engine, order_id, parts.chain)), mimetype=JSON)


@bp.post("/orders/<uuid:order_id>/extension")
@bp.output(ExtendedOut)
@bp.doc(responses=[400, 401, 404, 409, 415, 422, 503], security="order_secret")
@takes(bp, ExtendIn)
def extend_hold(order_id: UUID, body: ExtendIn) -> Response:
    """Keep the tickets for longer, up to ten times. Needs no Idempotency-Key: `until` says what was seen."""
    parts = services()
    extended = orders.extend(parts.tills, _opened(order_id), order_id, body.until)
    return Response(reply(extended), mimetype=JSON)


@bp.post("/orders/<uuid:order_id>/payments")
@bp.output(PaidOut)
@bp.doc(responses=[202, 400, 401, 402, 404, 409, 422, 503], security="order_secret")
@keyed(bp)
@takes(bp, PaymentIn)
def pay_order(order_id: UUID, key: str, body: PaymentIn) -> Response:
    """Pay for a held order. 202: the provider has not answered yet; repeat the request, or look at the order."""
    parts = services()
    event_id = _opened(order_id)
    provider = parts.shop_payments.get(body.method)
    if provider is None:
        raise refuse("unknown_payment_method", _("Pay with one of: %s") % ", ".join(sorted(parts.shop_payments)))
    wish = payment_wish(parts, event_id, order_id, provider.name, key, body)
    there = back_to(parts, order_id)
    paid = pay(parts.engine, parts.tills, provider, event_id, wish, body.token, there)
    if isinstance(paid, PaymentView) and paid.state == "succeeded":
        hold_ended(order_id)
    return payment_answer(parts, paid)


@bp.post("/orders/<uuid:order_id>/secret")
@bp.output(RenewedOut)
@bp.doc(responses=[400, 401, 404, 409, 422], security="order_secret")
@keyed(bp)
def renew_secret(order_id: UUID, key: str) -> Response:
    """Make the order's secret anew, if somebody else may know it. From then on the old one opens nothing."""
    parts = services()
    made = renew(parts.engine, parts.secret, order_id, bearer(), key)
    return Response(reply({"order_id": str(order_id), "order_secret": made}), mimetype=JSON)


def hold_wish(parts: Services, event_id: UUID, key: str, body: OrderIn, leave: str | None) -> Hold:
    """What the buyer wants of the till; refuses who comes past the waiting room. `leave`: the room's pass."""
    nonce = parts.rooms.require_pass(event_id, leave)
    terms = parts.settings.terms_version
    if body.terms_version not in (None, terms):
        sentence = _("The terms are at version %s now; read them, agree to them, and order again")
        raise refuse("terms_changed", sentence % terms, terms_version=terms)
    return orders.hold_wish(
        parts.secret,
        event_id,
        new_id(int(parts.clock() * 1000)),
        tuple(LineWanted(line.class_code, line.quantity, tuple(line.seats or ())) for line in body.lines),
        bytes.fromhex(body.owner[2:]) if body.owner else None,
        key,
        codes.hash_code(event_id, body.code) if body.code is not None else None,
        nonce,
        terms,
    )


def payment_wish(
    parts: Services, event_id: UUID, order_id: UUID, method: str, key: str, body: PaymentIn
) -> StartPayment:
    """The payment that the buyer wants to make."""
    digest = orders.make_key(orders.PAYMENT_SCOPE, order_id, key, [body.method, body.token])
    marks = marks_of(parts.secret, event_id, body.mail) if body.mail else ()
    return StartPayment(order_id, new_id(int(parts.clock() * 1000)), method, digest, marks)


def back_to(parts: Services, order_id: UUID) -> str:
    """The page that a provider with pages of its own sends the buyer back to."""
    return f"{parts.settings.public_url}/orders/{order_id}/paid"


def _opened(order_id: UUID) -> UUID:
    """The event of the order, if the request carries the order's secret."""
    return orders.event_of_order(services().engine, order_id, bearer())


def payment_answer(parts: Services, paid: PaymentView | No) -> Response:
    """How the payment went, in an answer; raises `Refused` where it could not begin."""
    if isinstance(paid, No):
        raise Refused(refusal(paid))
    engine, chain = parts.engine, parts.chain
    match paid.state:
        case "succeeded":
            return Response(paid.body or paid_answer(engine, paid.order_id), mimetype=JSON)
        case "declined":
            sentence = _("The payment was declined; nothing was taken. Try again, or pay another way")
            return problem(Refusal("payment_declined", sentence, {"reason": paid.reason}))
        case "started" | "unknown":
            view = order_view(engine, paid.order_id, chain)
            if paid.pay_at is not None:
                view["payment"]["pay_at"] = paid.pay_at
            return Response(reply(view), 202, mimetype=JSON, headers={"Retry-After": "2"})
        case _ if paid.reason in OTHER_MONEY:
            sentence = _(
                "Another amount or currency arrived than the order costs; that money is on its way back. "
                "Order again, or ask the organiser"
            )
            return problem(Refusal("payment_differs", sentence, {"reason": paid.reason}))
        case _:
            sentence = _("The payment came when the tickets were gone; your money is on its way back")
            return problem(Refusal("payment_too_late", sentence, {"reason": paid.reason}))

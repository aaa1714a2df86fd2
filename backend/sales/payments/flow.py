"""Taking money for an order: written down, asked for, settled. Any step may be the last; the same call resumes it.

The provider is asked outside of every transaction, between two commits of the till: `StartPayment` says that it will be
asked, `Settle` what it said. A crash in between leaves a payment `started`; the buyer's repeated request, a
notification, or the reconciler finds out what became of it.
"""

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import Order, Payment
from backend.domain.selling.outcomes import Again, MoneyBack, No, Noted, Outcome, Paid, Started
from backend.domain.selling.requests import Request, Settle, StartPayment
from backend.errors import Refused, refuse
from backend.killpoints import reach
from backend.sales.payments.interface import Charge, Provider, Said, Silent
from backend.sales.till.till import Tills

OPEN = ("started", "unknown")
UNWRITTEN = ("storage_full", "storage_read_only")  # refusals of a till that could not write
OTHER_MONEY = ("another_amount", "another_currency")  # reasons for which money went back and an operator should look

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as it stands. `body`: the buyer's answer, where this call made the tickets."""

    id: UUID
    order_id: UUID
    event_id: UUID
    provider: str
    amount_minor: int
    currency: str
    state: str
    reason: str | None = None
    reference: str | None = None
    body: str | None = None
    pay_at: str | None = None  # where the buyer pays, at a provider with pages of its own


def pay(
    engine: Engine,
    tills: Tills,
    provider: Provider,
    event_id: UUID,
    request: StartPayment,
    token: str,
    back_to: str = "",
) -> PaymentView | No:
    """Take the money and settle. The view says how it went: succeeded, declined, unknown, refunding or refunded.

    `back_to`: the page that a provider with pages of its own sends the buyer back to.
    """
    till = tills.of(event_id)
    steps = paying(engine, provider, event_id, request, token, back_to)
    step = next(steps)
    try:
        while True:
            try:
                answer = till.ask(step.request) if isinstance(step, Ask) else step.run()
            except Exception as error:  # noqa: BLE001 - the steps say what it means
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        paid: PaymentView | No = end.value
        return paid


@dataclass(frozen=True, slots=True)
class Ask:
    """A step of a payment: put `request` to the event's till, and send its outcome."""

    request: Request


@dataclass(frozen=True, slots=True)
class Run:
    """A step of a payment that may take its time: the provider's or the database's answer."""

    run: Callable[[], Any]


Steps = Generator[Ask | Run, Any, PaymentView | No]


def paying(
    engine: Engine, provider: Provider, event_id: UUID, request: StartPayment, token: str, back_to: str = ""
) -> Steps:
    """The steps of `pay`, for whoever waits in another way: sent what each step gives, or thrown what it raises."""
    payment: PaymentView
    outcome = yield Ask(request)
    reach("pay.started")
    match outcome:
        case Started():
            payment = PaymentView(
                outcome.payment_id,
                outcome.order_id,
                event_id,
                outcome.provider,
                outcome.amount_minor,
                outcome.currency,
                "started",
            )
            try:
                said = yield Run(partial(_charge, provider, payment, token, back_to))
            except Refused as refused:
                # The provider promises that it took nothing: the order is free to be paid another way at once.
                yield Ask(_settlement(payment, Said(payment.id, "declined", reason=refused.refusal.code)))
                raise
        case Again(resource_id=payment_id):
            payment = yield Run(partial(find_payment, engine, payment_id))
            if payment.state not in OPEN:
                return payment
            said = yield Run(partial(_resume, engine, provider, payment, token, back_to))
        case No():
            return outcome
        case _:
            raise AssertionError(outcome)
    reach("pay.charged")
    try:
        outcome = yield Ask(_settlement(payment, said))
    except Refused as refused:
        if refused.refusal.code in UNWRITTEN and said.verdict != "declined":
            raise refuse("payment_unrecorded", "") from refused  # money may have been taken
        raise
    return _settled(payment, said, outcome) or replace(
        (yield Run(partial(find_payment, engine, payment.id))), pay_at=said.pay_at
    )


def settle(engine: Engine, tills: Tills, payment: PaymentView, said: Said) -> PaymentView:
    """Take note of what the provider said; the payment as it stands then."""
    outcome = tills.of(payment.event_id).ask(_settlement(payment, said))
    return _settled(payment, said, outcome) or replace(find_payment(engine, payment.id), pay_at=said.pay_at)


def _settlement(payment: PaymentView, said: Said) -> Settle:
    return Settle(
        payment.order_id, payment.id, said.verdict, said.reference, said.reason, said.amount_minor, said.currency
    )


def _settled(payment: PaymentView, said: Said, outcome: Outcome) -> PaymentView | None:
    """The payment after that outcome; none where only the database knows."""
    match outcome:
        case Paid():
            return replace(payment, state="succeeded", body=outcome.body)
        case MoneyBack():
            if outcome.why in OTHER_MONEY:
                taken, asked = (said.amount_minor, said.currency), (payment.amount_minor, payment.currency)
                _log.error("payment %s: the provider took %s, not %s; it goes back", payment.id, taken, asked)
            return replace(payment, state="refunding", reason=outcome.why)
        case Noted():
            return replace(payment, state=outcome.state, reason=said.reason, pay_at=said.pay_at)
        case _:
            return None


def ask_again(engine: Engine, tills: Tills, provider: Provider, payment: PaymentView) -> PaymentView:
    """Ask the provider about an open payment and settle what it says; as it was if it says nothing."""
    return _asked(engine, tills, payment, provider.look_up)


def stop_paying(engine: Engine, tills: Tills, provider: Provider, payment: PaymentView) -> PaymentView:
    """Have the provider take no more money for an open payment; what it took before still counts."""
    return _asked(engine, tills, payment, provider.withdraw)


def open_payment(engine: Engine, order_id: UUID) -> PaymentView | None:
    """The payment of the order whose end we don't know; none if there is none."""
    with read(engine) as connection:
        query = select(Payment.id).where(Payment.order_id == order_id, Payment.state.in_(OPEN)).limit(1)
        found = connection.scalar(query)
    return find_payment(engine, found) if found is not None else None


def find_payment(engine: Engine, payment_id: UUID) -> PaymentView:
    """The payment with this id; `LookupError` if there is none."""
    query = (
        select(
            Payment.id,
            Payment.order_id,
            Order.event_id,
            Payment.provider,
            Payment.amount_minor,
            Payment.currency,
            Payment.state,
            Payment.reason,
            Payment.provider_ref,
        )
        .join(Order, Order.id == Payment.order_id)
        .where(Payment.id == payment_id)
    )
    with read(engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise LookupError(payment_id)
    return PaymentView(*row)


def _asked(
    engine: Engine, tills: Tills, payment: PaymentView, ask: Callable[[UUID, str | None], Said | None]
) -> PaymentView:
    try:
        said = ask(payment.id, payment.reference)
    except Silent:
        said = None
    return settle(engine, tills, payment, said) if said is not None else payment


def _charge(provider: Provider, payment: PaymentView, token: str, back_to: str) -> Said:
    charge = Charge(payment.id, payment.amount_minor, payment.currency, token, back_to)
    try:
        return provider.charge(charge)
    except Silent:
        return Said(payment.id, "unknown")


def _resume(engine: Engine, provider: Provider, payment: PaymentView, token: str, back_to: str) -> Said:
    """What became of a payment that was cut short; it is asked for again only while its tickets are still kept."""
    try:
        said = provider.look_up(payment.id, payment.reference)
    except Silent:
        return Said(payment.id, "unknown")
    if said is not None:
        return said
    if _still_held(engine, payment.order_id):
        return _charge(provider, payment, token, back_to)
    return Said(payment.id, "unknown")


def _still_held(engine: Engine, order_id: UUID) -> bool:
    with read(engine) as connection:
        query = select(Order.state, Order.hold_expires_ms).where(Order.id == order_id)
        order = connection.execute(query).one()
        return bool(order.state == "held" and now_ms(connection) < order.hold_expires_ms)

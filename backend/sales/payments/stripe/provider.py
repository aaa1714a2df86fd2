"""The provider itself: a Checkout Session for each payment, asked for by the official SDK.

The payment's id is the session's `client_reference_id` and the idempotency key of making it; it stands in the metadata
of the PaymentIntent and of every refund as well, so that whatever Stripe tells of names what it is ours.
"""

import logging
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

import stripe
from stripe import checkout

from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.payments.interface import (
    Charge,
    Disputed,
    Notification,
    RefundRefused,
    Said,
    SentBack,
    Silent,
)
from backend.sales.payments.stripe import notifications
from backend.sales.payments.stripe.amounts import from_stripe, to_stripe
from backend.sales.payments.stripe.deadline import DeadlineClient

NAME = "stripe"
TOKEN = "checkout"  # noqa: S105 - a word: the buyer's card is named at Stripe's page, never here
SECONDS = 10.0  # for a whole answer; what comes later is unknown
AROUND_SECONDS = 3600  # about a payment's birth, within which its session is looked for when its name got lost
SESSION_SECONDS = 24 * 3600  # a session's longest life: what is paid now may have been made so long ago
# A dispute's longest life: money of one that a bank opened so long ago may move today (docs.stripe.com/disputes).
DISPUTE_SECONDS = 180 * 86_400
PAGE = 100  # objects in one answer
# Refusals of a refund that may pass: there is no money on the account yet, or another request is at it.
_MAY_PASS = frozenset({"insufficient_funds", "balance_insufficient", "lock_timeout"})

_log = logging.getLogger(__name__)
T = TypeVar("T")


class Stripe:
    """A provider (see `interface`) at Stripe's API of `api_url`. `pages`: the origin of its hosted Checkout."""

    name = NAME

    def __init__(self, key: str, webhook_secret: str, api_url: str, pages: str, seconds: float = SECONDS) -> None:
        stripe.enable_telemetry = False  # it would tell how long our requests took
        logging.getLogger("stripe").setLevel(logging.CRITICAL)  # it would log bodies, addresses and error texts
        self.pages: str | None = pages
        self._secret = webhook_secret
        self._live = "_live_" in key
        self._http = DeadlineClient(seconds)
        self._client = stripe.StripeClient(
            key, base_addresses={"api": api_url}, max_network_retries=0, http_client=self._http
        )

    def close(self) -> None:
        """Drop all connections."""
        self._http.close()

    def charge(self, charge: Charge) -> Said:
        if charge.token != TOKEN:
            raise refuse("unknown_payment_token", _("Stripe knows one token: %s") % TOKEN)
        if not charge.back_to:
            raise AssertionError("a buyer must be sent back to some page")
        about = {"payment_id": str(charge.payment_id)}
        params: Any = {  # the SDK's typed dictionaries want literals that a dataclass's fields are not
            "mode": "payment",
            "client_reference_id": str(charge.payment_id),
            "payment_method_types": ["card"],  # known at once; a bank debit is known after days
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": charge.currency.lower(),
                        "unit_amount": to_stripe(charge.amount_minor, charge.currency),
                        "product_data": {"name": "Tickets"},
                    },
                }
            ],
            "metadata": about,
            "payment_intent_data": {"metadata": about},
            "success_url": charge.back_to,
            "cancel_url": charge.back_to,
        }
        try:
            session = self._ask(
                lambda: self._client.v1.checkout.sessions.create(
                    params=params, options={"idempotency_key": str(charge.payment_id)}
                )
            )
        except _Never as never:  # a session that is not made takes no money
            _log.error("Stripe refuses to take payment %s: %s", charge.payment_id, never.code)
            raise refuse("payment_refused", _("The payment can't be made this way; tell the organiser")) from None
        return self._said(session)

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        session = self._session(payment_id, reference)
        return self._said(session) if session is not None else None

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        session = self._session(payment_id, reference)
        if session is None or session.status != "open":
            return self._said(session) if session is not None else None
        try:
            self._ask(lambda: self._client.v1.checkout.sessions.expire(session.id))
        except _Never:  # it was paid, or ended, between the two requests
            return self.look_up(payment_id, session.id)
        return Said(payment_id, "declined", session.id, "withdrawn")

    def taken_since(self, since: float) -> list[Said]:
        params: Any = {
            "created": {"gte": int(since) - SESSION_SECONDS},
            "limit": PAGE,
            "expand": ["data.payment_intent.latest_charge"],
        }
        found = self._ask_known(lambda: list(self._client.v1.checkout.sessions.list(params=params).auto_paging_iter()))
        return [
            said
            for session in found
            if session.payment_status == "paid" and _kept(session, since)
            if (said := notifications.said_of_session(session.to_dict())) is not None
        ]

    def sent_back_since(self, since: float) -> list[SentBack]:
        pages = self._ask_known(lambda: self._client.v1.refunds.list(params={"limit": PAGE}).auto_paging_iter())
        found = self._ask_known(lambda: list(takewhile(lambda one: one.created >= since, pages)))  # newest first
        told = (_sent_back(one) for one in found if one.status not in ("failed", "canceled"))
        return [one for one in told if one is not None]

    def disputed_since(self, since: float) -> list[Disputed]:
        """Also of disputes that are older: when their money moved is not told here."""
        params: Any = {
            "created": {"gte": int(since) - DISPUTE_SECONDS},
            "limit": PAGE,
            "expand": ["data.payment_intent"],
        }
        found = self._ask_known(lambda: list(self._client.v1.disputes.list(params=params).auto_paging_iter()))
        told = (_disputed(one) for one in reversed(found))  # newest first
        return [one for one in told if one is not None]

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None, reference: str | None = None) -> None:
        session = self._session(payment_id, reference)
        intent = session.payment_intent if session is not None else None
        if session is None or intent is None:
            raise RefundRefused("unknown_payment")
        intent_id = intent if isinstance(intent, str) else intent.id
        # Stripe forgets an idempotency key after a day, and we may ask for longer: so we look first.
        about: Any = {"payment_intent": intent_id, "limit": PAGE}
        before = self._ask_known(lambda: list(self._client.v1.refunds.list(params=about).auto_paging_iter()))
        done = next((one for one in before if _metadata(one).get("refund_id") == str(refund_id)), None)
        if done is None:
            params: Any = {
                "payment_intent": intent_id,
                "metadata": {"payment_id": str(payment_id), "refund_id": str(refund_id)},
            }
            if amount_minor is not None:
                params["amount"] = _refundable(amount_minor, (session.currency or "").upper())
            try:
                done = self._ask(
                    lambda: self._client.v1.refunds.create(
                        params=params, options={"idempotency_key": f"refund:{refund_id}"}
                    )
                )
            except _Never as never:
                if never.code in _MAY_PASS:
                    _log.warning("Stripe can't send refund %s now: %s", refund_id, never.code)
                    raise Silent from None
                raise RefundRefused(never.code) from None
        if done.status in notifications.REFUND_LOST:
            raise RefundRefused(str(done.failure_reason or done.status))

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Notification | None:
        told = notifications.read(headers, body, self._secret, now, live=self._live)
        if not isinstance(told, notifications.DisputedIntent):
            return told
        intent = self._ask_known(lambda: self._client.v1.payment_intents.retrieve(told.intent))
        try:
            payment_id = UUID(_metadata(intent).get("payment_id", ""))
        except ValueError:
            return None  # of another shop on the same account
        return Disputed(payment_id, told.dispute)

    def _session(self, payment_id: UUID, reference: str | None) -> checkout.Session | None:
        if reference is not None:
            return self._ask_known(lambda: self._client.v1.checkout.sessions.retrieve(reference))
        # Its name got lost with an answer: it was made at about the time that stands in the payment's id.
        born = (payment_id.int >> 80) // 1000
        params: Any = {"created": {"gte": born - AROUND_SECONDS, "lte": born + AROUND_SECONDS}, "limit": PAGE}
        about = self._ask_known(lambda: self._client.v1.checkout.sessions.list(params=params).auto_paging_iter())
        mine = (one for one in about if one.client_reference_id == str(payment_id))
        return self._ask_known(lambda: next(mine, None))

    def _said(self, session: checkout.Session) -> Said:
        said = notifications.said_of_session(session.to_dict())
        if said is None:
            raise Silent  # not one of ours
        return said

    def _ask_known(self, request: Callable[[], T]) -> T:
        """The answer about something that Stripe has told us of; it can't be unknown there."""
        try:
            return self._ask(request)
        except _Never as never:
            _log.error("Stripe does not know what it told us of (%s): is it the same account and mode?", never.code)
            raise Silent from None

    def _ask(self, request: Callable[[], T]) -> T:
        """The SDK's answer, or its error in the interface's words. Its text stays here: it may quote what was sent."""
        try:
            return request()
        except (stripe.AuthenticationError, stripe.PermissionError) as error:
            _log.error("Stripe refuses our key: %s, request %s", type(error).__name__, error.request_id)
            raise Silent from None
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            raise _Never(str(error.code or "invalid_request")[:60]) from None
        except stripe.StripeError as error:
            _log.warning("Stripe gave no answer: %s, request %s", type(error).__name__, error.request_id)
            raise Silent from None


class _Never(Exception):  # noqa: N818 - named for what it is
    """Stripe understood the request and refused it. `code` is Stripe's own word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def _metadata(thing: stripe.StripeObject) -> dict[str, str]:
    return thing.to_dict().get("metadata") or {}


def _sent_back(refund: stripe.Refund) -> SentBack | None:
    """None: not one of ours."""
    about, amount = _metadata(refund), from_stripe(refund.amount, refund.currency.upper())
    try:
        payment_id, refund_id = UUID(about.get("payment_id", "")), UUID(about.get("refund_id", ""))
    except ValueError:
        return None
    return SentBack(payment_id, refund_id, amount) if amount is not None else None


def _disputed(dispute: stripe.Dispute) -> Disputed | None:
    """None: of another shop on the same account, or it moved no money."""
    intent = dispute.payment_intent
    try:
        payment_id = UUID(_metadata(intent).get("payment_id", "") if isinstance(intent, stripe.PaymentIntent) else "")
    except ValueError:
        return None
    moved = notifications.dispute_so_far(dispute.to_dict())
    return Disputed(payment_id, moved) if moved is not None else None


def _refundable(amount_minor: int, currency: str) -> int:
    try:
        return to_stripe(amount_minor, currency)
    except Refused:
        raise RefundRefused("amount_not_payable") from None


def _kept(session: checkout.Session, since: float) -> bool:
    """Whether the money of a paid session came at `since` or later and is not wholly back with the buyer."""
    intent = session.payment_intent
    charge = intent.latest_charge if isinstance(intent, stripe.PaymentIntent) else None
    if not isinstance(charge, stripe.Charge):
        return True  # not told: rather one too many than one too few
    return charge.created >= since and charge.amount_refunded < charge.amount

"""What Stripe's webhooks say: checked by their signature and age, then read. No network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from stripe import SignatureVerificationError, WebhookSignature

from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.payments.interface import AWAITING_BUYER, Dispute, RefundFailed, Said
from backend.sales.payments.stripe.amounts import from_stripe

HEADER = "Stripe-Signature"
SIGNATURE_SECONDS = 300  # how old, or how far ahead of our clock, a notification may be
REFUND_LOST = ("failed", "canceled")  # states of a refund whose money is with us again

_SESSION_EVENTS = "checkout.session."
_REFUND_EVENTS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
# Only what moves money: a dispute that is opened or closed may be an inquiry, which moves none.
_TAKEN, _REINSTATED = "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"
_MAX_DISPUTE_NAME = 50  # characters; Stripe's own have about thirty


@dataclass(frozen=True, slots=True)
class DisputedIntent:
    """A bank took money back, or lost it again. Stripe names the payment by its PaymentIntent, which knows our name."""

    intent: str
    dispute: Dispute


def read(
    headers: Mapping[str, str], body: bytes, secret: str, now: float, *, live: bool
) -> Said | RefundFailed | DisputedIntent | None:
    """The notification, if it is genuine, fresh and of our mode; none where it says nothing that we need."""
    _check_signature(headers, body, secret, now)
    event = _parsed(body)
    if bool(event.get("livemode")) is not live:
        raise refuse("notification_forged", _("The notification is of Stripe's other mode (test or live)"))
    kind, about = event.get("type"), (event.get("data") or {}).get("object")
    if not isinstance(kind, str) or not isinstance(about, dict):
        raise _unreadable()
    if kind.startswith(_SESSION_EVENTS):
        return _session(kind, about)
    if kind in _REFUND_EVENTS:
        return _refund(about)
    if kind in (_TAKEN, _REINSTATED):
        return _disputed_intent(about, reinstated=kind == _REINSTATED)
    return None


def said_of_session(session: Mapping[str, Any]) -> Said | None:
    """What a Checkout Session says of its payment; none if the session is not one of ours."""
    payment_id = _uuid(session.get("client_reference_id"))
    if payment_id is None:
        return None
    reference = session.get("id")
    status, paid = session.get("status"), session.get("payment_status")
    if status == "complete" and paid == "paid":
        currency = str(session.get("currency") or "").upper()
        taken = from_stripe(session.get("amount_total") or 0, currency)
        # Money that we can't count is not what was asked for: the till sends it back.
        return Said(payment_id, "succeeded", reference, None, taken if taken is not None else -1, currency)
    if status == "expired":
        return Said(payment_id, "declined", reference, "session_expired")
    if status == "open":
        return Said(payment_id, "unknown", reference, AWAITING_BUYER, pay_at=session.get("url"))
    return Said(payment_id, "unknown", reference)


def dispute_so_far(dispute: Mapping[str, Any]) -> Dispute | None:
    """What a dispute has moved until now, by the account's own book; none if nothing, as an inquiry."""
    moves = [one.get("amount") or 0 for one in dispute.get("balance_transactions") or []]
    if not any(amount < 0 for amount in moves):
        return None
    return _dispute(dispute, reinstated=any(amount > 0 for amount in moves))


def _session(kind: str, session: Mapping[str, Any]) -> Said | None:
    if kind == "checkout.session.async_payment_failed":
        payment_id = _uuid(session.get("client_reference_id"))
        return Said(payment_id, "declined", session.get("id"), "payment_failed") if payment_id else None
    return said_of_session(session)


def _refund(refund: Mapping[str, Any]) -> RefundFailed | None:
    if refund.get("status") not in REFUND_LOST:
        return None
    ours = refund.get("metadata") or {}
    payment_id, refund_id = _uuid(ours.get("payment_id")), _uuid(ours.get("refund_id"))
    if payment_id is None or refund_id is None:
        return None  # made by hand, at Stripe
    return RefundFailed(payment_id, refund_id, str(refund.get("failure_reason") or refund["status"])[:60])


def _disputed_intent(dispute: Mapping[str, Any], *, reinstated: bool) -> DisputedIntent | None:
    intent = dispute.get("payment_intent")
    if not isinstance(intent, str):
        return None  # not paid by Checkout
    return DisputedIntent(intent, _dispute(dispute, reinstated=reinstated))


def _dispute(dispute: Mapping[str, Any], *, reinstated: bool) -> Dispute:
    name, currency = dispute.get("id"), str(dispute.get("currency")).upper()
    moved = _moved(dispute, reinstated=reinstated)
    amount = from_stripe(moved, currency) if isinstance(moved, int) else None
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_DISPUTE_NAME or not amount or amount < 0:
        raise _unreadable()
    taken = from_stripe(sum(_booked(dispute, -1)), currency) if reinstated else None
    return Dispute(name, amount, currency, reinstated, taken or None)


def _moved(dispute: Mapping[str, Any], *, reinstated: bool) -> Any:  # noqa: ANN401 - as it came
    """What moved, from the account's own book where that is told in the dispute's currency; else what is disputed."""
    booked = _booked(dispute, 1 if reinstated else -1)
    return sum(booked) if booked else dispute.get("amount")


def _booked(dispute: Mapping[str, Any], sign: int) -> list[int]:
    """What the account's book has of it in the dispute's currency: given back (1) or taken (-1)."""
    return [
        sign * one["amount"]
        for one in dispute.get("balance_transactions") or []
        if one.get("currency") == dispute.get("currency") and sign * one["amount"] > 0
    ]


def _check_signature(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    header = next((value for name, value in headers.items() if name.lower() == HEADER.lower()), "")
    try:
        WebhookSignature.verify_header(body, header, secret)
        at, _signatures = WebhookSignature._get_timestamp_and_signatures(header, "v1")  # noqa: SLF001 - verified above
    except (SignatureVerificationError, ValueError):
        raise _forged() from None
    if abs(now - at) > SIGNATURE_SECONDS:
        raise _forged()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _unreadable() from None
    if not isinstance(event, dict):
        raise _unreadable()
    return event


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _forged() -> Refused:
    return refuse("notification_forged", _("The notification's signature is missing, wrong or too old"))


def _unreadable() -> Refused:
    return refuse("notification_unreadable", _("The notification can't be read"))

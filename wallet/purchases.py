"""Buying: a wish becomes a held order, and a held order a paid one.

Every request is preceded by the stored intent to make it, with its idempotency key. So a purchase is carried on by
making its last request again: after a crash, a lost answer, a power cut, the platform answers as it did the first time.
"""

from typing import Any

from wallet.answers import EventAnswer, OrderAnswer
from wallet.api import Api
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet, remember_platform, server_time
from wallet.owner import address_of, owner_account
from wallet.records import (
    EventFacts,
    Line,
    Payment,
    PaymentChoice,
    PaymentState,
    Placed,
    Platform,
    Purchase,
    PurchaseState,
)
from wallet.transport import Problem
from wallet.trust import check_event

PAYMENT_WAIT_SECONDS = 60.0  # for a provider that has not answered the platform
_POLL_SECONDS = 1.0
_OPEN = (PurchaseState.WANTED, PurchaseState.HELD, PurchaseState.PAID)
_CLOSING = frozenset({"hold_expired", "order_cancelled", "order_refunded", "payment_differs", "payment_too_late"})


def unfinished(wallet: OpenedWallet) -> list[Purchase]:
    """Purchases on their way, oldest first."""
    found = [purchase for purchase in wallet.store.all(Purchase) if purchase.state in _OPEN]
    return sorted(found, key=lambda purchase: (purchase.created_at, purchase.key))


def price(event: EventAnswer, lines: tuple[Line, ...]) -> int:
    """All-in, in minor units. Raises `unknown_class`."""
    prices = {one.code: one.price_minor for one in event.classes}
    for line in lines:
        if line.class_code not in prices:
            raise WalletError(
                "unknown_class",
                _("This event has no class %(name)s. It has: %(all)s.")
                % {"name": line.class_code, "all": ", ".join(sorted(prices))},
            )
    return sum(prices[line.class_code] * line.quantity for line in lines)


def want(
    wallet: OpenedWallet, api: Api, event: EventAnswer, lines: tuple[Line, ...], pay_with: PaymentChoice, *, guest: bool
) -> Purchase:
    """Store the wish to buy; nothing was sent. A guest's tickets stay in the platform's custody."""
    check_event(event.platform_id, event.id, event.tag)
    platform = remember_platform(wallet, api, event.platform_id)
    if platform.server != api.server:
        raise WalletError(
            "platform_moved",
            _(
                "You know this platform at %(known)s, and now it is at %(now)s. If its organiser says that it moved, "
                "add --moved; else someone may be posing as it."
            )
            % {"known": platform.server, "now": api.server},
        )
    owner = None if guest else address_of(owner_account(wallet.seed, event.tag))
    purchase = Purchase(
        id=wallet.new_id(),
        server=api.server,
        event=facts(event),
        lines=lines,
        owner=owner,
        expected_minor=price(event, lines),
        pay_with=pay_with,
        created_at=int(wallet.now()),
        state=PurchaseState.WANTED,
    )
    wallet.store.put(purchase)
    return purchase


def place(wallet: OpenedWallet, purchase: Purchase) -> Purchase:
    """WANTED to HELD. A refusal closes the purchase: nothing is held."""
    api = wallet.api(purchase.server)
    try:
        answer = api.place_order(purchase.event.slug, purchase.lines, purchase.owner, purchase.key)
    except Problem as problem:
        if not problem.is_retried:
            close(wallet, purchase, problem.code)
        raise
    placed = Placed(
        order_id=answer.order_id,
        secret=answer.order_secret,
        total_minor=answer.total_minor,
        currency=answer.currency,
        hold_expires_at=int(answer.hold_expires_at.timestamp()),
    )
    purchase = _stored(wallet, purchase, placed=placed, state=PurchaseState.HELD)
    if answer.total_minor != purchase.expected_minor:
        release(wallet, purchase, "price_changed")
        raise WalletError(
            "price_changed", _("The price changed while you ordered. Nothing was paid; look at it and buy again.")
        )
    return purchase


def pay(wallet: OpenedWallet, purchase: Purchase, new_choice: PaymentChoice | None = None) -> Purchase:
    """HELD to PAID. `new_choice` starts another attempt after one that was declined, and never beside an open one."""
    last = purchase.payments[-1] if purchase.payments else None
    if last is not None and last.state is PaymentState.DECLINED and new_choice is None:
        return _after_decline(wallet, purchase)
    if last is None or last.state is PaymentState.DECLINED:
        choice = new_choice or purchase.pay_with
        key = f"pay-{purchase.id}-{len(purchase.payments) + 1}"
        last = Payment(idempotency_key=key, method=choice.method, token=choice.token, state=PaymentState.STARTED)
        purchase = _stored(wallet, purchase, payments=(*purchase.payments, last))
    ends = wallet.monotonic() + PAYMENT_WAIT_SECONDS
    while True:
        try:
            reply = wallet.api(purchase.server).pay(placed_of(purchase), last)
        except Problem as problem:
            return _not_paid(wallet, purchase, problem)
        if reply.status != 202:
            return settle(wallet, purchase, reply.value)
        if purchase.payments[-1].state is PaymentState.STARTED:
            purchase = _with_payment(wallet, purchase, PaymentState.PENDING)
            wallet.tell(_("The payment provider has not answered yet. Waiting; nothing is lost if you stop here."))
        if wallet.monotonic() >= ends:
            raise WalletError(
                "payment_pending",
                _("The payment is not confirmed yet. Run `truestub-wallet resume` in a minute; you won't pay twice."),
            )
        wallet.sleep(reply.retry_after or _POLL_SECONDS)


def settle(wallet: OpenedWallet, purchase: Purchase, order: OrderAnswer) -> Purchase:
    """Take over what the platform says of an order that may be paid. Raises when nothing will come of it."""
    if order.state == "held":
        return purchase
    if order.state == "paid":
        if purchase.payments and purchase.payments[-1].state is not PaymentState.SUCCEEDED:
            purchase = _with_payment(wallet, purchase, PaymentState.SUCCEEDED)
        return _stored(wallet, purchase, state=PurchaseState.PAID)
    if order.state == "expired" and any(one.state is PaymentState.PENDING for one in purchase.payments):
        raise WalletError(
            "hold_expired_payment_open",
            _(
                "The hold ended before the payment was confirmed. If money was taken, you get the tickets or the money "
                "back; run `truestub-wallet resume` later to see."
            ),
        )
    codes = {"expired": "hold_expired", "cancelled": "order_cancelled", "refunded": "order_refunded"}
    code = codes.get(order.state)
    if code is None:
        raise WalletError(
            "unexpected_answer", _("The server speaks of an order in a way this version does not know. Update it.")
        )
    close(wallet, purchase, code)
    raise WalletError(code, closed_sentence(code))


def release(wallet: OpenedWallet, purchase: Purchase, reason: str = "released") -> Purchase:
    """Give an unpaid purchase up. The platform is told; if it can't be reached, the hold ends by itself."""
    if any(one.state in (PaymentState.STARTED, PaymentState.PENDING) for one in purchase.payments):
        raise WalletError(
            "payment_open", _("A payment for this order is under way. Run `truestub-wallet resume` to see how it ends.")
        )
    if purchase.placed is not None:
        wallet.api(purchase.server).release(purchase.placed)
    return close(wallet, purchase, reason)


def close(wallet: OpenedWallet, purchase: Purchase, reason: str) -> Purchase:
    """Remember that nothing will come of it."""
    return _stored(wallet, purchase, state=PurchaseState.CLOSED, reason=reason)


def move_platform(wallet: OpenedWallet, platform_id: bytes, server: str) -> None:
    """The platform is reached at another address from now on; so are its orders."""
    known = wallet.store.get(Platform, platform_id.hex())
    if known is None or known.server == server:
        return
    for purchase in wallet.store.all(Purchase):
        if purchase.event.platform_id == platform_id:
            _stored(wallet, purchase, server=server)
    wallet.store.put(known.model_copy(update={"server": server}))


def placed_of(purchase: Purchase) -> Placed:
    """The platform's side of a purchase that is held or later."""
    if purchase.placed is None:
        raise ValueError("this purchase was not placed yet")
    return purchase.placed


def facts(event: EventAnswer) -> EventFacts:
    """What to keep of an event."""
    return EventFacts(
        slug=event.slug,
        id=event.id,
        platform_id=event.platform_id,
        tag=event.tag,
        index=event.index,
        name=event.name,
        venue=event.venue,
        time_zone=event.time_zone,
        doors_at=int(event.doors_at.timestamp()),
        starts_at=int(event.starts_at.timestamp()),
        ends_at=int(event.ends_at.timestamp()),
    )


def closed_sentence(code: str) -> str:
    """Why a purchase ended without tickets."""
    return {
        "hold_expired": _("The hold ended before the payment. Nothing was paid; buy again."),
        "order_cancelled": _("The order was cancelled. Nothing was paid."),
        "order_refunded": _("The order was paid back; its tickets are void."),
    }[code]


def _after_decline(wallet: OpenedWallet, purchase: Purchase) -> Purchase:
    """Ask before telling: a bank may take the money after all, and a hold may have ended."""
    placed = placed_of(purchase)
    purchase = settle(wallet, purchase, wallet.api(purchase.server).order(placed.order_id, placed.secret).value)
    if purchase.state is PurchaseState.PAID:
        return purchase
    raise _declined(purchase)


def _not_paid(wallet: OpenedWallet, purchase: Purchase, problem: Problem) -> Purchase:
    """What a refused payment means for the purchase; raises, unless the order turns out to be paid."""
    api, placed = wallet.api(purchase.server), placed_of(purchase)
    if problem.code == "already_paid":
        return settle(wallet, purchase, api.order(placed.order_id, placed.secret).value)
    if problem.code in _CLOSING:
        close(wallet, purchase, problem.code)
    elif problem.status in (402, 422):  # declined, or a provider or token that does not exist: nothing was taken
        purchase = _with_payment(wallet, purchase, PaymentState.DECLINED)
        if server_time(wallet, api) >= placed.hold_expires_at:
            close(wallet, purchase, problem.code)
        elif problem.status == 402:
            raise _declined(purchase) from problem
    raise problem


def _declined(purchase: Purchase) -> WalletError:
    return WalletError(
        "payment_declined",
        _(
            "The payment was declined; nothing was paid. Your tickets are held a little longer: pay another way with "
            "`truestub-wallet resume --pay-again`, adding --token if you have another card."
        ),
        order=str(placed_of(purchase).order_id),
        hold_expires_at=placed_of(purchase).hold_expires_at,
    )


def _with_payment(wallet: OpenedWallet, purchase: Purchase, state: PaymentState) -> Purchase:
    last = purchase.payments[-1].model_copy(update={"state": state})
    return _stored(wallet, purchase, payments=(*purchase.payments[:-1], last))


def _stored(wallet: OpenedWallet, purchase: Purchase, **changes: Any) -> Purchase:  # noqa: ANN401 - fields
    changed = purchase.model_copy(update=changes)
    wallet.store.put(changed)
    return changed

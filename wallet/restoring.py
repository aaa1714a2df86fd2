"""Bring orders of a lost device into this wallet; their tickets get new keys, so that the old device's codes end."""

from wallet.api import Api
from wallet.errors import WalletError
from wallet.giving import find, own_address
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet, remember_platform
from wallet.owner import address_of, owner_account
from wallet.purchases import facts
from wallet.receipts import Receipt
from wallet.records import PaymentChoice, Placed, Purchase, PurchaseState
from wallet.trust import check_event


def find_receipts(wallet: OpenedWallet, api: Api, slug: str) -> list[Receipt]:
    """Every paid order of an event that was made for this phrase: the phrase alone is enough."""
    event = api.event(slug)
    check_event(event.platform_id, event.id, event.tag)
    owner = own_address(wallet, event.tag)
    return [
        Receipt(api.server, one.order_id, one.order_secret, owner) for one in find(wallet, api, facts(event)).orders
    ]


def adopt(wallet: OpenedWallet, api: Api, receipt: Receipt) -> Purchase:
    """The order as a purchase of this wallet, stored; one that is here already is left as it is."""
    for known in wallet.store.all(Purchase):
        if known.placed is not None and known.placed.order_id == receipt.order_id:
            return known
    order = api.order(receipt.order_id, receipt.secret).value
    if order.state != "paid" or order.event is None:
        raise WalletError("order_not_paid", _("This order has no tickets: it is not paid, or was paid back."))
    event = api.event(order.event)
    check_event(event.platform_id, event.id, event.tag)
    remember_platform(wallet, api, event.platform_id)
    own = address_of(owner_account(wallet.seed, event.tag))
    if receipt.owner not in (own, None):
        raise WalletError(
            "other_phrase", _("This order belongs to another recovery phrase. Restore the wallet from that one first.")
        )
    purchase = Purchase(
        id=wallet.new_id(),
        server=api.server,
        event=facts(event),
        lines=(),
        owner=receipt.owner,
        expected_minor=order.total_minor,
        pay_with=PaymentChoice(method="", token=""),
        created_at=int(wallet.now()),
        state=PurchaseState.PAID,
        placed=Placed(
            order_id=receipt.order_id,
            secret=receipt.secret,
            total_minor=order.total_minor,
            currency=order.currency,
            hold_expires_at=0,
        ),
        takes_over=True,
    )
    wallet.store.put(purchase)
    return purchase

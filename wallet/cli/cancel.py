"""Give up an order that is not paid."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.buy import order_json
from wallet.cli.find import find_purchase
from wallet.cli.network import online
from wallet.cli.output import Output
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.purchases import release
from wallet.records import PurchaseState


def run(args: Namespace, out: Output) -> int:
    with online(args, out) as wallet:
        purchase = find_purchase(wallet, args.order)
        if purchase.state in (PurchaseState.PAID, PurchaseState.DONE):
            raise WalletError("already_paid", _("This order is paid. Ask the organiser for your money back."))
        if purchase.state is not PurchaseState.CLOSED:
            purchase = release(wallet, purchase)
    out.say(_("The order is given up. Nothing was paid."))
    out.result(order_json(purchase))
    return exits.DONE

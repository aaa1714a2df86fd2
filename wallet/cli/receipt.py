"""Show an order's receipt: who has it can bring the order's tickets to another device."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.find import find_purchase
from wallet.cli.output import Output
from wallet.cli.session import opened
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.receipts import Receipt, write_receipt


def run(args: Namespace, out: Output) -> int:
    with opened(args, out) as wallet:
        purchase = find_purchase(wallet, args.order)
        if purchase.placed is None:
            raise WalletError("no_such_order", _("This order did not reach the platform yet; it has no receipt."))
        placed = purchase.placed
        receipt = write_receipt(Receipt(purchase.server, placed.order_id, placed.secret, purchase.owner))
    out.say(_("Keep this safe; who has it can take the tickets of this order:"))
    out.say(receipt)
    out.result({"receipt": receipt})
    return exits.DONE

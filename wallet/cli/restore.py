"""Bring tickets of a lost device into this wallet."""

from argparse import Namespace
from pathlib import Path

from wallet.cli import exits
from wallet.cli.buy import finish, report
from wallet.cli.network import online
from wallet.cli.output import Output
from wallet.cli.session import ask_secret, secret_file
from wallet.i18n import gettext as _
from wallet.receipts import read_receipt
from wallet.restoring import adopt


def run(args: Namespace, out: Output) -> int:
    typed = secret_file(Path(args.receipt_file)) if args.receipt_file else ask_secret(_("Receipt: "))
    receipt = read_receipt(typed)
    with online(args, out) as wallet:
        purchase = adopt(wallet, wallet.api(receipt.server), receipt)
        report(out, wallet, finish(wallet, purchase, args.wait, None))
    return exits.DONE

"""Carry on what was cut off."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.buy import finish, report
from wallet.cli.network import online
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.purchases import unfinished
from wallet.records import PaymentChoice
from wallet.tickets import finish_rekeys


def run(args: Namespace, out: Output) -> int:
    """Every purchase gets its try; the first that fails decides the exit code."""
    failed: list[WalletError] = []
    with online(args, out) as wallet:
        pending = unfinished(wallet)
        for purchase in pending:
            choice = None
            if args.pay_again:
                was = purchase.payments[-1] if purchase.payments else purchase.pay_with
                choice = PaymentChoice(method=args.method or was.method, token=args.token or was.token)
            try:
                report(out, wallet, finish(wallet, purchase, args.wait, choice))
            except WalletError as error:
                failed.append(error)
                if error is not failed[0]:
                    out.tell(f"{error.sentence} [{error.code}]")
        for number, ticket in enumerate(finish_rekeys(wallet), 1):
            out.say(ticket_line(number, ticket))
            out.result({"tickets": [ticket_json(ticket)]})
    if failed:
        raise failed[0]
    if not pending:
        out.say(_("Nothing was left to do."))
        out.result({"tickets": []})
    return exits.DONE

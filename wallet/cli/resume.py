"""Carry on what was cut off."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.buy import finish, report
from wallet.cli.network import online
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.errors import WalletError
from wallet.giving import give, unfinished_gifts
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
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
        gifts = _finish_gifts(wallet, out, failed)
    if failed:
        raise failed[0]
    if not pending and not gifts:
        out.say(_("Nothing was left to do."))
        out.result({"tickets": []})
    return exits.DONE


def _finish_gifts(wallet: OpenedWallet, out: Output, failed: list[WalletError]) -> int:
    """How many were begun; what went wrong is added to `failed`."""
    begun = unfinished_gifts(wallet)
    for ticket in begun:
        try:
            if ticket.giving is not None:
                out.say(ticket_line(1, give(wallet, ticket, ticket.giving.to)))
        except WalletError as error:
            failed.append(error)
            if error is not failed[0]:
                out.tell(f"{error.sentence} [{error.code}]")
    return len(begun)

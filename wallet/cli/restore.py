"""Bring tickets of a lost device into this wallet: by the phrase alone, or by a receipt."""

from argparse import Namespace
from pathlib import Path

from wallet.api import Api
from wallet.cli import exits
from wallet.cli.buy import finish, report
from wallet.cli.network import online, server_for
from wallet.cli.output import Output, ticket_json
from wallet.cli.session import ask_secret, secret_file
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.receipts import Receipt, read_receipt
from wallet.records import Ticket, sorted_tickets
from wallet.restoring import adopt, find_receipts


def run(args: Namespace, out: Output) -> int:
    """Every order gets its try; the first that fails decides the exit code."""
    failed: list[WalletError] = []
    given = _given_receipt(args)
    with online(args, out) as wallet:
        receipts = [given] if given else _found(args, out, wallet, wallet.api(server_for(args, wallet)))
        for receipt in receipts:
            try:
                purchase = adopt(wallet, wallet.api(receipt.server), receipt)
                report(out, wallet, finish(wallet, purchase, args.wait, None))
            except WalletError as error:
                failed.append(error)
                out.tell(f"{error.sentence} [{error.code}]")
        tickets = sorted_tickets(wallet.store.all(Ticket))
    if failed:
        raise failed[0]
    if not receipts:
        out.say(_("No paid orders of this recovery phrase were found there."))
    out.result({"orders": len(receipts), "tickets": [ticket_json(ticket) for ticket in tickets]})
    return exits.DONE


def _given_receipt(args: Namespace) -> Receipt | None:
    if args.receipt_file:
        return read_receipt(secret_file(Path(args.receipt_file)))
    return read_receipt(ask_secret(_("Receipt: "))) if args.receipt else None


def _found(args: Namespace, out: Output, wallet: OpenedWallet, api: Api) -> list[Receipt]:
    """Event by event, each under the address that this phrase has there."""
    slugs = [args.event] if args.event else [event.slug for event in api.events()]
    found: list[Receipt] = []
    for slug in slugs:
        here = find_receipts(wallet, api, slug)
        if here:
            out.tell(_("Found for %(event)s: %(count)d") % {"event": slug, "count": len(here)})
        found += here
    return found

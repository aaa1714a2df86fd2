"""What this wallet holds, and how it stands with the platforms. Works with no network, and says so."""

from argparse import Namespace
from typing import Any

from wallet import told, vault
from wallet.cli import exits
from wallet.cli.buy import order_json
from wallet.cli.network import QUICK, online, server_for
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.cli.session import VAULT_NAME, home_of
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.records import Purchase, PurchaseState, Ticket, sorted_tickets
from wallet.tickets import refresh


def run(args: Namespace, out: Output) -> int:
    home = home_of(args)
    with online(args, out, QUICK) as wallet:
        purchases = sorted(wallet.store.all(Purchase), key=lambda one: one.created_at)
        servers = {one.server for one in purchases} | ({server_for(args, wallet)} if args.server else set())
        reached = [_ask(wallet, server, purchases) for server in sorted(servers)]
        tickets = sorted_tickets(wallet.store.all(Ticket))
        silent = {one["server"] for one in reached if not one["reached"]}
        earlier = [told.sentence(one, wallet.now()) for one in told.last_told(wallet) if one.server in silent]
    out.say(_("Wallet in %s") % home)
    for number, ticket in enumerate(tickets, 1):
        out.say(ticket_line(number, ticket) + f" · {stage_words(ticket.stage)}")
    for one in purchases:
        if one.state not in (PurchaseState.DONE, PurchaseState.CLOSED):
            out.say(_("An order for %s is on its way. Run: truestub-wallet resume") % one.event.name)
    for one_server in reached:
        out.say(f"{one_server['server']}: {one_server['says']}")
    for sentence in earlier:
        out.say(sentence)
    out.result(
        {
            "home": str(home),
            "vault": vault.describe(home / VAULT_NAME),
            "tickets": [ticket_json(ticket) for ticket in tickets],
            "orders": [order_json(one) for one in purchases],
            "servers": reached,
        }
    )
    return exits.DONE


def stage_words(stage: str) -> str:
    """How far a ticket is on its way to the chain; it can be shown at every stage."""
    return {
        "paid": _("paid"),
        "batched": _("numbered; waits to be written to the chain"),
        "minting": _("being written to the chain"),
        "minted": _("on the chain"),
    }.get(stage, stage)


def _ask(wallet: OpenedWallet, server: str, purchases: list[Purchase]) -> dict[str, Any]:
    """Refresh what the server knows. A server that can't be reached is a fact to report, not a failure."""
    api = wallet.api(server)
    try:
        says = told.ask(wallet, api).summary
        for purchase in purchases:
            if purchase.server == server and purchase.state in (PurchaseState.PAID, PurchaseState.DONE):
                refresh(wallet, purchase)
    except WalletError as error:
        return {"server": server, "reached": False, "code": error.code, "says": error.sentence}
    ahead = api.transport.clock_ahead
    return {
        "server": server,
        "reached": True,
        "says": says,
        "clock_ahead_seconds": None if ahead is None else round(ahead),
    }

"""List the tickets. Needs no network."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.cli.session import opened
from wallet.i18n import gettext as _
from wallet.records import Purchase, PurchaseState, Ticket, sorted_tickets


def run(args: Namespace, out: Output) -> int:
    with opened(args, out) as wallet:
        tickets = sorted_tickets(wallet.store.all(Ticket))
        waiting = [
            one for one in wallet.store.all(Purchase) if one.state not in (PurchaseState.DONE, PurchaseState.CLOSED)
        ]
    for number, ticket in enumerate(tickets, 1):
        out.say(ticket_line(number, ticket))
    if not tickets:
        out.say(_("No tickets yet."))
    if waiting:
        out.say(_("Orders on their way: %d. Run: truestub-wallet resume") % len(waiting))
    out.result({"tickets": [ticket_json(ticket) for ticket in tickets], "orders_on_their_way": len(waiting)})
    return exits.DONE

"""List the tickets, and what the platforms last told. Needs no network."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.cli.session import opened
from wallet.i18n import gettext as _
from wallet.records import Purchase, PurchaseState, Ticket, sorted_tickets
from wallet.told import last_told, sentence


def run(args: Namespace, out: Output) -> int:
    with opened(args, out) as wallet:
        tickets = sorted_tickets(wallet.store.all(Ticket))
        waiting = [
            one for one in wallet.store.all(Purchase) if one.state not in (PurchaseState.DONE, PurchaseState.CLOSED)
        ]
        news, now = last_told(wallet), wallet.now()
    for number, ticket in enumerate(tickets, 1):
        out.say(ticket_line(number, ticket))
    if not tickets:
        out.say(_("No tickets yet."))
    if waiting:
        out.say(_("Orders on their way: %d. Run: truestub-wallet resume") % len(waiting))
    for one in news:
        out.say(sentence(one, now))
    if news:
        out.say(_("To ask again: truestub-wallet status"))
    out.result(
        {
            "tickets": [ticket_json(ticket) for ticket in tickets],
            "orders_on_their_way": len(waiting),
            "told": [{"server": one.server, "banner": one.banner, "told_at": one.told_at} for one in news],
        }
    )
    return exits.DONE

"""Say where others send a ticket, and take what they have given."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.network import online, server_for
from wallet.cli.output import Output, ticket_json, ticket_line
from wallet.giving import address_text, own_address
from wallet.i18n import gettext as _
from wallet.tickets import receive


def run(args: Namespace, out: Output) -> int:
    with online(args, out) as wallet:
        api = wallet.api(server_for(args, wallet))
        tickets = receive(wallet, api, args.event)
        address = address_text(own_address(wallet, api.event(args.event).tag))
    for number, ticket in enumerate(tickets, 1):
        out.say(ticket_line(number, ticket))
    if not tickets:
        out.say(_("Nothing was given to you yet. Tell the giver your address for this event:"))
        out.say(address)
        out.say(_("Run this again when they have given the ticket."))
    out.result({"address": address, "tickets": [ticket_json(ticket) for ticket in tickets]})
    return exits.DONE

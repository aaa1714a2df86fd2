"""Give a ticket to somebody else's wallet."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.find import find_ticket
from wallet.cli.network import online
from wallet.cli.output import Output, ticket_json
from wallet.giving import address_text, give, read_address
from wallet.i18n import gettext as _


def run(args: Namespace, out: Output) -> int:
    to = read_address(args.address)
    with online(args, out) as wallet:
        ticket = give(wallet, find_ticket(wallet, args.ticket), to)
    out.say(
        _("%(event)s, token %(token)d: given to %(address)s. Your codes for it stop working.")
        % {"event": ticket.event.name, "token": ticket.token_id, "address": address_text(to)}
    )
    out.say(_("They take it with: truestub-wallet receive %s") % ticket.event.slug)
    out.result({"tickets": [ticket_json(ticket)]})
    return exits.DONE

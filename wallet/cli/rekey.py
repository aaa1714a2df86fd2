"""Take tickets back from a lost or copied device."""

from argparse import Namespace

from wallet.cli import exits
from wallet.cli.find import find_ticket
from wallet.cli.network import online
from wallet.cli.output import Output, ticket_json
from wallet.i18n import gettext as _
from wallet.tickets import rekey


def run(args: Namespace, out: Output) -> int:
    with online(args, out) as wallet:
        done = [rekey(wallet, ticket) for ticket in [find_ticket(wallet, meant) for meant in args.ticket]]
    for ticket in done:
        out.say(
            _("%(event)s, token %(token)d: new codes. Every older one is refused by gates as soon as they know.")
            % {"event": ticket.event.name, "token": ticket.token_id}
        )
    out.result({"tickets": [ticket_json(ticket) for ticket in done]})
    return exits.DONE

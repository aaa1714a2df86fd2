"""Buy tickets."""

import sys
from argparse import Namespace

from wallet.api import Api
from wallet.cli import exits
from wallet.cli.network import online, server_for
from wallet.cli.output import Output, event_line, ticket_json, ticket_line
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.i18n import ngettext
from wallet.money import amount
from wallet.opened import OpenedWallet
from wallet.purchases import facts, move_platform, placed_of, price, unfinished, want
from wallet.records import Line, PaymentChoice, Purchase, PurchaseState, Ticket, sorted_tickets
from wallet.tickets import carry_on
from wallet.transport import Broken


def run(args: Namespace, out: Output) -> int:
    with online(args, out) as wallet:
        server = server_for(args, wallet)
        lines = (_line(args),)
        choice = PaymentChoice(method=args.method, token=args.token)
        begun = None if args.another else _begun(wallet, server, args.event, lines, guest=args.guest)
        if begun is not None:
            out.tell(_("Such an order is on its way already: carrying it on. For a further one add --another."))
        purchase = begun or _wish(args, out, wallet, wallet.api(server), lines, choice)
        if purchase is None:
            out.say(_("Nothing was ordered."))
            return exits.DONE
        report(out, wallet, finish(wallet, purchase, args.wait, choice))
    return exits.DONE


def finish(wallet: OpenedWallet, purchase: Purchase, wait: float, choice: PaymentChoice | None) -> Purchase:
    """Carry a stored purchase on; a server that falls silent is said to have lost nothing."""
    try:
        return carry_on(wallet, purchase, choice, wait)
    except Broken as broken:
        raise WalletError(
            broken.code,
            broken.sentence + " " + _("Your order is stored: run `truestub-wallet resume`; you won't pay twice."),
        ) from broken


def report(out: Output, wallet: OpenedWallet, purchase: Purchase) -> None:
    """Say what is in the wallet now."""
    tickets = [ticket for ticket in wallet.store.all(Ticket) if ticket.purchase == purchase.id]
    placed = placed_of(purchase)
    count = len(tickets)
    out.say(
        ngettext("%d ticket is in this wallet, for %s:", "%d tickets are in this wallet, for %s:", count)
        % (count, event_line(purchase.event))
    )
    numbers = {ticket.id: number for number, ticket in enumerate(sorted_tickets(wallet.store.all(Ticket)), 1)}
    for ticket in sorted_tickets(tickets):
        out.say(ticket_line(numbers[ticket.id], ticket))
        warn_about_issuer(out, ticket)
    out.say(_("Show one with: truestub-wallet show NUMBER"))
    if purchase.owner is None:
        out.say(
            _(
                "Keep the receipt: only with it can you bring these tickets to another device. See: truestub-wallet "
                "receipt %s"
            )
            % str(placed.order_id)[:8]
        )
    out.result({**order_json(purchase), "tickets": [ticket_json(ticket) for ticket in sorted_tickets(tickets)]})


def order_json(purchase: Purchase) -> dict[str, object]:
    """What machines may know of an order; its secret is for `receipt` alone."""
    placed = purchase.placed
    return {
        "order_id": str(placed.order_id) if placed else None,
        "state": purchase.state.value,
        "reason": purchase.reason,
        "event": purchase.event.slug,
        "server": purchase.server,
        "owner": "0x" + purchase.owner.hex() if purchase.owner else None,
        "total_minor": placed.total_minor if placed else purchase.expected_minor,
        "currency": placed.currency if placed else None,
    }


def warn_about_issuer(out: Output, ticket: Ticket) -> None:
    """A credential whose issuer could not be checked may still be good: the gate decides."""
    if ticket.issuer != "verified":
        out.warn(_("The platform's key list does not vouch for this ticket yet. Run `truestub-wallet status` later."))


def _wish(
    args: Namespace, out: Output, wallet: OpenedWallet, api: Api, lines: tuple[Line, ...], choice: PaymentChoice
) -> Purchase | None:
    event = api.event(args.event)
    total = price(event, lines)
    out.say(event_line(facts(event)))
    out.say(f"{lines[0].quantity} x {lines[0].class_code} = {amount(total, event.currency)}")
    if not args.yes:
        if not sys.stdin.isatty():
            raise WalletError("confirmation_needed", _("Nobody is there to be asked. To pay without asking: --yes"))
        if not _agrees():
            return None
    if args.moved:
        move_platform(wallet, event.platform_id, api.server)
    return want(wallet, api, event, lines, choice, guest=args.guest)


def _agrees() -> bool:
    sys.stderr.write(_("Pay that? [y/N] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in (_("y"), _("yes"), "y", "yes")


def _line(args: Namespace) -> Line:
    seats = tuple(seat.strip() for seat in (args.seats or "").split(",") if seat.strip())
    if seats and args.quantity not in (1, len(seats)):
        raise WalletError(
            "bad_arguments",
            _("--seats names %(seats)d seats, --quantity says %(quantity)d. Leave --quantity out, or correct one.")
            % {"seats": len(seats), "quantity": args.quantity},
        )
    return Line(class_code=args.class_code, quantity=len(seats) or args.quantity, seats=seats)


def _begun(wallet: OpenedWallet, server: str, slug: str, lines: tuple[Line, ...], *, guest: bool) -> Purchase | None:
    """The same wish, stored before and not finished: somebody repeats a command that was cut off."""
    for purchase in unfinished(wallet):
        same = purchase.server == server and purchase.event.slug == slug and purchase.lines == lines
        if same and (purchase.owner is None) == guest and purchase.state is not PurchaseState.DONE:
            return purchase
    return None

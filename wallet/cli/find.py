"""Find what a person means by a number, a seat, or the beginning of an id."""

from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.records import Purchase, Ticket, sorted_tickets

MIN_ID_CHARACTERS = 4


def find_ticket(wallet: OpenedWallet, meant: str) -> Ticket:
    """By its number in the list, its id or the beginning of it, or its seat."""
    tickets = sorted_tickets(wallet.store.all(Ticket))
    if meant.isascii() and meant.isdigit() and len(meant) < MIN_ID_CHARACTERS and 1 <= int(meant) <= len(tickets):
        return tickets[int(meant) - 1]
    found = [one for one in tickets if one.seat == meant or _begins(one.key, meant)]
    if not found:
        raise WalletError("no_such_ticket", _("This wallet has no ticket %s. See: truestub-wallet tickets") % meant)
    if len(found) > 1:
        raise WalletError("ambiguous_ticket", _("%s could be several tickets. Give more of the id.") % meant)
    return found[0]


def find_purchase(wallet: OpenedWallet, meant: str) -> Purchase:
    """By the platform's id of the order or ours, or the beginning of it."""
    found = [
        one
        for one in wallet.store.all(Purchase)
        if _begins(one.key, meant) or (one.placed is not None and _begins(str(one.placed.order_id), meant))
    ]
    if not found:
        raise WalletError("no_such_order", _("This wallet has no order %s. See: truestub-wallet status") % meant)
    if len(found) > 1:
        raise WalletError("ambiguous_order", _("%s could be several orders. Give more of the id.") % meant)
    return found[0]


def _begins(key: str, meant: str) -> bool:
    return len(meant) >= MIN_ID_CHARACTERS and key.startswith(meant.lower())

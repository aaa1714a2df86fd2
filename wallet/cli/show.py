"""Show tickets: in the terminal, as pictures, or as digits for a program. Needs no network."""

import sys
import time
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from wallet import draw
from wallet.cli import exits
from wallet.cli.find import find_ticket
from wallet.cli.live import show_live
from wallet.cli.output import Output, event_line
from wallet.cli.session import opened
from wallet.errors import WalletError
from wallet.files import replace
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.records import Platform, Ticket, sorted_tickets
from wallet.show import Kind, Shown, answer, clock_sentence, is_clock_wrong, present, warnings

PICTURE_MODE = 0o644  # a code is shown to strangers anyway
_POLL_SECONDS = 0.2


def run(args: Namespace, out: Output) -> int:
    clock = clock_for(args.at)
    kind = Kind(args.kind or Kind.FULL)
    with opened(args, out) as wallet:
        tickets = _chosen(wallet, args.ticket)
        for ticket in tickets:
            for sentence in objections(wallet, ticket, clock()):
                out.warn(sentence)
        if args.once:
            for ticket in tickets:
                _put(out, ticket, present(ticket, wallet.seed, kind, clock()), args.png)
        elif args.png or out.as_json or not sys.stdout.isatty():
            _repeat(args, out, wallet, tickets[0], kind, clock)
        else:
            show_live(wallet.seed, tickets, kind, clock)
    return exits.DONE


def run_answer(args: Namespace, out: Output) -> int:
    """`truestub-wallet answer`"""
    with opened(args, out) as wallet:
        ticket = find_ticket(wallet, args.ticket)
        shown = answer(ticket, wallet.seed, " ".join(args.digits), clock_for(args.at)())
        _put(out, ticket, shown, args.png)
    return exits.DONE


def clock_for(at: str | None) -> Callable[[], int]:
    """Unix seconds: this device's clock, or one that stands at `at`."""
    if at is None:
        return lambda: int(time.time())
    moment = _parsed(at)
    return lambda: moment


def objections(wallet: OpenedWallet, ticket: Ticket, now: int) -> list[str]:
    """What a gate may say to this ticket now, as far as can be known without asking anybody."""
    found = warnings(ticket, now)
    platform = wallet.store.get(Platform, ticket.event.platform_id.hex())
    if platform is not None and is_clock_wrong(platform.clock_ahead_seconds):
        found.append(clock_sentence(platform.clock_ahead_seconds))
    return found


def _chosen(wallet: OpenedWallet, meant: list[str]) -> list[Ticket]:
    if meant:
        return [find_ticket(wallet, one) for one in meant]
    tickets = sorted_tickets(wallet.store.all(Ticket))
    if not tickets:
        raise WalletError("no_such_ticket", _("There are no tickets in this wallet yet."))
    return tickets


def _put(out: Output, ticket: Ticket, shown: Shown, png: str | None) -> None:
    """One code, to where it was asked for."""
    if png is not None:
        replace(Path(png), draw.png(shown.digits), PICTURE_MODE)
        out.say(_("%(file)s shows the code of %(time)s.") % {"file": png, "time": _clock_text(shown.timestamp)})
    elif not out.as_json:
        out.say(draw.terminal(shown.digits))
        out.say(f"{ticket.class_code} {ticket.seat or ''} · {event_line(ticket.event)}")
    out.result(
        {
            "ticket_id": ticket.key,
            "kind": shown.kind.value,
            "text": shown.digits,
            "timestamp": shown.timestamp,
            "until": shown.until,
            "png": png,
        }
    )


def _repeat(
    args: Namespace, out: Output, wallet: OpenedWallet, ticket: Ticket, kind: Kind, clock: Callable[[], int]
) -> None:
    """A new code every 10 s until Ctrl-C, which is the way to end this."""
    try:
        while True:
            shown = present(ticket, wallet.seed, kind, clock())
            _put(out, ticket, shown, args.png)
            while shown.timestamp <= clock() < shown.until:
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _parsed(at: str) -> int:
    if at.isascii() and at.isdigit():
        return int(at)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise WalletError(
            "bad_time", _("%s is not a time. Write Unix seconds, or 2030-06-15T20:00:00Z.") % at
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _clock_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%H:%M:%S")

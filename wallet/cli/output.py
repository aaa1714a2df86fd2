"""What the command line says: sentences for people, or one JSON object for machines.

With `--json` standard output carries JSON alone, the last line being the result or `{"error": ...}`; sentences go to
standard error. Nothing secret is written but by the commands made for it (`init`, `phrase`, `receipt`).
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wallet.cli.exits import exit_code
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.records import EventFacts, Ticket


class Output:
    """Where sentences and results go."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, text: str = "") -> None:
        """A line that is part of the answer."""
        if not self.as_json:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def tell(self, text: str) -> None:
        """A line about what goes on."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def warn(self, text: str) -> None:
        self.tell(_("Careful: %s") % text)

    def result(self, value: dict[str, Any]) -> None:
        """The answer for machines."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def error(self, error: WalletError) -> int:
        """Say what went wrong; the exit code."""
        number = exit_code(error.code)
        self.tell(f"{error.sentence} [{error.code}]")
        about = {name: value for name, value in error.details.items() if value is not None}
        self.result({"error": {"code": error.code, "sentence": error.sentence, "exit": number, **about}})
        return number


def when(seconds: int, time_zone: str) -> str:
    """2030-06-15 20:00 in the event's own time zone."""
    try:
        zone: Any = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M %Z")


def ticket_line(number: int, ticket: Ticket) -> str:
    """One line about a ticket."""
    place = ticket.seat or _("no seat")
    parts = [ticket.event.name, ticket.class_code, place, when(ticket.event.starts_at, ticket.event.time_zone)]
    if ticket.giving is not None and ticket.giving.done:
        parts.append(_("given away"))
    elif ticket.superseded:
        parts.append(_("on another device now"))
    return f"{number:>3}  " + " · ".join(parts)


def ticket_json(ticket: Ticket) -> dict[str, Any]:
    """What machines may know of a ticket: nothing that shows it."""
    return {
        "ticket_id": str(ticket.id),
        "event": ticket.event.slug,
        "class": ticket.class_code,
        "seat": ticket.seat,
        "zone": ticket.zone,
        "token_id": ticket.token_id,
        "serial": ticket.serial,
        "binding_number": ticket.number,
        "state": ticket.state,
        "stage": ticket.stage,
        "tx_hash": ticket.tx_hash,
        "issuer": ticket.issuer,
        "not_before": ticket.not_before,
        "not_after": ticket.not_after,
        "superseded": ticket.superseded,
        "given_to": "0x" + ticket.giving.to.hex() if ticket.giving is not None else None,
    }


def event_line(event: EventFacts) -> str:
    """Name, place and time of an event."""
    return f"{event.name} · {event.venue} · {when(event.starts_at, event.time_zone)}"

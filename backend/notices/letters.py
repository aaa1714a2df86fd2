"""What subscribers are sent of an incident: subject, text, and the same as JSON. In the language set for the reader."""

from dataclasses import dataclass
from typing import Any

from backend.i18n import gettext as _
from backend.ops.incident_words import report_lines, still_works, title


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text, no markup."""

    subject: str
    text: str


def incident_letter(incident: dict[str, Any], what: str, public_url: str) -> Letter:
    """`incident` as `status.incident_view` gives it; `what` is the note's: opened, changed, said, closed, reported."""
    lines = [incident["sentence"], incident["said"] or ""]
    if what in ("closed", "reported"):
        subject = _("Over: %s") % title(incident["component"])
        lines += [_("All is well again."), *report_lines(incident["report"] or {})]
    elif incident["state"] == "planned":
        subject = _("Planned: %s") % title(incident["component"])
        lines += [f"{incident['opened_at']} .. {incident['until']}"]
    else:
        subject = title(incident["component"])
        lines += [incident["estimate"] or "", _("What still works"), *still_works(incident["component"])]
    page = f"/status/incidents/{incident['id']}" if incident["id"] is not None else "/status"
    lines += ["", public_url + page]
    return Letter(f"Truestub: {subject}", "\n".join(line for line in lines if line or line == ""))


def confirm_letter(link: str) -> Letter:
    """To the owner of an address that somebody gave us."""
    lines = [
        _("Somebody, probably you, asked us to tell this address when something is wrong with ticket sales."),
        _("If you want that, open this page and confirm:"),
        link,
        _("If not, do nothing: the address is forgotten in two days."),
    ]
    return Letter(_("Confirm your subscription"), "\n".join(lines))


def database_letter(sentence: str, public_url: str) -> Letter:
    """To the operators, while the database is away or takes nothing: `sentence` says which."""
    return Letter(f"Truestub: {title('database')}", f"{sentence}\n\n{public_url}/status")

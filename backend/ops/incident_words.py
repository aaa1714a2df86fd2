"""What is said of an incident: why, what still works, how long. In the reader's language."""

from collections.abc import Mapping
from typing import Any

from backend.i18n import gettext as _
from backend.i18n import language, ngettext
from backend.ops.estimate import FEW_SECONDS
from backend.ops.health_words import sentence

# The component whose words tell a group's trouble.
_TOLD_BY = {"chain": "minting", "database": "database", "restore": "sales"}


def title(component: str) -> str:
    """The name of a component or of a group of them."""
    names = {
        "sales": _("Sales"),
        "payments": _("Payments"),
        "amounts": _("Amounts paid"),
        "refunds": _("Refunds"),
        "signer": _("Codes for phones"),
        "minting": _("Entries on the chain"),
        "chain": _("Entries on the chain"),
        "index": _("Index of the chain"),
        "node": _("Chain node"),
        "gate_sync": _("News for gates"),
        "database": _("Database"),
        "disk": _("Disk"),
        "environment": _("Machine room"),
        "restore": _("Restore"),
    }
    return names.get(component, component.replace("_", " "))


def why(incident: Any) -> str:  # noqa: ANN401 - a row of incidents or of their notes, with `component`
    """The cause in a sentence, with a full stop."""
    text = sentence(_TOLD_BY.get(incident.component, incident.component), incident.cause, incident.facts)
    return ended(text)


def said(note: Any) -> str | None:  # noqa: ANN401 - a row of incident_notes
    """The operators' own words; the English ones where there are no others."""
    text: str | None = note.text_zh if language() == "zh" and note.text_zh else note.text_en
    return text


def what_happened(note: Any, component: str) -> str:  # noqa: ANN401 - a row of incident_notes
    """A line of a timeline."""
    text = said(note)
    if text:
        return text
    if note.what == "closed":
        return _("All is well again.")
    if note.what == "reported":
        return _("The report is written.")
    told = sentence(_TOLD_BY.get(component, component), note.cause, note.facts)
    return ended(told)


def still_works(component: str, *, sells: bool = True) -> list[str]:
    """What people can rely on meanwhile; `sells`: tickets can be sold."""
    if not sells:
        component = "database"
    tickets = _("Tickets in wallets and gates go on working.")
    safe = _("What was paid is safe.")
    match component:
        case "chain":
            return [_("Buying, showing and entering go on."), _("Paid tickets are minted by themselves afterwards.")]
        case "payments":
            return [_("Reservations go on."), safe, tickets]
        case "signer":
            return [_("Buying goes on; new codes follow by themselves."), tickets]
        case "gate_sync":
            return [_("Gates go on admitting by what they have."), _("Buying goes on.")]
        case "environment":
            return [_("Everything still works: this is a warning.")]
        case _:
            return [tickets, safe]


def until_when(facts: Mapping[str, Any]) -> str | None:
    """The estimate in words; none where there is none."""
    seconds = facts.get("eta_s")
    if not isinstance(seconds, int):
        return None
    if seconds <= FEW_SECONDS:
        return _("Done in a few seconds.") if facts.get("eta_ms") else _("Done a few seconds after the chain is back.")
    if facts.get("eta_ms"):
        return _("Done in about %s.") % span(seconds)
    return _("Done about %s after the chain is back.") % span(seconds)


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """A report in sentences."""
    if not report:
        return []
    orders, most = report["orders_meanwhile"], report.get("waited_at_most")
    lines = [
        _("It lasted %s.") % span(report["seconds"]),
        ngettext("%d order was paid meanwhile.", "%d orders were paid meanwhile.", orders) % orders,
    ]
    if isinstance(most, int):
        lines.append(ngettext("At most %d ticket waited.", "At most %d tickets waited.", most) % most)
    return [*lines, *_proof_lines(report)]


def _proof_lines(report: Mapping[str, Any]) -> list[str]:
    """Where the tickets are, and what the check found."""
    sold, minted, waiting = (report.get(name, 0) for name in ("tickets_meanwhile", "minted_meanwhile", "still_waiting"))
    count, compared = report["checked"].get("tickets", 0), report.get("compared_with_chain")
    lines = []
    if sold:
        text = ngettext(
            "%(sold)d ticket was sold meanwhile; with its one token on the chain: %(minted)d.",
            "%(sold)d tickets were sold meanwhile; with one token each on the chain: %(minted)d.",
            sold,
        )
        lines.append(text % {"sold": sold, "minted": minted})
    if waiting:
        text = ngettext(
            "%d ticket still waited to be minted when this was written.",
            "%d tickets still waited to be minted when this was written.",
            waiting,
        )
        lines.append(text % waiting)
    if compared is None:
        lines.append(_("The chain itself could not be asked when this was written."))
    elif compared:
        text = ngettext(
            "%d token was compared with the chain itself.", "%d tokens were compared with the chain itself.", compared
        )
        lines.append(text % compared)
    if report["problems"]:
        return [*lines, _("The check afterwards found something that an operator must look at.")]
    text = ngettext("Nothing was lost: %d ticket checked.", "Nothing was lost: %d tickets checked.", count)
    return [*lines, text % count]


def span(seconds: int) -> str:
    """A length of time, roughly."""
    if seconds < 90:
        return ngettext("%d second", "%d seconds", seconds) % seconds
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    hours = round(minutes / 60)
    return ngettext("%d hour", "%d hours", hours) % hours


def ended(text: str) -> str:
    """With the language's full stop, once."""
    full_stop = _(".")
    return text.rstrip(".").rstrip(full_stop) + full_stop

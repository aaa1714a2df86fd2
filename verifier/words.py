"""What the staff at a gate see for each verdict: word, colour, icon, why, and what to do next (SPEC 6.2)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from verifier.i18n import gettext, ngettext
from verifier.verdict import Code, Verdict

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


class Colour(StrEnum):
    GREEN = "green"  # let in
    AMBER = "amber"  # not yet: something can be done about it here
    RED = "red"  # do not let in


@dataclass(frozen=True, slots=True)
class Words:
    """`icon` is a name; whoever draws it chooses the picture. `sentence` says why, `advice` what to do next."""

    word: str
    colour: Colour
    icon: str
    sentence: str
    advice: str


def words_for(verdict: Verdict, now: int, language: str | None = None) -> Words:
    """The verdict in words. `now` is the gate's clock; `language` "en" or "zh", else the terminal's."""
    word, sentence, advice = _texts(language)[verdict.code]
    colour, icon = LOOKS[verdict.code]
    if verdict.moment is not None:
        sentence = _with_moment(verdict, now, language) or sentence
    if verdict.code is Code.OTHER_GATE and verdict.gate:
        advice = gettext("Send them to gate {gate}.", language).format(gate=verdict.gate)
    return Words(word, colour, icon, sentence, advice)


LOOKS: dict[Code, tuple[Colour, str]] = {
    Code.ADMIT: (Colour.GREEN, "check"),
    Code.MALFORMED: (Colour.AMBER, "question"),
    Code.UNSUPPORTED_VERSION: (Colour.AMBER, "update"),
    Code.UNKNOWN_KEY: (Colour.RED, "key"),
    Code.TRUST_EXPIRED: (Colour.AMBER, "sync"),
    Code.KEY_NOT_VALID: (Colour.RED, "key"),
    Code.FORGED: (Colour.RED, "cross"),
    Code.WRONG_EVENT: (Colour.RED, "calendar"),
    Code.WRONG_PLATFORM: (Colour.RED, "cross"),
    Code.SHOW_FULL: (Colour.AMBER, "expand"),
    Code.GATE_CLOCK: (Colour.AMBER, "clock"),
    Code.NOT_YET_VALID: (Colour.RED, "hourglass"),
    Code.EXPIRED: (Colour.RED, "hourglass"),
    Code.STALE: (Colour.AMBER, "clock"),
    Code.EARLY: (Colour.AMBER, "clock"),
    Code.WRONG_CHALLENGE: (Colour.AMBER, "digits"),
    Code.CHALLENGE_EXPIRED: (Colour.AMBER, "digits"),
    Code.UNKNOWN_TICKET: (Colour.RED, "question"),
    Code.REVOKED: (Colour.RED, "ban"),
    Code.SUSPENDED: (Colour.RED, "pause"),
    Code.SUPERSEDED: (Colour.RED, "swap"),
    Code.ALREADY_USED: (Colour.RED, "repeat"),
    Code.NOT_ENROLLED: (Colour.AMBER, "gate"),
    Code.OTHER_GATE: (Colour.AMBER, "gate"),
    Code.CUT_OFF: (Colour.AMBER, "gate"),
    Code.NO_DATA: (Colour.AMBER, "sync"),
    Code.NOT_RECORDED: (Colour.RED, "disk"),
}


def duration(seconds: int, language: str | None = None) -> str:
    """12 s, 5 min, 3 h, 2 days: rounded down, one unit."""
    if seconds < _MINUTE:
        return gettext("{n} s", language).format(n=max(seconds, 0))
    if seconds < _HOUR:
        return gettext("{n} min", language).format(n=seconds // _MINUTE)
    if seconds < _DAY:
        return gettext("{n} h", language).format(n=seconds // _HOUR)
    days = seconds // _DAY
    return ngettext("{n} day", "{n} days", days, language).format(n=days)


def clock_time(moment: int) -> str:
    """Local date and time of a moment."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _with_moment(verdict: Verdict, now: int, language: str | None) -> str | None:
    moment = verdict.moment or 0
    if verdict.code is Code.ALREADY_USED:
        sentence = gettext("This ticket was used at gate {gate}, {ago} ago.", language)
        return sentence.format(gate=verdict.gate, ago=duration(now - moment, language))
    if verdict.code is Code.NOT_YET_VALID:
        return gettext("This ticket is valid from {time}.", language).format(time=clock_time(moment))
    if verdict.code is Code.EXPIRED:
        return gettext("This ticket was valid until {time}.", language).format(time=clock_time(moment))
    return None


def _texts(language: str | None) -> dict[Code, tuple[str, str, str]]:
    def _(sentence: str) -> str:
        return gettext(sentence, language)

    return {
        Code.ADMIT: (_("Admit"), _("The ticket is genuine, current and unused."), _("Let them in.")),
        Code.MALFORMED: (
            _("Not a ticket"),
            _("This is not a whole code of ours."),
            _("Ask for the code in the wallet, at full brightness, and scan again."),
        ),
        Code.UNSUPPORTED_VERSION: (
            _("Newer code"),
            _("This code is of a version this gate does not know."),
            _("Update this gate's program. Until then send them to another gate."),
        ),
        Code.UNKNOWN_KEY: (
            _("Unknown issuer"),
            _("No key this gate trusts made this code."),
            _("Do not let them in. If it happens often, sync this gate."),
        ),
        Code.TRUST_EXPIRED: (
            _("Sync needed"),
            _("This gate's list of trusted keys has expired."),
            _("Sync this gate. Compact codes can still be checked."),
        ),
        Code.KEY_NOT_VALID: (
            _("Key withdrawn"),
            _("The key that made this code was withdrawn, or had no right to make it."),
            _("Send them to the help desk: they may need a new code."),
        ),
        Code.FORGED: (
            _("Forged"),
            _("A signature is wrong: this code was altered or made up."),
            _("Do not let them in. Call a supervisor."),
        ),
        Code.WRONG_EVENT: (
            _("Other event"),
            _("This ticket is for another event."),
            _("Ask for the ticket of this event."),
        ),
        Code.WRONG_PLATFORM: (
            _("Other platform"),
            _("This ticket belongs to another ticket platform."),
            _("Do not let them in. Ask for the ticket of this event."),
        ),
        Code.SHOW_FULL: (
            _("Show full code"),
            _("This gate can't check the small code of this ticket."),
            _('Ask them to tap "full" in the wallet, and scan again.'),
        ),
        Code.GATE_CLOCK: (
            _("Gate clock wrong"),
            _("This gate's clock is behind its own data."),
            _("Set this gate's clock. Until then let the wallet answer this gate's challenge."),
        ),
        Code.NOT_YET_VALID: (
            _("Too early"),
            _("This ticket is not valid yet."),
            _("Ask them to come back when it is valid."),
        ),
        Code.EXPIRED: (_("Expired"), _("This ticket is no longer valid."), _("Do not let them in.")),
        Code.STALE: (
            _("Old code"),
            _("This code is older than 30 seconds: a screenshot, or a phone whose clock is behind."),
            _("Ask for the live code in the wallet. If it stays old, use a challenge."),
        ),
        Code.EARLY: (
            _("Clock ahead"),
            _("This code comes from the future: the phone's clock is ahead."),
            _("Let the wallet answer this gate's challenge."),
        ),
        Code.WRONG_CHALLENGE: (
            _("Wrong answer"),
            _("This answers another challenge than the one on this gate's screen."),
            _("Start a new challenge and let them type its nine digits."),
        ),
        Code.CHALLENGE_EXPIRED: (
            _("Too slow"),
            _("The answer came more than 60 seconds after the challenge."),
            _("Start a new challenge and let them type its nine digits."),
        ),
        Code.UNKNOWN_TICKET: (
            _("Unknown ticket"),
            _("The platform's list has no such ticket, and should have."),
            _("Sync this gate and scan again, or send them to the help desk."),
        ),
        Code.REVOKED: (
            _("Revoked"),
            _("This ticket was refunded or withdrawn."),
            _("Do not let them in. The help desk can say why."),
        ),
        Code.SUSPENDED: (
            _("Suspended"),
            _("This ticket is suspended until a question about it is settled."),
            _("Send them to the help desk."),
        ),
        Code.SUPERSEDED: (
            _("Replaced"),
            _("There is a newer code for this ticket: it was passed on, or moved to another phone."),
            _("Ask for the newest code. Only its holder can enter."),
        ),
        Code.ALREADY_USED: (
            _("Used"),
            _("The platform says this ticket was used already."),
            _("Do not let them in. Call a supervisor."),
        ),
        Code.NOT_ENROLLED: (
            _("Gate not enrolled"),
            _("The ticket is good, but this gate is not enrolled for this event."),
            _("Send them to an enrolled gate. Enrol this one, then sync it."),
        ),
        Code.OTHER_GATE: (
            _("Other gate"),
            _("The ticket is good, but while cut off this gate may not admit it."),
            _("Send them to another gate."),
        ),
        Code.CUT_OFF: (
            _("Cut off"),
            _("The ticket is good, but while cut off from the others this gate may admit nobody."),
            _("Connect this gate, or send them to one that is connected."),
        ),
        Code.NO_DATA: (
            _("Sync needed"),
            _("This gate has no valid data for its event."),
            _("Sync this gate before doors open."),
        ),
        Code.NOT_RECORDED: (
            _("Not recorded"),
            _("The admission could not be written to this gate's disk, so it does not count."),
            _("Do not let them in here. Free some space or use another gate, then scan again."),
        ),
    }

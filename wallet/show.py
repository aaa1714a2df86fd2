"""What a ticket shows at a given second: full codes, compact codes, answers. Pure; the clock comes from outside."""

from dataclasses import dataclass
from enum import StrEnum

from credential.codes import MAX_EVENT_INDEX, answer_challenge, present_compact, present_full
from credential.digits import to_digits
from credential.ids import MAX_COMPACT_TOKEN_ID
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.keys import device_key
from wallet.records import Ticket

ROTATE_SECONDS = 10  # a new code this often (SPEC 3.2)
ANSWER_SECONDS = 60  # how long a gate waits for an answer (SPEC 3.4)
CLOCK_WARNING_SECONDS = 5
MAX_TIMESTAMP = (1 << 32) - 1
CHALLENGE_DIGITS = 9


class Kind(StrEnum):
    """FULL is admitted by a gate that has never heard of the ticket; COMPACT needs a gate whose bundle lists it."""

    FULL = "full"
    COMPACT = "compact"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Shown:
    """A code and the Unix second it says it was made at; show another from `until` on."""

    kind: Kind
    digits: str
    timestamp: int
    until: int


def present(ticket: Ticket, seed: bytes, kind: Kind, now: int) -> Shown:
    """The full or compact code of a ticket at `now`, Unix seconds."""
    moment = _checked(ticket, now)
    key = device_key(seed, ticket.event.tag, ticket.token_id, ticket.number)
    if kind is Kind.FULL:
        payload = present_full(ticket.credential, moment, key)
    elif ticket.event.index <= MAX_EVENT_INDEX and ticket.token_id <= MAX_COMPACT_TOKEN_ID:
        event = ticket.event
        payload = present_compact(event.index, event.tag, ticket.token_id, ticket.serial, moment, key)
    else:
        raise WalletError("no_compact_code", _("This ticket has no compact code. Show the full one."))
    return Shown(kind, to_digits(payload), moment, moment + ROTATE_SECONDS)


def answer(ticket: Ticket, seed: bytes, typed: str, now: int) -> Shown:
    """The answer to the nine digits that a gate shows; spaces and hyphens between them don't matter."""
    digits = typed.replace(" ", "").replace("-", "")
    if len(digits) != CHALLENGE_DIGITS or not (digits.isascii() and digits.isdigit()) or digits.startswith("000"):
        raise WalletError(
            "bad_challenge", _("A gate's challenge has nine digits, like 017 123456. Type what the gate shows.")
        )
    gate_number, challenge = int(digits[:3]), int(digits[3:])
    moment = _checked(ticket, now)
    key = device_key(seed, ticket.event.tag, ticket.token_id, ticket.number)
    payload = answer_challenge(ticket.credential, gate_number, challenge, moment, key)
    return Shown(Kind.ANSWER, to_digits(payload), moment, moment + ANSWER_SECONDS)


def warnings(ticket: Ticket, now: int) -> list[str]:
    """What a gate may object to, in sentences for the ticket's holder."""
    found = []
    if ticket.giving is not None:
        found.append(_("You began to give this ticket away. Run: truestub-wallet resume"))
    if ticket.superseded:
        found.append(_("Another device has this ticket now; a gate will refuse this code."))
    if ticket.state != "valid":
        found.append(_("The platform no longer honours this ticket (%s); a gate will refuse it.") % ticket.state)
    if now < ticket.stored_at:
        found.append(
            _(
                "This device's clock is at least %s behind: it shows a time before this ticket came. Set it, or a gate "
                "will refuse the code."
            )
            % duration(ticket.stored_at - now)
        )
    elif now < ticket.not_before:
        found.append(_("Gates take this ticket from %s from now on.") % duration(ticket.not_before - now))
    if now >= ticket.not_after:
        found.append(_("This ticket is over: its time ended %s ago.") % duration(now - ticket.not_after))
    return found


def is_clock_wrong(ahead_seconds: float) -> bool:
    """A gate takes codes 30 s old or 10 s early: say so well before that."""
    return abs(ahead_seconds) >= CLOCK_WARNING_SECONDS


def clock_sentence(ahead_seconds: int) -> str:
    """How wrong this device's clock is, which way, and what to do."""
    sentence = (
        _("This device's clock is %s ahead of the platform's. Set it, or gates will refuse your codes.")
        if ahead_seconds > 0
        else _("This device's clock is %s behind the platform's. Set it, or gates will refuse your codes.")
    )
    return sentence % duration(abs(ahead_seconds))


def duration(seconds: int) -> str:
    """Two units at most, rounded down: 3 d 4 h, 12 min 5 s, 40 s."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    return _("%d s") % rest


def _checked(ticket: Ticket, now: int) -> int:
    if ticket.giving is not None and ticket.giving.done:
        raise WalletError("given_away", _("You gave this ticket away; it is somebody else's now."))
    if not 0 <= now <= MAX_TIMESTAMP:
        raise WalletError("bad_time", _("A code's time must be between 1970 and 2106. Set this device's clock."))
    return now

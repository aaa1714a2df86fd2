"""How a gate stands: how old its data is, what it keeps to itself, and what that risks, in words."""

from dataclasses import dataclass

from credential.bundle import Bundle, OfflinePolicy
from credential.keylist import KeyList
from verifier.i18n import gettext as _
from verifier.i18n import ngettext
from verifier.steps import MAX_AHEAD_SECONDS
from verifier.words import duration

OLD_DATA_SECONDS = 15 * 60  # on an event's day
EXPIRES_SOON_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Status:
    """`data_age_seconds` and `index_age_seconds` are None while there is no bundle. `risks` are sentences."""

    ready: bool
    event_name: str | None
    bundle_version: int | None
    key_list_version: int | None
    data_age_seconds: int | None
    index_age_seconds: int | None
    admitted: int
    unsynced: int
    problem: str | None
    risks: tuple[str, ...]


def log_shortened() -> str:
    """What to do about a log whose end is gone."""
    return _(
        "The admission log is shorter than it was: people who were let in before may be let in again. "
        "Tell the operator, and use another gate if you can."
    )


def status_of(
    key_list: KeyList | None,
    bundle: Bundle | None,
    problem: str | None,
    gate_number: int,
    admitted: int,
    now: int,
    shortened: bool = False,
) -> Status:
    """Pure. `admitted` counts the log's admissions; the platform does not collect them yet, so all are unsynced."""
    return Status(
        ready=bundle is not None,
        event_name=bundle.event_name if bundle else None,
        bundle_version=bundle.version if bundle else None,
        key_list_version=key_list.version if key_list else None,
        data_age_seconds=max(0, now - bundle.rows_through) if bundle else None,
        index_age_seconds=max(0, now - bundle.index_through) if bundle else None,
        admitted=admitted,
        unsynced=admitted,
        problem=problem,
        risks=(
            *([log_shortened()] if shortened else []),
            *_risks(key_list, bundle, problem, gate_number, admitted, now),
        ),
    )


def _risks(
    key_list: KeyList | None, bundle: Bundle | None, problem: str | None, gate_number: int, admitted: int, now: int
) -> list[str]:
    risks: list[str] = []
    if key_list is None or bundle is None:
        risks.append(_("There is no valid data for the event: this gate can admit nobody. Sync it."))
    if problem not in {None, "none_yet"}:
        risks.append(_("What is on this gate's disk was refused ({reason}). Sync it.").format(reason=problem))
    if key_list is not None:
        risks += _key_list_risks(key_list, now)
    if bundle is not None:
        risks += _bundle_risks(bundle, gate_number, now)
    if admitted:
        risks.append(
            ngettext(
                "{n} admission is known to this gate alone: a copy of that ticket could enter at another one.",
                "{n} admissions are known to this gate alone: copies of those tickets could enter at another one.",
                admitted,
            ).format(n=admitted)
        )
    return risks


def _key_list_risks(key_list: KeyList, now: int) -> list[str]:
    left = key_list.expires - now
    if left <= 0:
        return [_("The list of trusted keys has expired: only compact codes can be checked. Sync this gate.")]
    if left < EXPIRES_SOON_SECONDS:
        return [_("The list of trusted keys expires in {time}. Sync this gate before.").format(time=duration(left))]
    return []


def _bundle_risks(bundle: Bundle, gate_number: int, now: int) -> list[str]:
    risks: list[str] = []
    age = now - bundle.rows_through
    if now + MAX_AHEAD_SECONDS < bundle.issued_at:
        risks.append(_("This gate's clock is behind its data: only answers to a challenge are taken. Set the clock."))
    elif age > OLD_DATA_SECONDS:
        risks.append(
            _(
                "The data is {age} old: a ticket moved, refunded or revoked since then may enter with its old code."
            ).format(age=duration(age))
        )
    if all(gate.number != gate_number for gate in bundle.gates):
        risks.append(_("This gate is not enrolled for the event: it can admit nobody. Enrol it, then sync it."))
    elif len(bundle.gates) > 1:
        risks.append(_policy_risks()[bundle.offline_policy])
    return risks


def _policy_risks() -> dict[OfflinePolicy, str]:
    return {
        OfflinePolicy.LOCAL: _("This gate works alone: a ticket used at another gate is not known here."),
        OfflinePolicy.HOME: _("This gate works alone: it admits its own share of the tickets and sends on the others."),
        OfflinePolicy.REFUSE: _("This gate works alone, and the event's policy lets such a gate admit nobody."),
    }

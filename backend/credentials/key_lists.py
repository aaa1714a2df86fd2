"""What the next key list says. Pure; the roots sign it elsewhere (SPEC 5.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from credential.ids import key_id
from credential.keylist import KeyEntry, KeyList, Reason, Role

LIST_DAYS = 30  # a list is good for so long: gates that miss all renewals stop admitting by full codes
RENEW_BELOW_DAYS = 20  # a list with less left is replaced even if nothing changed
KEPT_AFTER_EVENT_DAYS = 30  # refunds, disputes and late log merges still verify
ROTATION_GRACE_SECONDS = 300  # what the old key signs while the new list goes round still holds
_DAY = 86400


@dataclass(frozen=True, slots=True)
class EventKey:
    """A key of an event, as the database knows it. Times in Unix seconds."""

    public_key: bytes
    role: Role
    event_tag: bytes
    created: int
    event_ends: int


@dataclass(frozen=True, slots=True)
class Roots:
    """Who signs: public keys, and how many of them it takes."""

    threshold: int
    public_keys: tuple[bytes, ...]


def next_key_list(
    previous: KeyList | None, platform_id: bytes, roots: Roots, keys: Iterable[EventKey], now: int
) -> KeyList:
    """The list that follows `previous`: its entries that still matter, and those of `keys` it does not have yet."""
    kept = {entry.public_key: entry for entry in (previous.entries if previous else ()) if entry.not_after > now}
    for key in keys:
        not_after = max(key.event_ends, key.created) + KEPT_AFTER_EVENT_DAYS * _DAY
        if key.public_key not in kept and not_after > now:
            kept[key.public_key] = KeyEntry(key.public_key, key.role, key.event_tag, key.created, not_after)
    return KeyList(
        platform_id=platform_id,
        version=previous.version + 1 if previous else 1,
        issued=now,
        expires=now + LIST_DAYS * _DAY,
        threshold=roots.threshold,
        root_keys=tuple(sorted(roots.public_keys, key=key_id)),
        entries=_in_order(kept.values()),
    )


def with_revoked(key_list: KeyList, revoked: KeyEntry, reason: Reason, now: int) -> KeyList:
    """The list with one key revoked: a rotated one from a little later on, a compromised one from the beginning."""
    at = now + ROTATION_GRACE_SECONDS if reason is Reason.ROTATED else now
    entries = [replace(one, revoked_at=at, reason=reason) if one == revoked else one for one in key_list.entries]
    return replace(key_list, entries=_in_order(entries))


def says_the_same(previous: KeyList | None, following: KeyList, now: int) -> bool:
    """True if gates would learn nothing from `following`, and `previous` is good for a while."""
    if previous is None or previous.expires - now < RENEW_BELOW_DAYS * _DAY:
        return False
    dated = replace(following, version=previous.version, issued=previous.issued, expires=previous.expires)
    return dated == previous


def find_entry(key_list: KeyList, wanted: bytes) -> KeyEntry | None:
    """The entry with this 4-byte key id."""
    return next((entry for entry in key_list.entries if entry.key_id == wanted), None)


def _in_order(entries: Iterable[KeyEntry]) -> tuple[KeyEntry, ...]:
    ordered: Sequence[KeyEntry] = sorted(entries, key=lambda entry: entry.key_id)
    return tuple(ordered)

"""Which keys to trust, in the words of the offline roots (SPEC 5.1).

TUF's rules, cut to what a gate needs: a threshold of root keys signs; the version only grows; lists expire; new roots
are named by a list that the old ones signed too.

Evolution: the fourth byte is the format's version. A reader refuses versions it does not know; a root keeps signing the
old format beside the new one until every gate reads the new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from nacl.signing import SigningKey

from credential import domains
from credential.ids import EVENT_TAG_BYTES, KEY_ID_BYTES, PLATFORM_ID_BYTES, key_id
from credential.results import Malformed, Untrusted
from credential.signing import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, is_valid_holder_key, public_key_of, sign, verify
from credential.wire import Reader, WireError, exact, uint

MAGIC = b"TSK\0"
MAX_KEY_LIST_BYTES = 1 << 20
_NO_SCOPE = bytes(EVENT_TAG_BYTES)


class Role(IntEnum):
    """What a key may sign."""

    ISSUING = 1  # credentials
    BUNDLE = 2  # bundles
    GATE = 3  # a gate's own statements


class Reason(IntEnum):
    """Why a key was revoked."""

    NONE = 0
    ROTATED = 1  # what it signed before `revoked_at` holds
    COMPROMISED = 2  # nothing it ever signed holds


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key that may sign. Times are Unix seconds; `revoked_at` 0 means not revoked, and goes with `Reason.NONE`.

    `event_tag` None means every event of the platform.
    """

    public_key: bytes  # 32
    role: Role
    event_tag: bytes | None
    not_before: int
    not_after: int
    revoked_at: int = 0
    reason: Reason = Reason.NONE

    @property
    def key_id(self) -> bytes:
        return key_id(self.public_key)

    def may_sign_at(self, signed_at: int) -> bool:
        """True if something this key says it signed at `signed_at` holds."""
        if self.reason is Reason.COMPROMISED:
            return False
        if self.reason is Reason.ROTATED and signed_at > self.revoked_at:
            return False
        return self.not_before <= signed_at < self.not_after

    def covers(self, event_tag: bytes) -> bool:
        return self.event_tag in (None, event_tag)


@dataclass(frozen=True, slots=True)
class KeyList:
    """`root_keys` and `threshold` say who signs this list and the next one. Order of keys and entries is free here."""

    platform_id: bytes  # 16
    version: int
    issued: int
    expires: int
    threshold: int
    root_keys: tuple[bytes, ...]
    entries: tuple[KeyEntry, ...]

    def find(self, wanted: bytes, role: Role) -> KeyEntry | None:
        """The entry with this 4-byte key id and role."""
        return next((entry for entry in self.entries if entry.key_id == wanted and entry.role is role), None)


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """What a gate is given by hand when it is set up."""

    platform_id: bytes  # 16
    threshold: int
    root_keys: tuple[bytes, ...]


def sign_key_list(key_list: KeyList, root_keys: Sequence[SigningKey]) -> bytes:
    """The list's encoding followed by one signature of each given root. `ValueError` if a field does not fit."""
    encoded = encode_key_list(key_list)
    signers = sorted(root_keys, key=lambda root: key_id(public_key_of(root)))
    parts = [encoded, uint(len(signers), 1, "number of signatures")]
    for root in signers:
        parts += [key_id(public_key_of(root)), sign(domains.KEY_LIST, encoded, root)]
    return b"".join(parts)


def verify_key_list(
    data: bytes, trusted: TrustRoot | KeyList, now: int, seen_version: int = 0
) -> KeyList | Malformed | Untrusted:
    """The list, if the roots known so far and its own roots both signed it, and it is neither older nor expired.

    `trusted` is the list in force, or the trust root of a new gate; `seen_version` the highest version ever accepted
    (the high-water mark on disk).
    """
    decoded = decode_key_list(data)
    if isinstance(decoded, Malformed):
        return decoded
    key_list, encoded, signatures = decoded
    if key_list.platform_id != trusted.platform_id:
        return Untrusted("other_platform")
    for roots, threshold in ((trusted.root_keys, trusted.threshold), (key_list.root_keys, key_list.threshold)):
        if _signers(encoded, signatures, roots) < threshold:
            return Untrusted("not_enough_root_signatures")
    if isinstance(trusted, KeyList) and key_list.version == trusted.version and encoded != encode_key_list(trusted):
        return Untrusted("same_version_other_content")
    return _in_time(key_list, now, seen_version)


def encode_key_list(key_list: KeyList) -> bytes:
    """What the roots sign. Keys and entries are put in ascending order of their key ids."""
    _check(key_list)
    parts = [
        MAGIC,
        exact(key_list.platform_id, PLATFORM_ID_BYTES, "platform_id"),
        uint(key_list.version, 4, "version"),
        uint(key_list.issued, 4, "issued"),
        uint(key_list.expires, 4, "expires"),
        uint(key_list.threshold, 1, "threshold"),
        uint(len(key_list.root_keys), 1, "number of root keys"),
        *(exact(root, PUBLIC_KEY_BYTES, "root key") for root in sorted(key_list.root_keys, key=key_id)),
        uint(len(key_list.entries), 2, "number of entries"),
        *(_encode_entry(entry) for entry in sorted(key_list.entries, key=lambda entry: entry.key_id)),
    ]
    return b"".join(parts)


def decode_key_list(data: bytes) -> tuple[KeyList, bytes, tuple[tuple[bytes, bytes], ...]] | Malformed:
    """The list, the bytes that were signed, and (key id, signature) pairs; nothing verified."""
    if len(data) > MAX_KEY_LIST_BYTES:
        return Malformed("too_long")
    reader = Reader(data)
    try:
        if reader.take(4) != MAGIC:
            return Malformed("not_a_key_list")
        key_list = _read(reader)
        encoded = data[: reader.at]
        signatures = tuple((reader.take(KEY_ID_BYTES), reader.take(SIGNATURE_BYTES)) for _ in range(reader.uint(1)))
        reader.end()
    except WireError as error:
        return Malformed(error.reason)
    if not _is_ascending([signer for signer, _ in signatures]):
        return Malformed("not_in_order")
    return key_list, encoded, signatures


def _read(reader: Reader) -> KeyList:
    platform_id = reader.take(PLATFORM_ID_BYTES)
    version, issued, expires, threshold = (reader.uint(size) for size in (4, 4, 4, 1))
    root_keys = tuple(reader.take(PUBLIC_KEY_BYTES) for _ in range(reader.uint(1)))
    entries = tuple(_read_entry(reader) for _ in range(reader.uint(2)))
    key_list = KeyList(platform_id, version, issued, expires, threshold, root_keys, entries)
    if not _is_ascending([key_id(root) for root in root_keys]):
        raise WireError("not_in_order")
    if not _is_ascending([entry.key_id for entry in entries]):
        raise WireError("not_in_order")
    try:
        _check(key_list)
    except ValueError:
        raise WireError("bad_value") from None
    return key_list


def _check(key_list: KeyList) -> None:
    if not 1 <= key_list.threshold <= len(key_list.root_keys):
        raise ValueError("threshold must be between 1 and the number of root keys")
    if key_list.version < 1 or key_list.expires <= key_list.issued:
        raise ValueError("version starts at 1, and a list expires after it was issued")
    ids = [key_id(root) for root in key_list.root_keys] + [entry.key_id for entry in key_list.entries]
    if len(set(ids)) != len(ids):
        raise ValueError("two keys of the list have the same key id")
    for key in (*key_list.root_keys, *(entry.public_key for entry in key_list.entries)):
        if not is_valid_holder_key(key):
            raise ValueError("a key is not a point of the prime-order group")
    for entry in key_list.entries:
        if (entry.reason is Reason.NONE) != (entry.revoked_at == 0):
            raise ValueError("revoked_at and reason go together")
        if entry.event_tag == _NO_SCOPE or entry.not_after <= entry.not_before:
            raise ValueError("an event tag is not all zeros, and a key's validity ends after it begins")


def _encode_entry(entry: KeyEntry) -> bytes:
    scope = _NO_SCOPE if entry.event_tag is None else exact(entry.event_tag, EVENT_TAG_BYTES, "event_tag")
    return b"".join(
        (
            exact(entry.public_key, PUBLIC_KEY_BYTES, "public_key"),
            uint(entry.role, 1, "role"),
            scope,
            uint(entry.not_before, 4, "not_before"),
            uint(entry.not_after, 4, "not_after"),
            uint(entry.revoked_at, 4, "revoked_at"),
            uint(entry.reason, 1, "reason"),
        )
    )


def _read_entry(reader: Reader) -> KeyEntry:
    public_key = reader.take(PUBLIC_KEY_BYTES)
    role, scope = reader.uint(1), reader.take(EVENT_TAG_BYTES)
    not_before, not_after, revoked_at, reason = (reader.uint(size) for size in (4, 4, 4, 1))
    if role not in set(Role) or reason not in set(Reason):
        raise WireError("bad_value")
    event_tag = None if scope == _NO_SCOPE else scope
    return KeyEntry(public_key, Role(role), event_tag, not_before, not_after, revoked_at, Reason(reason))


def _is_ascending(values: list[bytes]) -> bool:
    return all(before < after for before, after in pairwise(values))


def _in_time(key_list: KeyList, now: int, seen_version: int) -> KeyList | Untrusted:
    if key_list.version < seen_version:
        return Untrusted("older_version")
    return Untrusted("expired") if now >= key_list.expires else key_list


def _signers(encoded: bytes, signatures: tuple[tuple[bytes, bytes], ...], roots: tuple[bytes, ...]) -> int:
    """How many of the roots have a good signature; each counts once, since key ids are unique."""
    known = {key_id(root): root for root in roots}
    return sum(
        signer in known and verify(domains.KEY_LIST, encoded, signature, known[signer])
        for signer, signature in signatures
    )

"""The seeded world the vectors live in: keys, key lists and bundles. Everything follows from SEED."""

import hashlib
import uuid
from dataclasses import replace

from nacl.signing import SigningKey

from credential.body import Body
from credential.bundle import (
    Batch,
    Bundle,
    Gate,
    OfflinePolicy,
    Status,
    Ticket,
    TicketClass,
    Tickets,
    Zone,
    key_list_digest,
    sign_bundle,
)
from credential.ids import event_tag, key_id, token_id
from credential.keylist import KeyEntry, KeyList, Reason, Role, TrustRoot, sign_key_list
from credential.signing import public_key_of, sign_credential

SEED = "truestub vectors 0"
NOW = 1_900_000_000  # 2030-03-17
HOUR = 3600
DAY = 24 * HOUR

ISSUED = NOW - DAY
ROWS_THROUGH = NOW - HOUR
EVENT_INDEX = 5
GATE = 2

FIRST = token_id(1, 0)  # valid, serial 1, key of alice
SECOND = token_id(1, 1)  # valid, serial 3, key of bob
KEYLESS = token_id(1, 2)  # valid, serial 1, no holder key listed
UNISSUED = token_id(1, 3)  # valid, no credential yet
REDEEMED, REVOKED, SUSPENDED = (token_id(2, index) for index in range(3))  # serial 1, keys of alice
LATER = token_id(3, 0)  # of a batch closed after the bundle was made

PLATFORM, OTHER_PLATFORM = (hashlib.sha256(f"{SEED}/{name}".encode()).digest()[:16] for name in ("home", "elsewhere"))
EVENT, OTHER_EVENT = (uuid.UUID(int=number) for number in (0xA, 0xB))
TAG, OTHER_TAG = event_tag(PLATFORM, EVENT), event_tag(PLATFORM, OTHER_EVENT)
FOREIGN_TAG = event_tag(OTHER_PLATFORM, EVENT)


def key(label: str) -> SigningKey:
    """The signing key of this label: its seed is SHA-256(SEED/key/label)."""
    return SigningKey(hashlib.sha256(f"{SEED}/key/{label}".encode()).digest())


def public(label: str) -> bytes:
    return public_key_of(key(label))


ROOTS = ("root 1", "root 2", "root 3")
LABELS: tuple[str, ...] = (*ROOTS, "bundle", "bundle b", "gate 1", "gate 2", "gate 3", "alice", "bob", "mallory")
LABELS += ("issuer", "issuer b", "issuer any", "issuer rotated", "issuer stolen", "issuer young", "issuer old")
LABELS += ("issuer unknown",)

TRUST_ROOT = TrustRoot(PLATFORM, 2, tuple(public(root) for root in ROOTS))


def _entry(
    label: str, role: Role, tag: bytes | None, start: int = NOW - 30 * DAY, end: int = NOW + 30 * DAY
) -> KeyEntry:
    return KeyEntry(public(label), role, tag, start, end)


KEY_LIST = KeyList(
    platform_id=PLATFORM,
    version=7,
    issued=NOW - 2 * DAY,
    expires=NOW + 30 * DAY,
    threshold=2,
    root_keys=TRUST_ROOT.root_keys,
    entries=(
        _entry("issuer", Role.ISSUING, TAG),
        _entry("issuer b", Role.ISSUING, OTHER_TAG),
        _entry("issuer any", Role.ISSUING, None),
        replace(_entry("issuer rotated", Role.ISSUING, TAG), revoked_at=ISSUED, reason=Reason.ROTATED),
        replace(_entry("issuer stolen", Role.ISSUING, TAG), revoked_at=NOW - HOUR, reason=Reason.COMPROMISED),
        _entry("issuer young", Role.ISSUING, TAG, start=ISSUED + 1),
        _entry("issuer old", Role.ISSUING, TAG, end=ISSUED),
        _entry("bundle", Role.BUNDLE, TAG),
        _entry("bundle b", Role.BUNDLE, OTHER_TAG),
        _entry("gate 1", Role.GATE, TAG),
    ),
)
KEY_LISTS = {"main": KEY_LIST, "expired": replace(KEY_LIST, expires=NOW)}

GATES = tuple(Gate(number, f"Gate {number}", public(f"gate {number}")) for number in (1, 2, 3))
_ROWS = (
    Ticket(serial=1, holder_key=public("alice"), zone=1, seat=11),
    Ticket(serial=3, holder_key=public("bob"), zone=1, seat=12),
    Ticket(serial=1, zone=1, seat=13),
    Ticket(),
    *(
        Ticket(status=status, serial=1, holder_key=public("alice"))
        for status in (Status.REDEEMED, Status.REVOKED, Status.SUSPENDED)
    ),
)

BUNDLE = Bundle(
    event_tag=TAG,
    event_id=EVENT,
    event_index=EVENT_INDEX,
    event_name="The Tempest",
    chain_id=31337,
    contract=bytes(range(20)),
    version=12,
    issued_at=ROWS_THROUGH + 5,
    rows_through=ROWS_THROUGH,
    index_through=ROWS_THROUGH - 60,
    freeze=0,
    doors=NOW - 2 * HOUR,
    ends=NOW + 2 * HOUR,
    offline_policy=OfflinePolicy.LOCAL,
    key_list_version=7,
    key_list_digest=key_list_digest(KEY_LIST),
    classes=(
        TicketClass(1, "Stalls", NOW - 2 * HOUR, NOW + 2 * HOUR),
        TicketClass(2, "Balcony", NOW - 2 * HOUR, NOW + 2 * HOUR),
    ),
    zones=(Zone(1, "Left"),),
    gates=GATES,
    batches=(Batch(4, 1), Batch(3, 2)),
    tickets=Tickets.of(_ROWS),
)
_LATE_CLASS = replace(BUNDLE.classes[0], opens=NOW + 1)
_PAST_CLASS = replace(BUNDLE.classes[0], closes=NOW)
BUNDLES = {
    "main": BUNDLE,
    "refuse": replace(BUNDLE, offline_policy=OfflinePolicy.REFUSE),
    "home": replace(BUNDLE, offline_policy=OfflinePolicy.HOME),
    "refuse, one gate": replace(BUNDLE, offline_policy=OfflinePolicy.REFUSE, gates=GATES[1:2]),
    "class opens later": replace(BUNDLE, classes=(_LATE_CLASS, BUNDLE.classes[1])),
    "class is over": replace(BUNDLE, classes=(_PAST_CLASS, BUNDLE.classes[1])),
}
# The list of the bundle above is the unexpired one; only its own digest differs, so the expired one has its own bundle.
EXPIRED_BUNDLE = replace(BUNDLE, key_list_digest=key_list_digest(KEY_LISTS["expired"]))


def signed_key_lists() -> dict[str, bytes]:
    return {name: sign_key_list(one, [key(root) for root in ROOTS[:2]]) for name, one in KEY_LISTS.items()}


def signed_bundles() -> dict[str, bytes]:
    named = {**BUNDLES, "expired list": EXPIRED_BUNDLE}
    return {name: sign_bundle(one, key("bundle")) for name, one in named.items()}


def body(label: str = "alice", issuer: str = "issuer", **changes: object) -> Body:
    """The body of a good credential of the first ticket, with changes."""
    good = Body(
        version=0,
        key_id=key_id(public(issuer)),
        event_tag=TAG,
        token_id=FIRST,
        serial=1,
        class_number=1,
        zone=1,
        seat=11,
        flags=0,
        not_before=NOW - 2 * HOUR,
        lifetime_minutes=240,
        issued_at=ISSUED,
        holder_key=public(label),
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # the fields' own types, by name


def credential(label: str = "alice", issuer: str = "issuer", **changes: object) -> bytes:
    return sign_credential(body(label, issuer, **changes), key(issuer))

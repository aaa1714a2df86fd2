"""What a gate must know of an event to decide without a network (SPEC 5.2): signed, and verified before use.

A bundle is a snapshot signed by the event's bundle key. A delta (`credential.delta`) carries the difference to the next
snapshot *and that snapshot's signature*, so that there is only one kind of thing to trust.

    bundle = Bundle(event_tag=..., tickets=Tickets.of(Ticket(status=Status.VALID, serial=1, ...) for row in rows), ...)
    snapshot = sign_bundle(bundle, bundle_key)         # what GET /api/v1/events/{id}/bundle answers
    verify_bundle(snapshot, key_list)                  # the same Bundle, or Malformed, or Untrusted
"""

import hashlib

from nacl.signing import SigningKey

from credential import domains
from credential.bundle_codec import MAX_BUNDLE_BYTES, TRAILER_BYTES, decode_bundle, encode_bundle
from credential.bundle_fields import Batch, Bundle, Gate, OfflinePolicy, TicketClass, Zone
from credential.ids import KEY_ID_BYTES, event_tag, key_id
from credential.keylist import KeyList, Role, encode_key_list
from credential.results import Malformed, Untrusted
from credential.signing import public_key_of, sign, verify
from credential.tickets import Status, Ticket, Tickets

__all__ = [
    "MAX_BUNDLE_BYTES",
    "Batch",
    "Bundle",
    "Gate",
    "OfflinePolicy",
    "Status",
    "Ticket",
    "TicketClass",
    "Tickets",
    "Zone",
    "decode_bundle",
    "encode_bundle",
    "key_list_digest",
    "sign_bundle",
    "verify_bundle",
]


def key_list_digest(key_list: KeyList) -> bytes:
    """SHA-256 of what the roots signed: goes into `Bundle.key_list_digest`."""
    return hashlib.sha256(encode_key_list(key_list)).digest()


def sign_bundle(bundle: Bundle, bundle_key: SigningKey) -> bytes:
    """The snapshot a gate downloads: encoding, key id 4, signature 64. `ValueError` if a field does not fit."""
    encoded = encode_bundle(bundle)
    signature = sign(domains.BUNDLE, hashlib.sha256(encoded).digest(), bundle_key)
    return encoded + key_id(public_key_of(bundle_key)) + signature


def verify_bundle(data: bytes, key_list: KeyList, seen_version: int = 0) -> Bundle | Malformed | Untrusted:
    """The bundle, if a bundle key of the list signed it for its event and it is not older than `seen_version`."""
    bundle = decode_bundle(data)
    if isinstance(bundle, Malformed):
        return bundle
    reason = _why_untrusted(data, bundle, key_list)
    if reason is None and bundle.version < seen_version:
        reason = "older_version"
    return bundle if reason is None else Untrusted(reason)


def _why_untrusted(data: bytes, bundle: Bundle, key_list: KeyList) -> str | None:
    """A code of SPEC 5.4, or None."""
    if bundle.event_tag != event_tag(key_list.platform_id, bundle.event_id):
        return "other_platform"
    if key_list.version < bundle.key_list_version:
        return "needs_newer_key_list"
    if key_list.version == bundle.key_list_version and key_list_digest(key_list) != bundle.key_list_digest:
        return "other_key_list"
    encoded, trailer = data[:-TRAILER_BYTES], data[-TRAILER_BYTES:]
    entry = key_list.find(trailer[:KEY_ID_BYTES], Role.BUNDLE)
    if entry is None or not entry.covers(bundle.event_tag):
        return "unknown_key"
    if not verify(domains.BUNDLE, hashlib.sha256(encoded).digest(), trailer[KEY_ID_BYTES:], entry.public_key):
        return "bad_signature"
    return None if entry.may_sign_at(bundle.issued_at) else "key_not_valid_then"

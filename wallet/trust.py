"""May a wallet believe what a platform gave it? Pure checks (SPEC 2, 4, 5)."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from credential.body import Body
from credential.codes import decode_credential
from credential.ids import event_tag
from credential.keylist import KeyList, Reason, Role, TrustRoot, decode_key_list, verify_key_list
from credential.results import Malformed, Untrusted
from wallet.errors import WalletError
from wallet.i18n import gettext as _


class Issuer(StrEnum):
    """What the wallet knows of who signed a credential."""

    VERIFIED = "verified"  # by a key of the root-signed list
    UNKNOWN_KEY = "unknown_key"  # the list does not name the key, yet
    NO_KEY_LIST = "no_key_list"  # the platform gave no list that verifies


@dataclass(frozen=True, slots=True)
class Expected:
    """What was asked for."""

    event_tag: bytes
    token_id: int
    device_key: bytes
    after_serial: int  # the serial of the last credential, 0 if there was none


def check_event(platform_id: bytes, event_id: UUID, tag: bytes) -> None:
    """The tag is the event's own (SPEC 1.1), so that no platform gets a signature or an address meant for another."""
    if event_tag(platform_id, event_id) != tag:
        raise WalletError(
            "event_not_genuine",
            _("The server gave an event whose tag is not its own. Do not buy there; tell the organiser."),
        )


def check_credential(credential: bytes, expected: Expected, keys: KeyList | None) -> tuple[Body, Issuer]:
    """The credential's body, if it is what was asked for. Raises `credential_not_genuine`."""
    decoded = decode_credential(credential)
    if isinstance(decoded, Malformed):
        raise _not_genuine(decoded.reason)
    body = decoded.body
    for holds, reason in (
        (body.event_tag == expected.event_tag, "event_tag"),
        (body.token_id == expected.token_id, "token_id"),
        (body.holder_key == expected.device_key, "holder_key"),
        (body.serial > expected.after_serial, "serial"),
    ):
        if not holds:
            raise _not_genuine(reason)
    if keys is None:
        return body, Issuer.NO_KEY_LIST
    entry = keys.find(body.key_id, Role.ISSUING)
    if entry is None:
        return body, Issuer.UNKNOWN_KEY
    if not decoded.is_signed_by(entry.public_key):
        raise _not_genuine("issuer_signature")
    if not entry.covers(body.event_tag) or not entry.may_sign_at(body.issued_at):
        raise _not_genuine("key_compromised" if entry.reason is Reason.COMPROMISED else "key_not_allowed")
    return body, Issuer.VERIFIED


def next_key_list(known: bytes, offered: bytes, platform_id: bytes, now: int) -> bytes:
    """The list to keep: the offered one if the known one's roots vouch for it, else the known one.

    With none known, the first list of the platform is pinned as it is: it must be signed by its own roots.
    """
    pinned = _trusted(known)
    if pinned is not None:
        accepted = verify_key_list(offered, pinned, now, pinned.version)
        return known if isinstance(accepted, (Malformed, Untrusted)) else offered
    decoded = decode_key_list(offered)
    if isinstance(decoded, Malformed) or decoded[0].platform_id != platform_id:
        return b""
    root = TrustRoot(platform_id, decoded[0].threshold, decoded[0].root_keys)
    accepted = verify_key_list(offered, root, now)
    return b"" if isinstance(accepted, (Malformed, Untrusted)) else offered


def usable_keys(known: bytes, now: int) -> KeyList | None:
    """The keys of a list kept by `next_key_list`, as long as it has not expired."""
    keys = _trusted(known)
    return keys if keys is not None and now < keys.expires else None


def _trusted(known: bytes) -> KeyList | None:
    decoded = decode_key_list(known)
    return None if isinstance(decoded, Malformed) else decoded[0]


def _not_genuine(reason: str) -> WalletError:
    return WalletError(
        "credential_not_genuine",
        _(
            "The server gave a credential that does not hold (%s). It was not taken; your order is safe. "
            "Run `truestub-wallet resume` later, and tell the organiser."
        )
        % reason,
        reason=reason,
    )

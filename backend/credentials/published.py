"""What the newest key list says, and which key of an event it lets us use (SPEC 5.1)."""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, select

from backend.credentials.keystore import PrivateKey
from backend.db.tables.credentials import KeyList as KeyListRow
from backend.errors import refuse
from backend.i18n import gettext as _
from credential.ids import key_id
from credential.keylist import KeyList, Reason, Role, decode_key_list
from credential.results import Malformed


def newest_key_list_row(connection: Connection) -> Row[int, bytes] | None:
    """Version and bytes of the list that gates are given now; None before the first was published."""
    query = select(KeyListRow.version, KeyListRow.data).order_by(KeyListRow.version.desc()).limit(1)
    return connection.execute(query).one_or_none()


def newest_key_list(connection: Connection) -> KeyList | None:
    """The list that gates are given now, decoded."""
    row = newest_key_list_row(connection)
    if row is None:
        return None
    decoded = decode_key_list(row.data)
    if isinstance(decoded, Malformed):
        raise ValueError(f"the stored key list is damaged: {decoded.reason}")  # noqa: TRY004 - not a matter of types
    return decoded[0]


def key_to_use(
    keys: Sequence[PrivateKey], published: KeyList | None, role: Role, event_tag: bytes, now: int
) -> PrivateKey:
    """The newest of `keys` (newest first) that the list vouches for; refuses `no_usable_key` if it voids them all.

    A key that no list names yet is used only while none of the event's keys is named, so that tickets can be sold
    before the root's keeper comes in. A rotated key's successor is thus used once gates can know it, not earlier.
    """
    listed = [key for key in keys if published and published.find(_id(key), role)]
    if keys and not listed:
        return keys[0]
    for key in listed:
        if _vouched(published, key, role, event_tag, now):
            return key
    raise refuse("no_usable_key", _("The key list voids every key of this event; run: truestub keys publish"))


def is_compromised(published: KeyList | None, issuing_key_id: bytes) -> bool:
    """True if nothing that the issuing key signed holds any more."""
    entry = published.find(issuing_key_id, Role.ISSUING) if published else None
    return entry is not None and entry.reason is Reason.COMPROMISED


def _vouched(published: KeyList | None, key: PrivateKey, role: Role, event_tag: bytes, now: int) -> bool:
    entry = published.find(_id(key), role) if published else None
    return entry is not None and entry.covers(event_tag) and entry.may_sign_at(now) and entry.reason is Reason.NONE


def _id(key: PrivateKey) -> bytes:
    return key_id(key.public)

"""Make the keys of an event, and their successors. Doing it again gives the same keys (SPEC 5.1)."""

from uuid import UUID

from sqlalchemy import Engine, select

from backend.credentials.keystore import KeyRole, KeyStore, PrivateKey
from backend.credentials.messages import EventKeys
from backend.db.engine import read
from backend.db.tables.credentials import SigningKey
from backend.errors import refuse
from backend.i18n import gettext as _
from credential.ids import key_id


def prepare_event(engine: Engine, keys: KeyStore, event_id: UUID) -> EventKeys:
    """The event's newest keys; made, and on disk, if they were not there."""
    for role in KeyRole:
        if not keys.all_of(event_id, role):
            _create(engine, keys, event_id, role, 1)
    issuing, bundle, custody = (keys.all_of(event_id, role)[0].public for role in KeyRole)
    return EventKeys(issuing_public_key=issuing, bundle_public_key=bundle, custody_address=custody)


def rotate_key(engine: Engine, keys: KeyStore, event_id: UUID, role: KeyRole, current: bytes) -> bytes:
    """The public half of the key that follows `current`; made if it was not there."""
    known = {key.public: key for key in keys.all_of(event_id, role)}
    if current not in known:
        raise refuse("unknown_key", _("The signer does not have this key; name one of this event and role"))
    return _create(engine, keys, event_id, role, known[current].number + 1).public


def _create(engine: Engine, keys: KeyStore, event_id: UUID, role: KeyRole, number: int) -> PrivateKey:
    if role is KeyRole.CUSTODY:
        return keys.create(event_id, role, number)
    with read(engine) as connection:
        taken = set(connection.scalars(select(SigningKey.key_id)))
    # Key ids are 4 bytes: a list can't name two keys with the same one.
    return keys.create(event_id, role, number, acceptable=lambda public: key_id(public) not in taken)

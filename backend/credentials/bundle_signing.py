"""What the signer looks at before it signs a bundle (SPEC 5.5).

Rows are the database's word, which the signer trusts as it does when it issues. What it guards against is a bundle that
gates could not get rid of: one of another event, of an old version, or from the future (gates take their clock's floor
from bundles).
"""

from uuid import UUID

from sqlalchemy import Connection, Engine, func, select

from backend.credentials.keystore import KeyRole, KeyStore
from backend.credentials.published import key_to_use, newest_key_list
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.credentials import Bundle as BundleRow
from backend.db.tables.events import Event
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from credential.bundle import Bundle, decode_bundle, sign_bundle
from credential.bundle_codec import TRAILER_BYTES
from credential.ids import key_id
from credential.keylist import KeyList, Role
from credential.results import Malformed

MAX_AGE_SECONDS = 300  # between a bundle's reading and its signing
MAX_AHEAD_SECONDS = 2  # two database clocks, after a failover


def sign_bundle_of(engine: Engine, keys: KeyStore, event_id: UUID, encoded: bytes) -> bytes:
    """Key id and signature for an encoded bundle of this event; raises `Refused`."""
    bundle = decode_bundle(encoded + bytes(TRAILER_BYTES))
    if isinstance(bundle, Malformed):
        raise refuse("bad_bundle", _("This is no bundle: %s") % bundle.reason)
    with read(engine) as connection:
        published = newest_key_list(connection)
        refusal = _why_not(connection, bundle, event_id, published)
        if refusal:
            raise Refused(refusal)
    owned = keys.all_of(event_id, KeyRole.BUNDLE)
    key = key_to_use(owned, published, Role.BUNDLE, bundle.event_tag, bundle.issued_at)
    if published is None or published.find(key_id(key.public), Role.BUNDLE) is None:
        raise Refused(no_key_list())
    return sign_bundle(bundle, key.signing_key)[-TRAILER_BYTES:]


def _why_not(connection: Connection, bundle: Bundle, event_id: UUID, published: KeyList | None) -> Refusal | None:
    if published is None or bundle.key_list_version != published.version:
        return no_key_list()
    tag = connection.scalar(select(Event.tag).where(Event.id == event_id))
    if bundle.event_id != event_id or bundle.event_tag != tag:
        return Refusal("bad_bundle", _("The bundle is of another event"))
    newest = connection.scalar(select(func.max(BundleRow.version)).where(BundleRow.event_id == event_id)) or 0
    if bundle.version <= newest:
        return Refusal("bundle_version_taken", _("A newer bundle is there already"), {"version": newest})
    age = now_ms(connection) // 1000 - bundle.issued_at
    if not -MAX_AHEAD_SECONDS <= age <= MAX_AGE_SECONDS or bundle.rows_through > bundle.issued_at:
        return Refusal("bad_bundle", _("The bundle's times are not now; build it again"))
    return None


def no_key_list() -> Refusal:
    """Without a list gates would trust no key of the bundle."""
    return Refusal("no_key_list", _("No current key list is published; run: truestub keys publish"))

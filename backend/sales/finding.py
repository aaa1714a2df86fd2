"""Find an owner's orders again, for a wallet that was restored from its phrase alone (SPEC 4.9)."""

from uuid import UUID

from sqlalchemy import Engine, select

from backend.credentials.eip712 import recover_finder
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event, Platform
from backend.db.tables.orders import Order
from backend.errors import refuse
from backend.i18n import gettext as _
from credential.finding import MAX_FINDING_SECONDS


def find_orders(engine: Engine, slug: str, owner: bytes, expiry: int, signature: bytes) -> list[UUID]:
    """The paid orders of the event that were made for `owner`, oldest first; the owner must have signed the wish."""
    with read(engine) as connection:
        event = connection.execute(select(Event.id, Event.tag).where(Event.slug == slug)).one_or_none()
        if event is None:
            raise refuse("unknown_event", _("There is no such event"))
        ahead = expiry - now_ms(connection) // 1000
        if not 0 < ahead <= MAX_FINDING_SECONDS:
            raise refuse("wish_expired", _("The signed wish has run out, or lasts too long; sign a new one"))
        platform_id = connection.execute(select(Platform.platform_id)).scalar_one()
        if recover_finder(platform_id, event.tag, owner, expiry, signature) != owner:
            raise refuse("owner_signature_invalid", _("The owner did not sign this; sign with the owner's wallet"))
        query = select(Order.id).where(Order.owner == owner, Order.event_id == event.id, Order.state == "paid")
        return list(connection.scalars(query.order_by(Order.created_ms, Order.id)))

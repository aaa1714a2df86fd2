"""Who is the same buyer, without knowing who: a keyed hash of the mail address for one event (SPEC 9.7)."""

import hmac
from uuid import UUID

from sqlalchemy import Connection, select

from backend.db.tables.buyers import BuyerMark
from backend.privacy.contacts import checked_contact
from backend.privacy.sealing import derived_key

_DOTLESS = ("gmail.com", "googlemail.com")  # there, dots before the @ make no difference


def buyer_mark(secret: bytes, event_id: UUID, mail: str) -> bytes:
    """Equal for addresses that reach the same box; another for every event, so that nobody is followed through them."""
    key = derived_key(secret, "buyer-marks")
    return hmac.digest(key, event_id.bytes + normal_mail(mail).encode(), "sha256")


def marks_of(secret: bytes, event_id: UUID, mail: str) -> tuple[bytes, ...]:
    """The marks of a guest who left this address; none if they left none. Refuses what can't be one."""
    checked = checked_contact(mail, "").mail
    return (buyer_mark(secret, event_id, checked),) if checked else ()


def orders_marked(connection: Connection, secret: bytes, mail: str) -> set[UUID]:
    """The orders that were counted for this address, of all events that are not over."""
    events = connection.scalars(select(BuyerMark.event_id).distinct()).all()
    marks = [buyer_mark(secret, event_id, mail) for event_id in events]
    return set(connection.scalars(select(BuyerMark.order_id).where(BuyerMark.mark.in_(marks))))


def normal_mail(mail: str) -> str:
    """Lower case, without what follows a plus sign (RFC 5233) and, where they mean nothing, without dots."""
    local, _at, domain = mail.strip().lower().rpartition("@")
    local = local.partition("+")[0]
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), _DOTLESS[0]
    return f"{local}@{domain}"

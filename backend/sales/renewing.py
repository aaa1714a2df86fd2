"""A new secret for an order whose old one somebody else may know: with the commit, the old one opens nothing.

Secrets are derived, and the number of times one was made anew is in the order's row. An answer that got lost is given
again to the same key, to who shows the secret that it replaced, until the next one is made.
"""

import hmac
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy import insert as new_row

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import IdempotencyKey, Order
from backend.domain.selling.outcomes import No
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.orders import make_key, order_secret
from backend.sales.words import refusal

RENEW_SCOPE = "renew"


def renew(engine: Engine, secret: bytes, order_id: UUID, bearer: str, client_key: str) -> str:
    """The order's new secret, for who shows the old one. Refuses `unknown_order`, `order_not_settled`."""
    shown = sha256(bearer.encode()).digest()
    key = make_key(RENEW_SCOPE, order_id, client_key, [])
    with engine.begin() as connection:
        order = _locked(connection, order_id)
        mine = (IdempotencyKey.scope == key.scope) & (IdempotencyKey.key == key.digest)
        known = connection.scalar(select(IdempotencyKey.request_hash).where(mine))
        if known == shown and _is_the_one_before(bearer, secret, order):
            return order_secret(secret, order_id, order.secret_number)
        if not hmac.compare_digest(shown, order.secret_hash):
            raise Refused(refusal(No("unknown_order")))
        if known is not None:
            raise Refused(refusal(No("idempotency_key_reused")))
        row = {"scope": key.scope, "key": key.digest, "request_hash": shown, "resource_id": order_id}
        connection.execute(new_row(IdempotencyKey).values(**row, created_ms=now_ms(connection)))
        return _renew(connection, secret, order)


def renew_at_desk(engine: Engine, secret: bytes, order_id: UUID) -> str:
    """The same for the help desk, which checked the buyer some other way."""
    with engine.begin() as connection:
        return _renew(connection, secret, _locked(connection, order_id))


def secret_now(engine: Engine, secret: bytes, order_id: UUID) -> str:
    """The secret that opens the order now."""
    with read(engine) as connection:
        number = connection.scalar(select(Order.secret_number).where(Order.id == order_id))
    return order_secret(secret, order_id, number or 0)


def _locked(connection: Connection, order_id: UUID) -> Row[UUID, str, bytes, int]:
    query = select(Order.id, Order.state, Order.secret_hash, Order.secret_number).where(Order.id == order_id)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise Refused(refusal(No("unknown_order")))
    return row


def _is_the_one_before(bearer: str, secret: bytes, order: Row[UUID, str, bytes, int]) -> bool:
    """Whether the secret now is the one that replaced `bearer`: an older one opens nothing, whatever its key."""
    before = order.secret_number - 1
    return before >= 0 and hmac.compare_digest(bearer.encode(), order_secret(secret, order.id, before).encode())


def _renew(connection: Connection, secret: bytes, order: Row[UUID, str, bytes, int]) -> str:
    if order.state == "held":
        raise refuse("order_not_settled", _("Pay for the order first; then its link can be made anew"))
    made = order_secret(secret, order.id, order.secret_number + 1)
    values = {"secret_hash": sha256(made.encode()).digest(), "secret_number": order.secret_number + 1}
    connection.execute(update(Order).where(Order.id == order.id).values(values))
    return made

"""Orders as buyers see them: hold, look at, pay, give back. The till decides; this module asks it and tells."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.models import Order
from backend.domain.selling.outcomes import Again, No
from backend.domain.selling.requests import Hold, Key, LineWanted, Release
from backend.errors import Refused
from backend.sales.till.till import Tills
from backend.sales.words import refusal

_SECRET_DOMAIN = b"truestub/order-secret/1\0"
ORDER_SCOPE = "order"
PAYMENT_SCOPE = "payment"


def order_secret(installation_secret: bytes, order_id: UUID) -> str:
    """The bearer secret of an order, 43 characters. Derived, so that a repeated answer needs no stored secret."""
    mac = hmac.digest(installation_secret, _SECRET_DOMAIN + order_id.bytes, "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def make_key(scope: str, about: UUID, client_key: str, request: Any) -> Key:  # noqa: ANN401 - what JSON can hold
    """An idempotency key for the till. The client's own key is hashed: whoever reads it could ask for its answer."""
    digest = sha256(about.bytes + client_key.encode()).hexdigest()
    return Key(scope, digest, sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).digest())


def hold(
    tills: Tills,
    installation_secret: bytes,
    event_id: UUID,
    order_id: UUID,
    lines: tuple[LineWanted, ...],
    owner: bytes | None,
    client_key: str,
) -> dict[str, Any]:
    """Keep tickets; the first answer, with the order's secret. `order_id` is new, used if the key is."""
    wanted = [[line.class_code, line.quantity, line.seats] for line in lines]
    request = Hold(
        order_id=order_id,
        secret_hash=sha256(order_secret(installation_secret, order_id).encode()).digest(),
        lines=lines,
        owner=owner,
        key=make_key(ORDER_SCOPE, event_id, client_key, [wanted, owner.hex() if owner else None]),
    )
    outcome = tills.of(event_id).ask(request)
    if isinstance(outcome, No):
        raise Refused(refusal(outcome))
    if not isinstance(outcome, Again) or outcome.body is None:
        raise AssertionError(outcome)
    tills.remember(outcome.resource_id, event_id)
    answer: dict[str, Any] = orjson.loads(outcome.body)
    return {**answer, "order_secret": order_secret(installation_secret, outcome.resource_id)}


def release(tills: Tills, event_id: UUID, order_id: UUID) -> None:
    """Give the tickets back before paying; repeating it is harmless."""
    outcome = tills.of(event_id).ask(Release(order_id))
    if isinstance(outcome, No):
        raise Refused(refusal(outcome))


def event_of_order(engine: Engine, tills: Tills, installation_secret: bytes, order_id: UUID, secret: str) -> UUID:
    """Whose event the order is; refuses (`unknown_order`) what the secret does not open."""
    event_id = tills.event_of(order_id)
    if event_id is not None and hmac.compare_digest(
        secret.encode(), order_secret(installation_secret, order_id).encode()
    ):
        return event_id
    with read(engine) as connection:
        query = select(Order.event_id, Order.secret_hash).where(Order.id == order_id)
        row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(sha256(secret.encode()).digest(), row.secret_hash):
        raise Refused(refusal(No("unknown_order")))
    found: UUID = row.event_id
    return found

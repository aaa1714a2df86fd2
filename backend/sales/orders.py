"""Orders as buyers see them: hold, look at, pay, give back. The till decides; this module asks it and tells."""

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.tables.orders import Order
from backend.domain.selling.outcomes import Again, Extended, No, Outcome
from backend.domain.selling.requests import Extend, Hold, Key, LineWanted, Release
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.till.till import Tills
from backend.sales.words import refusal

_SECRET_DOMAIN = b"truestub/order-secret/1\0"
ORDER_SCOPE = "order"
PAYMENT_SCOPE = "payment"


def order_secret(installation_secret: bytes, order_id: UUID, number: int = 0) -> str:
    """The bearer secret of an order, 43 characters. Derived, so that a repeated answer needs no stored secret.

    `number`: how often it was made anew (backend.sales.renewing).
    """
    again = number.to_bytes(4) if number else b""
    mac = hmac.digest(installation_secret, _SECRET_DOMAIN + order_id.bytes + again, "sha256")
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
    code: bytes | None = None,
    leave: bytes | None = None,
    terms: str | None = None,
) -> dict[str, Any]:
    """Keep tickets; the first answer, with the order's secret. The arguments are those of `hold_wish`."""
    wish = hold_wish(installation_secret, event_id, order_id, lines, owner, client_key, code, leave, terms)
    return held_answer(tills, installation_secret, event_id, tills.of(event_id).ask(wish))


def hold_wish(
    installation_secret: bytes,
    event_id: UUID,
    order_id: UUID,
    lines: tuple[LineWanted, ...],
    owner: bytes | None,
    client_key: str,
    code: bytes | None = None,
    leave: bytes | None = None,
    terms: str | None = None,
) -> Hold:
    """What to ask the till for. `order_id` is new, used if the key is.

    `leave`: nonce of the waiting room's pass, if the event has one. `terms`: the version in force.
    """
    wanted = [[line.class_code, line.quantity, line.seats] for line in lines]
    asked = [wanted, owner.hex() if owner else None, *([code.hex()] if code else [])]
    return Hold(
        order_id=order_id,
        secret_hash=sha256(order_secret(installation_secret, order_id).encode()).digest(),
        lines=lines,
        owner=owner,
        key=make_key(ORDER_SCOPE, event_id, client_key, asked),
        code=code,
        leave=leave,
        terms=terms,
    )


def held_answer(tills: Tills, installation_secret: bytes, event_id: UUID, outcome: Outcome) -> dict[str, Any]:
    """The buyer's answer to a hold; raises `Refused` for one that was not granted."""
    if isinstance(outcome, No):
        raise Refused(refusal(outcome))
    if not isinstance(outcome, Again) or outcome.body is None:
        raise AssertionError(outcome)
    tills.remember(outcome.resource_id, event_id)
    answer: dict[str, Any] = orjson.loads(outcome.body)
    return {**answer, "order_secret": order_secret(installation_secret, outcome.resource_id)}


def extend(tills: Tills, event_id: UUID, order_id: UUID, seen: str) -> dict[str, Any]:
    """Keep the tickets for longer. `seen`: the hold's end as the buyer knew it (RFC 3339)."""
    try:
        until = round(datetime.fromisoformat(seen).timestamp() * 1000)
    except ValueError:
        raise refuse("invalid_request", _("`until` must be the order's hold_expires_at, as it was given")) from None
    outcome = tills.of(event_id).ask(Extend(order_id, until))
    match outcome:
        case Extended(hold_expires_ms=end, left=left):
            return {"order_id": str(order_id), "hold_expires_at": rfc3339(end), "extensions_left": left}
        case No():
            raise Refused(refusal(outcome))
        case _:
            raise AssertionError(outcome)


def release(tills: Tills, event_id: UUID, order_id: UUID) -> None:
    """Give the tickets back before paying; repeating it is harmless."""
    outcome = tills.of(event_id).ask(Release(order_id))
    if isinstance(outcome, No):
        raise Refused(refusal(outcome))


def event_of_recent(tills: Tills, installation_secret: bytes, order_id: UUID, secret: str) -> UUID | None:
    """Whose event the order is, if it was held here lately and its first secret is shown; asks nobody.

    Good for paying alone: a secret is made anew only for orders that can't be paid any more.
    """
    event_id = tills.event_of(order_id)
    right = order_secret(installation_secret, order_id)
    return event_id if event_id is not None and hmac.compare_digest(secret.encode(), right.encode()) else None


def event_of_order(engine: Engine, order_id: UUID, secret: str) -> UUID:
    """Whose event the order is; refuses (`unknown_order`) what the secret does not open now."""
    with read(engine) as connection:
        query = select(Order.event_id, Order.secret_hash).where(Order.id == order_id)
        row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(sha256(secret.encode()).digest(), row.secret_hash):
        raise Refused(refusal(No("unknown_order")))
    found: UUID = row.event_id
    return found

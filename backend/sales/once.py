"""What a request made the first time, found again by its idempotency key; in the transaction that makes it."""

from uuid import UUID

from sqlalchemy import Connection, insert, select

from backend.db.clock import now_ms
from backend.db.tables.orders import IdempotencyKey
from backend.domain.selling.outcomes import No
from backend.domain.selling.requests import Key
from backend.errors import Refused
from backend.sales.words import refusal


def made_before(connection: Connection, key: Key) -> UUID | None:
    """What the key's first request made; refuses `idempotency_key_reused` if that was another request.

    The caller holds a lock that serialises requests with the same key.
    """
    mine = (IdempotencyKey.scope == key.scope) & (IdempotencyKey.key == key.digest)
    query = select(IdempotencyKey.request_hash, IdempotencyKey.resource_id).where(mine)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.request_hash != key.request_hash:
        raise Refused(refusal(No("idempotency_key_reused")))
    made: UUID = row.resource_id
    return made


def remember(connection: Connection, key: Key, made: UUID) -> None:
    """The key's request made this."""
    row = {"scope": key.scope, "key": key.digest, "request_hash": key.request_hash, "resource_id": made}
    connection.execute(insert(IdempotencyKey).values(**row, created_ms=now_ms(connection)))

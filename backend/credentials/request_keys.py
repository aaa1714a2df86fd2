"""Idempotency keys of requests whose work is idempotent by itself: only their misuse has to be noticed.

A key is remembered once its request was granted, so that nobody fills the table with requests that are refused.
"""

import hmac
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import IdempotencyKey
from backend.db.upsert import insert_missing
from backend.domain.selling.requests import Key
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.orders import make_key


@dataclass(frozen=True)
class RequestKey:
    """A client's key, what it is about, and what it came with."""

    scope: str
    about: UUID
    client_key: str
    request: dict[str, Any]

    @cached_property
    def _key(self) -> Key:
        return make_key(self.scope, self.about, self.client_key, self.request)

    def check(self, engine: Engine) -> None:
        """Refuse `idempotency_key_reused` if the key came with another request before."""
        mine = (IdempotencyKey.scope == self._key.scope) & (IdempotencyKey.key == self._key.digest)
        with read(engine) as connection:
            known = connection.scalar(select(IdempotencyKey.request_hash).where(mine))
        if known is not None and not hmac.compare_digest(known, self._key.request_hash):
            sentence = _("This Idempotency-Key came with another request before; make a new one")
            raise refuse("idempotency_key_reused", sentence)

    def remember(self, engine: Engine) -> None:
        """Keep it for `check`; a repeat changes nothing."""
        row = {"scope": self._key.scope, "key": self._key.digest, "request_hash": self._key.request_hash}
        with engine.begin() as connection:
            times = {"created_ms": now_ms(connection), "resource_id": self.about}
            insert_missing(connection, IdempotencyKey, [row | times])

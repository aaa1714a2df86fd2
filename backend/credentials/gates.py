"""Enrol gates, and know them again by their bearer token, which is stored as a hash only (SPEC 5.6)."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.credentials.keystore import RandomBytes
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.credentials import Gate
from backend.errors import refuse
from backend.i18n import gettext as _
from credential.codes import MAX_GATE_NUMBER
from credential.signing import is_valid_holder_key

TOKEN_BYTES = 32
MAX_NAME_CHARACTERS = 80
TRIES = 5  # two enrolments may choose the same number; the database lets one of them in


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A gate's number and its token, which is told once."""

    number: int
    token: str


def enrol(engine: Engine, event_id: UUID, name: str, random_bytes: RandomBytes = secrets.token_bytes) -> Enrolled:
    """A new gate of the event. Refuses `bad_gate_name`, `gate_name_taken` or `too_many_gates`."""
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise refuse("bad_gate_name", _("A gate's name has 1 to %d visible characters") % MAX_NAME_CHARACTERS)
    token = random_bytes(TOKEN_BYTES).hex()
    for last in (*[False] * (TRIES - 1), True):
        try:
            with engine.begin() as connection:
                number = _free_number(connection, event_id, name)
                values = {"event_id": event_id, "number": number, "name": name, "token_hash": hash_of(token)}
                connection.execute(insert(Gate).values(**values, created_ms=now_ms(connection)))
        except IntegrityError:
            if last:
                raise
        else:
            return Enrolled(number, token)
    raise AssertionError


def renew_token(
    engine: Engine, event_id: UUID, number: int, random_bytes: RandomBytes = secrets.token_bytes
) -> Enrolled:
    """A new token for a gate; the old one opens nothing any more. Refuses `unknown_gate`."""
    token = random_bytes(TOKEN_BYTES).hex()
    with engine.begin() as connection:
        change = update(Gate).where(Gate.event_id == event_id, Gate.number == number)
        if not connection.execute(change.values(token_hash=hash_of(token))).rowcount:
            raise refuse("unknown_gate", _("The event has no gate %d") % number)
    return Enrolled(number, token)


def gate_of(connection: Connection, token: str) -> Row[Any] | None:
    """The gate that this token belongs to.

    Found by the token's hash, of which a guesser chooses no bit; compared in constant time all the same.
    """
    digest = hash_of(token)
    gate = connection.execute(select(Gate).where(Gate.token_hash == digest)).one_or_none()
    return gate if gate is not None and hmac.compare_digest(gate.token_hash, digest) else None


def set_public_key(engine: Engine, event_id: UUID, number: int, public_key: bytes) -> None:
    """Remember the key a gate made. The same again is harmless; another is refused (`gate_has_a_key`)."""
    if not is_valid_holder_key(public_key):
        raise refuse("gate_key_invalid", _("The gate's key can't be used; make a new one"))
    mine = (Gate.event_id == event_id) & (Gate.number == number)
    with engine.begin() as connection:
        known = connection.scalar(select(Gate.public_key).where(mine).with_for_update())
        if known == public_key:
            return
        if known is not None:
            raise refuse("gate_has_a_key", _("This gate has another key already; enrol it as a new gate"))
        connection.execute(update(Gate).where(mine).values(public_key=public_key))


def gates_of(engine: Engine, event_id: UUID) -> list[Row[Any]]:
    """The event's gates, by number."""
    with read(engine) as connection:
        return list(connection.execute(select(Gate).where(Gate.event_id == event_id).order_by(Gate.number)))


def hash_of(token: str) -> bytes:
    """What is stored of a token: it has 256 random bits, so a plain hash can't be searched."""
    return hashlib.sha256(token.encode()).digest()


def _free_number(connection: Connection, event_id: UUID, name: str) -> int:
    known = dict(connection.execute(select(Gate.number, Gate.name).where(Gate.event_id == event_id)).all())
    if name in known.values():
        raise refuse("gate_name_taken", _("There is a gate of that name; for a new token use: truestub gate renew"))
    number = max(known, default=0) + 1  # never reused: admissions name it
    if number > MAX_GATE_NUMBER:
        raise refuse("too_many_gates", _("An event has at most %d gates") % MAX_GATE_NUMBER)
    return number

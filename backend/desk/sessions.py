"""Sign in and out. A session is a row, so it can be ended from here at once; its cookie is a random token."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.desk import DeskAccount, DeskSession
from backend.desk import audit, throttle
from backend.desk.passwords import hash_password, is_password
from backend.desk.second_factor import opened_key, step_of
from backend.errors import refuse
from backend.i18n import gettext as _

IDLE_SECONDS = 2 * 3600  # without a request
SESSION_SECONDS = 12 * 3600  # a long day at the box office
SEEN_STEP_SECONDS = 60  # how exactly it is known when a session was last used


@dataclass(frozen=True, slots=True)
class Signed:
    """Who is at the desk."""

    account_id: UUID
    name: str
    role: str


def sign_in(engine: Engine, secret: bytes, name: str, password: str, code: str, address: str) -> str:
    """The token of a new session. Refuses with one code, `sign_in_failed`, whatever was wrong."""
    account_id = prove(engine, secret, name, password, code, address)
    token = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        open_session(connection, account_id, token)
        audit.append(connection, secret, name, "sign_in", f"account:{name}")
    return token


def prove(engine: Engine, secret: bytes, name: str, password: str, code: str, address: str) -> UUID:
    """The account of who knows the password and has the second factor; the code is used up by this."""
    with engine.begin() as connection:
        now = now_ms(connection)
        waits = (
            throttle.attempt(connection, secret, "name", name, throttle.FREE_ATTEMPTS, now),
            throttle.attempt(connection, secret, "address", address, throttle.FREE_ATTEMPTS_BY_ADDRESS, now),
        )
    if wait := max(waits):
        sentence = _("Too many attempts; wait %d seconds and try again") % wait
        raise refuse("too_many_attempts", sentence, retry_after=wait)
    with read(engine) as connection:
        query = select(DeskAccount).where(DeskAccount.name == name, DeskAccount.state == "active")
        account = connection.execute(query).one_or_none()
    # An unknown name costs the same time as a known one.
    right = is_password(account.password_hash if account else _nobodys_hash(), password)
    if account is None or not right:
        raise _failed()
    step = step_of(opened_key(secret, account.id, account.totp_key), code, now / 1000, account.totp_step)
    if step is None:
        raise _failed()
    with engine.begin() as connection:
        taken = update(DeskAccount).where(DeskAccount.id == account.id, DeskAccount.totp_step < step)
        if connection.execute(taken.values(totp_step=step)).rowcount != 1:
            raise _failed()  # the same code was used at the same moment
        throttle.forgive(connection, secret, "name", name)
        throttle.forgive(connection, secret, "address", address)
    found: UUID = account.id
    return found


def open_session(connection: Connection, account_id: UUID, token: str) -> None:
    """A session by this token, which must be random."""
    now = now_ms(connection)
    values = {"token_hash": _hash(token), "account_id": account_id, "created_ms": now, "seen_ms": now}
    connection.execute(insert(DeskSession).values(**values))


def signed(engine: Engine, token: str) -> Signed | None:
    """Whose session this is; none if it ended, was too long idle, or never was."""
    query = (
        select(DeskAccount.id, DeskAccount.name, DeskAccount.role, DeskSession.created_ms, DeskSession.seen_ms)
        .join(DeskAccount, DeskAccount.id == DeskSession.account_id)
        .where(DeskSession.token_hash == _hash(token), DeskSession.ended_ms.is_(None), DeskAccount.state == "active")
    )
    with read(engine) as connection:
        row, now = connection.execute(query).one_or_none(), now_ms(connection)
    if row is None or now - row.created_ms > SESSION_SECONDS * 1000 or now - row.seen_ms > IDLE_SECONDS * 1000:
        return None
    if now - row.seen_ms > SEEN_STEP_SECONDS * 1000:
        with engine.begin() as connection:
            connection.execute(update(DeskSession).where(DeskSession.token_hash == _hash(token)).values(seen_ms=now))
    return Signed(row.id, row.name, row.role)


def sign_out(engine: Engine, token: str) -> None:
    """End the session; harmless if it ended already."""
    with engine.begin() as connection:
        ending = update(DeskSession).where(DeskSession.token_hash == _hash(token), DeskSession.ended_ms.is_(None))
        connection.execute(ending.values(ended_ms=now_ms(connection)))


def end_sessions(connection: Connection, account_id: UUID) -> None:
    """End every session of the account."""
    ending = update(DeskSession).where(DeskSession.account_id == account_id, DeskSession.ended_ms.is_(None))
    connection.execute(ending.values(ended_ms=now_ms(connection)))


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _failed() -> Exception:
    return refuse("sign_in_failed", _("Name, password or code is wrong. A code works once; wait for the next one"))


def _nobodys_hash() -> str:
    if not _made:
        _made.append(hash_password(secrets.token_urlsafe(16)))
    return _made[0]


_made: list[str] = []

"""Accounts of the desk: made, changed, closed. Every change is in the audit log, in the same transaction."""

import re
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.desk import DeskAccount
from backend.desk import audit, passkeys
from backend.desk.passwords import check_new, hash_password
from backend.desk.roles import ROLES
from backend.desk.second_factor import new_key, sealed_key, set_up_address
from backend.desk.sessions import end_sessions, prove
from backend.errors import refuse
from backend.i18n import gettext as _

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class SetUp:
    """What a new second factor is set up with, shown once. `address` is what an app scans."""

    name: str
    key: str
    address: str


@dataclass(frozen=True, slots=True)
class AccountHead:
    """An account in a list."""

    name: str
    role: str
    state: str


def add_account(engine: Engine, secret: bytes, actor: str, name: str, role: str, password: str) -> SetUp:
    """A new account with a second factor. Refuses bad or taken names, unknown roles, weak passwords."""
    if not _NAME.fullmatch(name):
        raise refuse("bad_account_name", _("Take a short name: small letters, digits, dots and hyphens, up to 40"))
    _check_role(role)
    check_new(password, name)
    hashed, key, account_id = hash_password(password), new_key(), uuid4()
    with engine.begin() as connection:
        if connection.execute(select(DeskAccount.id).where(DeskAccount.name == name)).one_or_none():
            raise refuse("account_exists", _("There is an account of this name already; names are never used again"))
        now = now_ms(connection)
        connection.execute(
            insert(DeskAccount).values(
                id=account_id,
                name=name,
                role=role,
                state="active",
                password_hash=hashed,
                totp_key=sealed_key(secret, account_id, key),
                totp_step=0,
                created_ms=now,
                changed_ms=now,
            )
        )
        audit.append(connection, secret, actor, "account_add", f"account:{name}", role=role)
    return SetUp(name, key, set_up_address(key, name))


def change_role(engine: Engine, secret: bytes, actor: str, name: str, role: str) -> None:
    """Give the account another role; it has to sign in again."""
    _check_role(role)
    with engine.begin() as connection:
        account = _locked(connection, name)
        if account.role == "owner" and role != "owner":
            _keep_an_owner(connection)
        values = {"role": role, "changed_ms": now_ms(connection)}
        connection.execute(update(DeskAccount).where(DeskAccount.id == account.id).values(**values))
        end_sessions(connection, account.id)
        audit.append(connection, secret, actor, "account_role", f"account:{name}", role=role)


def close_account(engine: Engine, secret: bytes, actor: str, name: str) -> None:
    """Let nobody in by this account any more."""
    with engine.begin() as connection:
        account = _locked(connection, name)
        if account.role == "owner":
            _keep_an_owner(connection)
        values = {"state": "closed", "changed_ms": now_ms(connection)}
        connection.execute(update(DeskAccount).where(DeskAccount.id == account.id).values(**values))
        end_sessions(connection, account.id)
        audit.append(connection, secret, actor, "account_close", f"account:{name}")


def renew_account(engine: Engine, secret: bytes, actor: str, name: str, password: str) -> SetUp:
    """A new password and second factor for who lost either; passkeys and sessions of before let nobody in any more."""
    check_new(password, name)
    hashed, key = hash_password(password), new_key()
    with engine.begin() as connection:
        account = _locked(connection, name)
        values = {
            "password_hash": hashed,
            "totp_key": sealed_key(secret, account.id, key),
            "totp_step": 0,
            "changed_ms": now_ms(connection),
        }
        connection.execute(update(DeskAccount).where(DeskAccount.id == account.id).values(**values))
        end_sessions(connection, account.id)
        passkeys.remove_all(connection, account.id)
        audit.append(connection, secret, actor, "account_renew", f"account:{name}")
    return SetUp(name, key, set_up_address(key, name))


def change_password(engine: Engine, secret: bytes, name: str, old: str, new: str, code: str, address: str) -> None:
    """A new password for who knows the old one; every session of the account ends."""
    check_new(new, name)
    account_id = prove(engine, secret, name, old, code, address)
    hashed = hash_password(new)
    with engine.begin() as connection:
        values = {"password_hash": hashed, "changed_ms": now_ms(connection)}
        connection.execute(update(DeskAccount).where(DeskAccount.id == account_id).values(**values))
        end_sessions(connection, account_id)
        audit.append(connection, secret, name, "account_password", f"account:{name}")


def accounts(engine: Engine) -> list[AccountHead]:
    """Every account, the active ones first."""
    query = select(DeskAccount.name, DeskAccount.role, DeskAccount.state)
    with read(engine) as connection:
        return [AccountHead(*row) for row in connection.execute(query.order_by(DeskAccount.state, DeskAccount.name))]


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise refuse("unknown_role", _("Take one of these roles: %s") % ", ".join(ROLES))


def _locked(connection: Connection, name: str) -> DeskAccount:
    query = select(DeskAccount).where(DeskAccount.name == name, DeskAccount.state == "active").with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        raise refuse("unknown_account", _("There is no open account of this name"))
    return found  # type: ignore[return-value] # a row of the table, column by column


def _keep_an_owner(connection: Connection) -> None:
    query = select(func.count()).where(DeskAccount.role == "owner", DeskAccount.state == "active")
    if connection.execute(query).scalar_one() < 2:
        raise refuse("last_owner", _("This is the last owner; make another one first"))

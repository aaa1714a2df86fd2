"""Codes by mail that open the orders of an address in another browser: once, and for half an hour.

Only a code's hash is stored, beside the keyed hash of the address. The letter carries it behind the `#` of a link,
which browsers send to nobody, and as a line to paste.
"""

import secrets
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select

from backend.db.clock import now_ms
from backend.db.tables.privacy import Person, PersonalField, RecoveryCode
from backend.privacy.contacts import MAIL, ORDERS, opened_key
from backend.privacy.sealing import unseal

MARK = "truestub-recover-1-"
CODE_MINUTES = 30
CODE_BYTES = 24
MAX_ORDERS = 20  # the newest; a browser keeps no more


def make_code(connection: Connection, secret: bytes, mark: bytes) -> tuple[str, str] | None:
    """The address that `mark` stands for, and a new code in the place of earlier ones; none if nobody has it."""
    query = (
        select(Person.id, Person.key, PersonalField.row_id, PersonalField.sealed)
        .join(PersonalField, PersonalField.person_id == Person.id)
        .where(Person.mail_index == mark, PersonalField.table_name == ORDERS, PersonalField.column_name == MAIL)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    now, code = now_ms(connection), MARK + secrets.token_urlsafe(CODE_BYTES)
    old = (RecoveryCode.mail_index == mark) | (RecoveryCode.expires_ms < now)
    connection.execute(delete(RecoveryCode).where(old))
    made = {"hash": _hash(code), "mail_index": mark, "expires_ms": now + 60_000 * CODE_MINUTES}
    connection.execute(insert(RecoveryCode).values(made))
    address = unseal(opened_key(secret, row.id, row.key), row.sealed, (ORDERS, row.row_id, MAIL)).decode()
    return address, code


def use_code(connection: Connection, code: str) -> list[UUID]:
    """The orders that the code opens, the newest first; none if it was used, is too old, or was never ours."""
    mine = RecoveryCode.hash == _hash(code)
    row = connection.execute(select(RecoveryCode).where(mine).with_for_update()).one_or_none()
    if row is None:
        return []
    used = connection.execute(delete(RecoveryCode).where(mine)).rowcount
    if used != 1 or row.expires_ms <= now_ms(connection):
        return []
    fields = (
        select(PersonalField.row_id)
        .join(Person, Person.id == PersonalField.person_id)
        .where(
            Person.mail_index == row.mail_index, PersonalField.table_name == ORDERS, PersonalField.column_name == MAIL
        )
        .order_by(PersonalField.created_ms.desc())
        .limit(MAX_ORDERS)
    )
    return [UUID(one) for one in connection.scalars(fields)]


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()

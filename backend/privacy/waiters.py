"""The mail address of somebody on a waiting list, sealed as a buyer's is, until tickets are offered or they leave.

An offer is an order: the address becomes the order's, so that a code by mail opens it in another browser as well.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, select

from backend.db.engine import read
from backend.db.tables.events import Event
from backend.db.tables.orders import Waiter
from backend.db.tables.privacy import Person, PersonalField
from backend.privacy.contacts import DAY_MS, MAIL, ORDERS, drop_fields, keep_fields, mail_index, opened_key
from backend.privacy.sealing import unseal

WAITERS = "waiting_list"
LANGUAGE = "language"  # they read


def keep_mail(connection: Connection, secret: bytes, waiter_id: UUID, mail: str, spoken: str, keep_days: int) -> None:
    """Keep the checked address of a place, and the language of the letter, until `keep_days` after the event."""
    ends = select(Event.ends_ms).join(Waiter, Waiter.event_id == Event.id).where(Waiter.id == waiter_id)
    keep_until = connection.execute(ends).scalar_one() + keep_days * DAY_MS
    keep_fields(connection, secret, (WAITERS, str(waiter_id)), {MAIL: mail, LANGUAGE: spoken}, keep_until)


def hand_to_order(connection: Connection, secret: bytes, waiter_id: UUID, order_id: UUID) -> str | None:
    """Make the address of the place that of the order which was offered; the language to write in, if there is one."""
    query = (
        select(PersonalField.column_name, PersonalField.sealed, Person.id, Person.key, Person.keep_until_ms)
        .join(Person, Person.id == PersonalField.person_id)
        .where(PersonalField.table_name == WAITERS, PersonalField.row_id == str(waiter_id))
    )
    rows = connection.execute(query).all()
    if not rows:
        return None
    kept = {
        row.column_name: unseal(
            opened_key(secret, row.id, row.key), row.sealed, (WAITERS, str(waiter_id), row.column_name)
        ).decode()
        for row in rows
    }
    keep_fields(connection, secret, (ORDERS, str(order_id)), {MAIL: kept[MAIL]}, rows[0].keep_until_ms)
    forget_mail(connection, waiter_id)
    return kept[LANGUAGE]


def mails_kept(engine: Engine, secret: bytes, waiter_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The addresses of these places, as far as there are any."""
    query = (
        select(PersonalField.row_id, PersonalField.sealed, Person.id, Person.key)
        .join(Person, Person.id == PersonalField.person_id)
        .where(PersonalField.table_name == WAITERS, PersonalField.column_name == MAIL)
        .where(PersonalField.row_id.in_([str(one) for one in waiter_ids]))
    )
    with read(engine) as connection:
        rows = connection.execute(query).all()
    return {
        UUID(row.row_id): unseal(opened_key(secret, row.id, row.key), row.sealed, (WAITERS, row.row_id, MAIL)).decode()
        for row in rows
    }


def waiters_by_mail(engine: Engine, secret: bytes, mail: str) -> list[UUID]:
    """The places that were taken with this address and have no offer yet."""
    query = (
        select(PersonalField.row_id)
        .join(Person, Person.id == PersonalField.person_id)
        .where(Person.mail_index == mail_index(secret, mail), PersonalField.table_name == WAITERS)
    )
    with read(engine) as connection:
        return list({UUID(row) for row in connection.scalars(query)})


def forget_mail(connection: Connection, waiter_id: UUID) -> None:
    """They left the list."""
    drop_fields(connection, (WAITERS, str(waiter_id)))

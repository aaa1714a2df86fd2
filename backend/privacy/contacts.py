"""A buyer's name and mail address: both may be left out, both are sealed with a key of the person's own.

The same address is the same person, whatever order it came with; a name alone is a person of its own.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from nacl.utils import random
from sqlalchemy import Connection, Engine, String, cast, delete, func, insert, select, union_all, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Waiter
from backend.db.tables.privacy import OrderConsent, Person, PersonalField
from backend.db.upsert import insert_missing
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.privacy.sealing import KEY_BYTES, derived_key, seal, unseal

MAX_MAIL_CHARACTERS = 254  # RFC 5321
MAX_NAME_CHARACTERS = 120
DAY_MS = 24 * 3600 * 1000
ORDERS = "orders"
MAIL, NAME = "mail", "name"
_MAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\"]+\.[^\s@<>()\[\],;:\\\".]{2,}")


@dataclass(frozen=True, slots=True)
class Contact:
    """What a buyer left; empty where nothing."""

    mail: str = ""
    name: str = ""


def checked_contact(mail: str, name: str) -> Contact:
    """The contact as it will be kept; refuses what can't be one. The refusal repeats nothing of it."""
    mail, name = mail.strip(), " ".join(name.split())
    if mail and (len(mail) > MAX_MAIL_CHARACTERS or not mail.isprintable() or not _MAIL.fullmatch(mail)):
        raise refuse("bad_mail_address", _("This is no mail address; write it like name@example.org, or leave it out"))
    if len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise refuse("bad_name", _("Write the name in one line of at most %d characters") % MAX_NAME_CHARACTERS)
    return Contact(mail, name)


def keep_contact(connection: Connection, secret: bytes, order_id: UUID, contact: Contact, keep_days: int) -> None:
    """Keep the order's contact in the place of an earlier one, until `keep_days` after its event."""
    place = (ORDERS, str(order_id))
    fields = {MAIL: contact.mail, NAME: contact.name}
    if not any(fields.values()):
        drop_fields(connection, place)
        return
    ends = select(Event.ends_ms).join(Order, Order.event_id == Event.id).where(Order.id == order_id)
    keep_until = connection.execute(ends).scalar_one() + keep_days * DAY_MS
    keep_fields(connection, secret, place, fields, keep_until)


def keep_longer(connection: Connection, event_id: UUID, delay_ms: int) -> None:
    """Keep what the event's buyers and waiters left for as much longer as the event has moved away."""
    if delay_ms <= 0:
        return
    rows = [
        select(func.replace(cast(one.id, String), "-", "")).where(one.event_id == event_id) for one in (Order, Waiter)
    ]
    place = func.replace(PersonalField.row_id, "-", "")  # SQLite keeps ids without them
    theirs = select(PersonalField.person_id).where(place.in_(union_all(*rows)))
    longer = Person.keep_until_ms + delay_ms
    connection.execute(update(Person).where(Person.id.in_(theirs)).values(keep_until_ms=longer))


def keep_fields(
    connection: Connection, secret: bytes, place: tuple[str, str], fields: dict[str, str], keep_until_ms: int
) -> None:
    """Keep what is not empty of `fields`, by column, in the place of what was there. `place`: table and row."""
    drop_fields(connection, place)
    person_id, key = _person(connection, secret, fields.get(MAIL, ""), keep_until_ms)
    now, (table, row_id) = now_ms(connection), place
    rows = [
        {
            "table_name": table,
            "row_id": row_id,
            "column_name": column,
            "person_id": person_id,
            "sealed": seal(key, value.encode(), (table, row_id, column)),
            "created_ms": now,
        }
        for column, value in fields.items()
        if value
    ]
    connection.execute(insert(PersonalField), rows)


def drop_fields(connection: Connection, place: tuple[str, str]) -> None:
    """Remove a row's fields, and the people who have no other."""
    mine = (PersonalField.table_name == place[0], PersonalField.row_id == place[1])
    owners = set(connection.scalars(select(PersonalField.person_id).where(*mine)))
    connection.execute(delete(PersonalField).where(*mine))
    for owner in owners:
        left = select(PersonalField.row_id).where(PersonalField.person_id == owner).limit(1)
        if connection.execute(left).first() is None:
            connection.execute(delete(Person).where(Person.id == owner))


def agree(connection: Connection, order_id: UUID, terms_version: str, *, news: bool) -> None:
    """Keep what was agreed to; the first time counts."""
    row = {"order_id": order_id, "terms_version": terms_version, "news": news, "agreed_ms": now_ms(connection)}
    insert_missing(connection, OrderConsent, [row])


def contacts_of(engine: Engine, secret: bytes, order_ids: Sequence[UUID]) -> dict[UUID, Contact]:
    """The contacts that these orders have."""
    query = (
        select(PersonalField.row_id, PersonalField.column_name, PersonalField.sealed, Person.id, Person.key)
        .join(Person, Person.id == PersonalField.person_id)
        .where(PersonalField.table_name == ORDERS, PersonalField.row_id.in_([str(one) for one in order_ids]))
    )
    with read(engine) as connection:
        rows = connection.execute(query).all()
    found: dict[UUID, dict[str, str]] = {}
    for row in rows:
        key = opened_key(secret, row.id, row.key)
        value = unseal(key, row.sealed, (ORDERS, row.row_id, row.column_name)).decode()
        found.setdefault(UUID(row.row_id), {})[row.column_name] = value
    return {order: Contact(fields.get(MAIL, ""), fields.get(NAME, "")) for order, fields in found.items()}


def consent_of(engine: Engine, order_id: UUID) -> tuple[str, bool] | None:
    """The version of the terms and whether news may be sent; none if given away or sold at a counter."""
    query = (
        select(Order.terms_version.label("ordered"), OrderConsent.terms_version, OrderConsent.news)
        .outerjoin(OrderConsent, OrderConsent.order_id == Order.id)
        .where(Order.id == order_id)
    )
    with read(engine) as connection:
        row = connection.execute(query).one_or_none()
    version = (row.terms_version or row.ordered) if row else None
    return (version, bool(row.news)) if row and version else None


def orders_by_mail(engine: Engine, secret: bytes, mail: str) -> list[UUID]:
    """The orders that were made with this address."""
    query = (
        select(PersonalField.row_id)
        .join(Person, Person.id == PersonalField.person_id)
        .where(Person.mail_index == mail_index(secret, mail), PersonalField.table_name == ORDERS)
        .order_by(PersonalField.created_ms.desc())
    )
    with read(engine) as connection:
        return list(dict.fromkeys(UUID(row) for row in connection.scalars(query)))


def mail_index(secret: bytes, mail: str) -> bytes:
    """A keyed hash of the address: equal for equal ones, and no way back without the installation's secret."""
    return hmac.digest(derived_key(secret, "mail-index"), mail.strip().lower().encode(), "sha256")


def opened_key(secret: bytes, person_id: UUID, sealed: bytes) -> bytes:
    """A person's key."""
    return unseal(derived_key(secret, "people"), sealed, ("people", str(person_id), "key"))


def _person(connection: Connection, secret: bytes, mail: str, keep_until_ms: int) -> tuple[UUID, bytes]:
    """The person of this address, made now if there is none."""
    index = mail_index(secret, mail) if mail else None
    person_id, key = uuid4(), random(KEY_BYTES)
    row = {
        "id": person_id,
        "key": seal(derived_key(secret, "people"), key, ("people", str(person_id), "key")),
        "mail_index": index,
        "keep_until_ms": keep_until_ms,
        "created_ms": now_ms(connection),
    }
    insert_missing(connection, Person, [row])
    mine = Person.mail_index == index if index is not None else Person.id == person_id
    query = select(Person.id, Person.key, Person.keep_until_ms).where(mine).with_for_update()
    known = connection.execute(query).one()
    if known.keep_until_ms < keep_until_ms:
        connection.execute(update(Person).where(Person.id == known.id).values(keep_until_ms=keep_until_ms))
    return known.id, opened_key(secret, known.id, known.key)

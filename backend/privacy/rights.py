"""What a person may ask for: everything we have about them, and to be forgotten. Forgetting is deleting their key.

Orders, tickets and money stay, as the law on accounts wants it; nothing in them names anybody. The audit log says that
it was done, never for whom.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, func, select, text

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.buyers import BuyerMark, UsedPass
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import Order, Outbox, Waiter
from backend.db.tables.privacy import OrderConsent, Person, PersonalField, RecoveryCode
from backend.desk import audit
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.notices.order_outbox import LETTER
from backend.privacy.buyers import orders_marked
from backend.privacy.contacts import ORDERS, mail_index, opened_key
from backend.privacy.sealing import unseal
from backend.privacy.waiters import WAITERS
from backend.sales.answers import rfc3339

AT_ONCE = 500  # people forgotten in one run


def export_person(engine: Engine, secret: bytes, mail: str) -> dict[str, Any]:
    """All personal data kept under this address and what belongs to it, ready for JSON; refuses `unknown_person`."""
    with read(engine) as connection:
        person = connection.execute(select(Person).where(Person.mail_index == mail_index(secret, mail))).one_or_none()
        counted = orders_marked(connection, secret, mail)
        if person is None and not counted:
            raise _unknown()
        mine = PersonalField.person_id == (person.id if person is not None else None)
        fields = connection.execute(select(PersonalField).where(mine)).all()
        orders = {UUID(one.row_id) for one in fields} | counted
        query = (
            select(
                Order,
                Event.name.label("event"),
                OrderConsent.terms_version.label("agreed_version"),
                OrderConsent.news,
            )
            .join(Event, Event.id == Order.event_id)
            .outerjoin(OrderConsent, OrderConsent.order_id == Order.id)
            .where(Order.id.in_(orders))
            .order_by(Order.created_ms)
        )
        rows = connection.execute(query).all()
        lists = (
            select(Waiter.id, Waiter.quantity, Waiter.created_ms, TicketClass.code, Event.name.label("event"))
            .join(Event, Event.id == Waiter.event_id)
            .join(
                TicketClass,
                (TicketClass.event_id == Waiter.event_id) & (TicketClass.number == Waiter.class_number),
            )
            .where(Waiter.id.in_({UUID(one.row_id) for one in fields if one.table_name == WAITERS}))
        )
        waiting = connection.execute(lists).all()
    told: dict[UUID, dict[str, str]] = {}
    key = opened_key(secret, person.id, person.key) if person is not None else b""
    for one in fields:
        value = unseal(key, one.sealed, (one.table_name, one.row_id, one.column_name)).decode()
        told.setdefault(UUID(one.row_id), {})[one.column_name] = value
    return {
        "kept_since": rfc3339(person.created_ms) if person is not None else None,
        "kept_until": rfc3339(person.keep_until_ms) if person is not None else None,
        "orders": [
            {
                "order_id": str(row.id),
                "event": row.event,
                "state": row.state,
                "quantity": row.quantity,
                "total_minor": row.total_minor,
                "currency": row.currency,
                "made_at": rfc3339(row.created_ms),
                "terms_version": row.agreed_version or row.terms_version,
                "news": row.news,
                "counted_for_the_limit": row.id in counted,
                **told.get(row.id, {}),
            }
            for row in rows
        ],
        "waiting_lists": [
            {
                "event": row.event,
                "class": row.code,
                "quantity": row.quantity,
                "since": rfc3339(row.created_ms),
                **told.get(row.id, {}),
            }
            for row in waiting
        ],
    }


def erase_person(
    engine: Engine, secret: bytes, actor: str, mail: str, record: Callable[[UUID], None] = lambda _person: None
) -> int:
    """Forget the person of this address; how many values are gone. Refuses `unknown_person`.

    `record`: puts the person on record outside the database, before anything is gone.
    """
    with engine.begin() as connection:
        _wipe_pages(connection)
        query = select(Person.id).where(Person.mail_index == mail_index(secret, mail))
        person_id = connection.execute(query).scalar_one_or_none()
        counted = orders_marked(connection, secret, mail)
        if person_id is None and not counted:
            raise _unknown()
        if person_id is not None:
            record(person_id)
        connection.execute(delete(BuyerMark).where(BuyerMark.order_id.in_(counted)))
        count = len(counted) + (_forget(connection, [person_id]) if person_id is not None else 0)
        audit.append(connection, secret, actor, "privacy_erase", "person", values=count)
    _sweep_out(engine)
    return count


def forget_again(engine: Engine, people: Sequence[UUID]) -> int:
    """Forget those of these people who are there; how many."""
    with engine.begin() as connection:
        _wipe_pages(connection)
        there: list[UUID] = []
        for start in range(0, len(people), AT_ONCE):
            there += connection.scalars(select(Person.id).where(Person.id.in_(people[start : start + AT_ONCE])))
        for start in range(0, len(there), AT_ONCE):
            _forget(connection, there[start : start + AT_ONCE])
    if there:
        _sweep_out(engine)
    return len(there)


def erase_due(engine: Engine, secret: bytes) -> int:
    """Forget everybody whose time has come; how many people. Run by the worker."""
    with engine.begin() as connection:
        _wipe_pages(connection)
        query = select(Person.id).where(Person.keep_until_ms <= now_ms(connection)).limit(AT_ONCE)
        due = list(connection.scalars(query))
        over = select(Event.id).where(Event.ends_ms <= now_ms(connection))
        for kept in (BuyerMark, UsedPass):  # who bought how much is moot then
            connection.execute(delete(kept).where(kept.event_id.in_(over)))
        if due:
            count = _forget(connection, due)
            audit.append(connection, secret, "worker", "privacy_retention", "people", people=len(due), values=count)
    if due:
        _sweep_out(engine)
    return len(due)


def _forget(connection: Connection, people: list[UUID]) -> int:
    mine = PersonalField.person_id.in_(people)
    of_orders = PersonalField.table_name == ORDERS
    orders = {UUID(one) for one in connection.scalars(select(PersonalField.row_id).where(mine, of_orders))}
    connection.execute(delete(BuyerMark).where(BuyerMark.order_id.in_(orders)))
    indexes = connection.scalars(select(Person.mail_index).where(Person.id.in_(people), Person.mail_index.is_not(None)))
    for index in list(indexes):
        _forget_recovery(connection, index or b"")
    count = connection.execute(select(func.count()).select_from(PersonalField).where(mine)).scalar_one()
    connection.execute(delete(PersonalField).where(mine))
    connection.execute(delete(Person).where(Person.id.in_(people)))
    return int(count)


def _forget_recovery(connection: Connection, index: bytes) -> None:
    """Codes to open the person's orders, and the letters that brought them: they name the address's keyed hash."""
    connection.execute(delete(RecoveryCode).where(RecoveryCode.mail_index == index))
    connection.execute(
        delete(Outbox).where(Outbox.topic == LETTER, Outbox.key.startswith(f"order.recover:{index.hex()}:"))
    )


def _wipe_pages(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA secure_delete=ON"))  # what is deleted is written over with zeros


def _sweep_out(engine: Engine) -> None:
    """Take deleted keys out of the database's files too, as far as nobody is still reading them."""
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()  # a checkpoint is refused inside a transaction, and the engine always begins one
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("people", "personal_fields", "buyer_marks"):
            connection.execute(text(f"VACUUM {table}"))


def _unknown() -> Exception:
    return refuse("unknown_person", _("Nothing is kept under this address"))

"""An event's waiting lists for the desk: who waits, in order, how many there are, and the same as CSV.

Nothing here is personal but the mail addresses, which `mails_of` and `export` alone read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, Select, String, case, cast, func, or_, select, tuple_

from backend.db.engine import read
from backend.db.tables.events import TicketClass
from backend.db.tables.orders import Order, Waiter
from backend.desk.attendees import ROWS_AT_ONCE, ROWS_ON_A_PAGE, csv_lines
from backend.privacy.contacts import contacts_of
from backend.privacy.waiters import mails_kept
from backend.sales.answers import rfc3339

STATES = ("waiting", "offered", "bought", "passed", "left")
LEAST_OF_A_NUMBER = 6  # characters of a place's number that are looked for
COLUMNS = ("waiter_id", "class", "ahead", "tickets", "since", "state", "offered_until", "order_id", "mail")


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody's place in line. `ahead`: people before them while they wait. Times are RFC 3339."""

    waiter_id: UUID
    class_number: int
    class_name: str
    ahead: int | None
    quantity: int
    since: str
    state: str  # one of STATES
    offered_until: str | None
    order_id: UUID | None


@dataclass(frozen=True, slots=True)
class Count:
    """How many people of a class's list are in each of STATES, and how many tickets those want who wait."""

    class_name: str
    people: dict[str, int]
    wanted: int


def places(
    engine: Engine, event_id: UUID, after: UUID | None = None, limit: int = ROWS_ON_A_PAGE, *, waiting: bool = False
) -> list[Place]:
    """Everybody on the event's lists, class by class in the order in which they came; those behind `after`.

    `waiting`: only those who wait or have an offer.
    """
    line = _line(event_id)
    query = select(line).order_by(line.c.class_number, line.c.id).limit(limit)
    if after is not None:
        number = select(Waiter.class_number).where(Waiter.id == after, Waiter.event_id == event_id).scalar_subquery()
        query = query.where(tuple_(line.c.class_number, line.c.id) > tuple_(number, after))
    if waiting:
        query = query.where(line.c.state.in_(("waiting", "offered")))
    return _read(engine, query)


def find_places(engine: Engine, event_id: UUID, number: str) -> list[Place]:
    """Places by their number or its last characters, as in the address of the buyer's page."""
    line, wanted = _line(event_id), number.strip().lower().replace("-", "").rpartition("/")[2]
    if len(wanted) < LEAST_OF_A_NUMBER or not wanted.isalnum():
        return []
    plain = func.lower(func.replace(cast(line.c.id, String), "-", ""))  # SQLite keeps ids without hyphens
    return _read(engine, select(line).where(plain.endswith(wanted)).order_by(line.c.id).limit(ROWS_ON_A_PAGE))


def places_of(engine: Engine, event_id: UUID, waiters: Sequence[UUID], orders: Sequence[UUID]) -> list[Place]:
    """These places, and those that were offered these orders."""
    line = _line(event_id)
    query = select(line).where(or_(line.c.id.in_(waiters), line.c.order_id.in_(orders)))
    return _read(engine, query.order_by(line.c.class_number, line.c.id).limit(ROWS_ON_A_PAGE))


def counts(engine: Engine, event_id: UUID) -> list[Count]:
    """Of each class that anybody ever waited for."""
    line = _line(event_id)
    query = (
        select(line.c.name, line.c.state, func.count().label("people"), func.sum(line.c.quantity).label("wanted"))
        .group_by(line.c.class_number, line.c.name, line.c.state)
        .order_by(line.c.class_number)
    )
    found: dict[str, Count] = {}
    with read(engine) as connection:
        for row in connection.execute(query):
            one = found.setdefault(row.name, Count(row.name, dict.fromkeys(STATES, 0), 0))
            one.people[row.state] = int(row.people)
            if row.state == "waiting":
                found[row.name] = Count(row.name, one.people, int(row.wanted))
    return list(found.values())


def mails_of(engine: Engine, secret: bytes, found: Sequence[Place]) -> dict[UUID, str]:
    """The mail addresses that these people left, by place: an offer has made the address the order's."""
    kept = mails_kept(engine, secret, [one.waiter_id for one in found])
    orders = contacts_of(engine, secret, [one.order_id for one in found if one.order_id is not None])
    told = {one.waiter_id: orders[one.order_id].mail for one in found if one.order_id in orders}
    return {waiter: mail for waiter, mail in (kept | told).items() if mail}


def export(engine: Engine, secret: bytes, event_id: UUID) -> Iterator[str]:
    """Everybody on the event's lists as CSV, in pieces; the first line names the columns (RFC 4180)."""
    yield "\ufeff" + csv_lines([COLUMNS])  # the mark tells spreadsheets that this is UTF-8
    after = None
    while found := places(engine, event_id, after, ROWS_AT_ONCE):
        mails = mails_of(engine, secret, found)
        yield csv_lines(
            (
                *(one.waiter_id, one.class_name, one.ahead, one.quantity, one.since, one.state),
                *(one.offered_until, one.order_id, mails.get(one.waiter_id, "")),
            )
            for one in found
        )
        after = found[-1].waiter_id


def _line(event_id: UUID) -> Any:  # noqa: ANN401 - a subquery
    waits: ColumnElement[bool] = Waiter.state == "waiting"
    before = func.count().filter(waits).over(partition_by=Waiter.class_number, order_by=Waiter.id, rows=(None, -1))
    bought, passed = Order.state.in_(("paid", "refunded")), Order.state.in_(("expired", "cancelled"))
    offered = Waiter.state == "offered"  # what became of it is noted by the worker, a little later
    state = case(
        (Waiter.state == "done", "bought"),
        (Waiter.state == "lapsed", "passed"),
        (offered & bought, "bought"),
        (offered & passed, "passed"),
        else_=Waiter.state,
    )
    return (
        select(
            Waiter.id,
            Waiter.class_number,
            TicketClass.name,
            Waiter.quantity,
            Waiter.created_ms,
            Waiter.order_id,
            Order.hold_expires_ms,
            before.label("before"),
            state.label("state"),
        )
        .join(TicketClass, (TicketClass.event_id == Waiter.event_id) & (TicketClass.number == Waiter.class_number))
        .outerjoin(Order, Order.id == Waiter.order_id)
        .where(Waiter.event_id == event_id)
        .subquery()
    )


def _read(engine: Engine, query: Select[Any]) -> list[Place]:
    with read(engine) as connection:
        return [
            Place(
                waiter_id=row.id,
                class_number=row.class_number,
                class_name=row.name,
                ahead=int(row.before) if row.state == "waiting" else None,
                quantity=row.quantity,
                since=rfc3339(row.created_ms),
                state=row.state,
                offered_until=rfc3339(row.hold_expires_ms) if row.state == "offered" else None,
                order_id=row.order_id,
            )
            for row in connection.execute(query)
        ]

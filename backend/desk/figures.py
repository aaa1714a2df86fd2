"""Sales and entry by the clock, for charts and for the same as a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, and_, func, select

from backend.credentials.ticket_status import effective_state
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Stock
from backend.db.tables.orders import Ticket
from backend.domain.selling.refunding import GOOD
from backend.sales.answers import rfc3339

MINUTE_MS = 60_000
STEPS_MS = (MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 7 * 24 * 60 * MINUTE_MS)
MAX_STEPS = 60  # on a chart; more can't be told apart on a phone


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in the step that begins at `at` (RFC 3339), and all till its end."""

    at: str
    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Figures:
    """An event in numbers. `good`: sold and not given back. `step_ms` is the width of the series' steps."""

    capacity: int
    held: int
    good: int
    gone: int
    entered: int
    sales: tuple[Point, ...]
    entries: tuple[Point, ...]


def figures(engine: Engine, event_id: UUID) -> Figures:
    """The event's numbers as of now."""
    with read(engine) as connection:
        now = now_ms(connection)
        stock = connection.execute(
            select(func.sum(Stock.capacity), func.sum(Stock.held)).where(Stock.event_id == event_id)
        ).one()
        good, gone = _good_and_gone(connection, event_id)
        first_sale = connection.scalar(select(func.min(Ticket.sold_ms)).where(Ticket.event_id == event_id))
        at_entry = (GateRecord.event_id == event_id, GateRecord.admits)
        first_entry = connection.scalar(select(func.min(GateRecord.at_s)).where(*at_entry))
        last_entry = connection.scalar(select(func.max(GateRecord.at_s)).where(*at_entry))
        entered = connection.scalar(select(func.count(GateRecord.token_id.distinct())).where(*at_entry))
        sales: dict[int, int] = {}
        entries: dict[int, int] = {}
        sale_step = step_for(now - first_sale) if first_sale is not None else MINUTE_MS
        if first_sale is not None:
            begin = (Ticket.sold_ms - Ticket.sold_ms % sale_step).label("begin")
            query = select(begin, func.count()).where(Ticket.event_id == event_id).group_by(begin)
            sales = {int(at): count for at, count in connection.execute(query)}
        entry_step = step_for(((last_entry or 0) - (first_entry or 0)) * 1000)
        if first_entry is not None:
            seconds = entry_step // 1000
            begin = (GateRecord.at_s - GateRecord.at_s % seconds).label("begin")
            query = select(begin, func.count()).where(*at_entry).group_by(begin)
            entries = {int(at) * 1000: count for at, count in connection.execute(query)}
    return Figures(
        capacity=int(stock[0] or 0),
        held=int(stock[1] or 0),
        good=good,
        gone=gone,
        entered=int(entered or 0),
        sales=series(sales, sale_step),
        entries=series(entries, entry_step),
    )


def _good_and_gone(connection: Connection, event_id: UUID) -> tuple[int, int]:
    same = and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id)
    query = select(Ticket.state, Token.status, func.count()).outerjoin(Token, same).where(Ticket.event_id == event_id)
    counts = {True: 0, False: 0}
    for state, on_chain, count in connection.execute(query.group_by(Ticket.state, Token.status)):
        counts[effective_state(state, on_chain) in GOOD] += int(count)
    return counts[True], counts[False]


def step_for(span_ms: int) -> int:
    """The shortest step that shows the span in at most `MAX_STEPS`."""
    return next((step for step in STEPS_MS if span_ms // step < MAX_STEPS), STEPS_MS[-1])


def series(counts: Mapping[int, int], step_ms: int) -> tuple[Point, ...]:
    """Counts by the beginning of their step as an unbroken series: steps in which nothing happened are there too."""
    if not counts:
        return ()
    points, total = [], 0
    for at in range(min(counts), max(counts) + 1, step_ms):
        total += counts.get(at, 0)
        points.append(Point(rfc3339(at), counts.get(at, 0), total))
    return tuple(points)

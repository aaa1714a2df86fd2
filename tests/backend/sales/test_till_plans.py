"""What the till asks of PostgreSQL costs the same however much was sold, and whoever counted the tables last."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from backend.db.engine import make_engine
from backend.sales.till.batch import run_batch
from backend.sales.till.reading import lock_and_read
from backend.sales.till.seats import SeatMemory
from backend.sales.till.till import MAX_BATCH
from tests.support.shop import floor, put_on_sale, start

SOLD_BEFORE = 4 * MAX_BATCH
MOST_ROWS = 20  # for one hold and one payment

_LOOKED_AT = text("SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_xact_user_tables")


@pytest.fixture
def by_key(postgres_engine: Engine) -> Iterator[Engine]:
    """As the till connects."""
    engine = make_engine(postgres_engine.url.render_as_string(hide_password=False), by_key=True)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("counted", [False, True], ids=["never counted", "counted lately"])
def test_a_batch_looks_at_no_orders_but_its_own(by_key: Engine, *, counted: bool) -> None:
    """The planner took the index of events for a handful of orders, and an order's cost grew with the sale."""
    event_id = put_on_sale(by_key, floor=2 * SOLD_BEFORE, max_per_order=1)
    holds = [floor() for _ in range(SOLD_BEFORE)]
    for at in range(0, SOLD_BEFORE, MAX_BATCH):
        run_batch(by_key, event_id, holds[at : at + MAX_BATCH], SeatMemory(event_id))
    if counted:
        with by_key.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    with by_key.connect() as connection:
        before = rows_looked_at(connection)
        _event, found = lock_and_read(connection, event_id, [floor(), start(holds[0].order_id), holds[1]])
        assert set(found.orders) == {holds[0].order_id}
        assert [known.resource_id for known in found.keys.values()] == [holds[1].order_id]
        assert rows_looked_at(connection) - before <= MOST_ROWS


def rows_looked_at(connection: Connection) -> int:
    """Rows of all tables that this connection's statements had to look at lately."""
    return int(connection.execute(_LOOKED_AT).scalar_one())

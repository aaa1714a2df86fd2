"""What the sale is compared with writes into the same tables: it has to keep up with them."""

from sqlalchemy import Engine, func, select

from backend.db.tables.orders import Order, Ticket
from backend.domain.ids import new_id
from tests.benchmarks.sales_limits import BareWriter, hold_rows, pay_rows
from tests.support.shop import put_on_sale


def test_the_bare_writer_writes_the_rows_of_an_order(postgres_engine: Engine) -> None:
    event, order = put_on_sale(postgres_engine), new_id(0)
    writer = BareWriter(postgres_engine.url.render_as_string(hide_password=False))
    for rows in (hold_rows(event, order), pay_rows(event, order)):
        writer.commit(rows)
    with postgres_engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Order)) == 1
        assert connection.scalar(select(func.count()).select_from(Ticket)) == 1

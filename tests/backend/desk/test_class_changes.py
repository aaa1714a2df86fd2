"""Prices and numbers of tickets change while tickets are sold: nobody pays another price, nothing is sold twice."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, select

from backend.db.tables.events import Stock, TicketClass
from backend.db.tables.orders import Order
from backend.desk.audit import latest
from backend.desk.class_changes import bounds_of, change_classes
from backend.domain.selling.outcomes import Again
from backend.errors import Refused
from backend.sales.till.till import Till
from tests.support.checker import check_sales
from tests.support.shop import floor, put_on_sale

SECRET = b"s" * 32
THERE_ARE = 40
FLOOR = 1  # its number


@pytest.fixture
def event_id(engine: Engine) -> UUID:
    return put_on_sale(engine, floor=THERE_ARE)


def change(engine: Engine, **form: str) -> None:
    change_classes(engine, SECRET, "anna", "gig", {name.replace("_", "-"): text for name, text in form.items()})


def now(connection: Connection, event_id: UUID) -> tuple[int, int]:
    """Price and number of standing tickets."""
    query = select(TicketClass.price_minor, Stock.capacity).join(
        Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number)
    )
    row = connection.execute(query.where(TicketClass.event_id == event_id, TicketClass.number == FLOOR)).one()
    return row.price_minor, row.capacity


def test_a_new_price_is_for_new_orders_only(engine: Engine, event_id: UUID) -> None:
    till = Till(engine, event_id)
    before = till.ask(floor(2))
    change(engine, price_1="10.00")
    after = till.ask(floor(2))
    assert isinstance(before, Again)
    assert isinstance(after, Again)
    with engine.connect() as connection:
        totals = {row.id: row.total_minor for row in connection.execute(select(Order.id, Order.total_minor))}
        face = bounds_of(connection, event_id)[0].price_most
    assert totals == {before.resource_id: 2 * face, after.resource_id: 2000}
    change(engine, price_1=f"{face // 100}.{face % 100:02}")  # and back up to what the contract has


def test_a_price_above_the_contracts_is_refused_since_resale_is_capped_by_that(engine: Engine, event_id: UUID) -> None:
    with engine.connect() as connection:
        face = bounds_of(connection, event_id)[0].price_most
    change(engine, price_1="1.00")
    with pytest.raises(Refused, match="price_too_high"):
        change(engine, price_1=f"{face // 100 + 1}")
    with engine.connect() as connection:
        assert now(connection, event_id) == (100, THERE_ARE)


@pytest.mark.parametrize("number", ["4", "41", "-1", "", "1e1", "\u0665", "9" * 30])
def test_a_number_below_what_is_out_or_above_the_contracts_is_refused_and_nothing_changes(
    engine: Engine, event_id: UUID, number: str
) -> None:
    Till(engine, event_id).ask(floor(5))
    with pytest.raises(Refused, match="capacity_out_of_bounds"):
        change(engine, price_1="1.00", capacity_1=number)
    with engine.connect() as connection:
        assert now(connection, event_id)[1] == THERE_ARE
        assert now(connection, event_id)[0] != 100


def test_every_change_is_in_the_log_with_before_and_after(engine: Engine, event_id: UUID) -> None:
    change(engine, price_1="12.50", capacity_1="30")
    change(engine, price_1="12.50", capacity_1="30")  # sent twice: no change, no entry
    (entry,) = latest(engine)
    assert (entry["actor"], entry["action"], entry["about"]) == ("anna", "class_change", "event:gig")
    assert entry["detail"]["price"][1] == "12.50"
    assert entry["detail"]["capacity"] == [THERE_ARE, 30]
    assert event_id


def test_lowering_the_number_while_buyers_press_buy_never_oversells(engine: Engine, event_id: UUID) -> None:
    till = Till(engine, event_id)

    def buy(_number: int) -> bool:
        return isinstance(till.ask(floor()), Again)

    def lower(number: int) -> None:
        with suppress(Refused):
            change(engine, capacity_1=str(number))

    with ThreadPoolExecutor(12) as pool:
        bought, lowered = [], []
        for number in range(THERE_ARE - 1, 0, -3):
            lowered.append(pool.submit(lower, number))
            bought += [pool.submit(buy, number) for _ in range(3)]
        held = sum(one.result() for one in bought)
        for one in lowered:
            one.result()
    with engine.connect() as connection:
        stock = connection.execute(select(Stock).where(Stock.event_id == event_id, Stock.class_number == FLOOR)).one()
    assert stock.held == held <= stock.capacity < THERE_ARE
    assert check_sales(engine).problems == []

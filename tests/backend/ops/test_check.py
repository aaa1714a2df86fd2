"""The checker finds what it promises to find: every planted wrong is named."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, insert, update

from backend.db.engine import read
from backend.db.tables.chain import Token
from backend.db.tables.events import Stock
from backend.db.tables.orders import Order, Payment, Ticket
from backend.ops.check import check_chain, check_rows
from backend.wiring import Services
from tests.backend.web.conftest import buyer, client, services  # noqa: F401 - fixtures
from tests.support.buyer import Buyer


def _drop_a_ticket(connection: Connection) -> None:
    connection.execute(delete(Ticket).where(Ticket.position == 0))


def _forget_a_sale(connection: Connection) -> None:
    connection.execute(update(Stock).where(Stock.sold > 0).values(sold=Stock.sold - 1))


def _lose_the_money(connection: Connection) -> None:
    connection.execute(update(Payment).values(state="declined"))


def _keep_the_money(connection: Connection) -> None:
    connection.execute(update(Order).values(state="expired"))


def _mint_for_nobody(connection: Connection) -> None:
    token = {"owner": bytes(20), "epoch": 0, "status": 0, "minted_block": 1, "changed_block": 1}
    connection.execute(insert(Token).values(event_id=UUID(int=1), token_id=1, **token))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (_drop_a_ticket, "without their tickets"),
        (_forget_a_sale, "stock says"),
        (_lose_the_money, "other money than asked"),
        (_keep_the_money, "money kept without tickets"),
        (_mint_for_nobody, "tokens without a ticket"),
    ],
)
def test_every_planted_wrong_is_found(
    services: Services,  # noqa: F811 - the fixture
    buyer: Buyer,  # noqa: F811 - the fixture
    wrong: Callable[[Connection], None],
    words: str,
) -> None:
    assert buyer.pay(buyer.held({"class": "floor", "quantity": 2})).status_code == 200
    with read(services.engine) as connection:
        assert check_rows(connection).problems == ()
    with services.engine.begin() as connection:
        wrong(connection)
    with read(services.engine) as connection:
        assert any(words in problem for problem in check_rows(connection).problems)


def test_nothing_sold_breaks_no_promise(services: Services) -> None:  # noqa: F811 - the fixture
    with read(services.engine) as connection:
        assert check_rows(connection).problems == ()
        assert check_chain(connection, lambda _address: []).problems == ()

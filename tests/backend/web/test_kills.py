"""SIGKILL of the real web server at each boundary of a sale: restarted, the buyer's repeated requests finish it."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, select

from backend.db.engine import make_engine
from backend.db.tables.orders import Order, Ticket
from backend.sales.installation import installation_secret
from backend.sales.payments.sandbox import Sandbox
from backend.wiring import BANK_FILE
from tests.support.checker import check_sales
from tests.support.installation import Installation, wait_until
from tests.support.shop import put_on_sale

# A sale is three batches of the till: the hold, the payment's start, its settlement. Each boundary is a place's name,
# the batch it belongs to, and how many batches the buyer's repeated requests take to finish the sale that died there.
STEPS = ("till.decided", "till.written", "till.committed")
BOUNDARIES = [
    *((step, batch, left) for batch, left in ((1, 3), (2, 2)) for step in STEPS),
    *(("till.decided", 3, 2), ("till.written", 3, 2), ("till.committed", 3, 1)),
    *(("pay.started", 1, 2), ("pay.charged", 1, 2)),
]
# Where the database decides what is there after the kill; the others are tried on SQLite.
COMMITS = {"till.written", "till.committed", "pay.charged"}


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path, database_url)
    engine = make_engine(database_url)
    put_on_sale(engine, floor=100)
    engine.dispose()
    yield installation
    installation.close()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


class Web:
    """The web server, killed at one boundary after the other, started again as a supervisor would."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        embedded = installation.database_url.startswith("sqlite")
        self.boundaries = [one for one in BOUNDARIES if embedded or one[0] in COMMITS]
        self.kills = 0
        self._killed: tuple[str, int, int] | None = None

    def start(self) -> None:
        """Start, to be killed at the next boundary, in the sale after the one that was cut short."""
        kill_at, left = "", self._killed[2] if self._killed else 0
        if self.boundaries:
            place, batch, _left = self._killed = self.boundaries.pop(0)
            before = left if place.startswith("till.") else int(left > 0)
            kill_at = f"{place}:{before + batch}"
        self._installation.start("web", kill_at=kill_at)
        wait_until(self._installation.web_answers, "the web server")

    def insist(self, post: Callable[[httpx.Client], httpx.Response]) -> dict[str, Any]:
        """Send a request until it is answered, as a buyer would whose wallet repeats what was not answered."""
        while True:
            try:
                with self._installation.http() as client:
                    answer = post(client)
            except httpx.HTTPError:
                self._installation.processes["web"].wait(20)
                self._installation.kill("web")
                self.kills += 1
                self.start()
                continue
            assert answer.status_code in (200, 201), answer.text
            return dict(answer.json())


def buy(web: Web, quantity: int = 2) -> UUID:
    order_key, payment_key = secrets.token_hex(8), secrets.token_hex(8)
    body = {"lines": [{"class": "floor", "quantity": quantity}, {"class": "balcony", "quantity": 1}]}
    order = web.insist(
        lambda client: client.post("/api/v1/events/gig/orders", json=body, headers={"Idempotency-Key": order_key}),
    )
    headers = {"Idempotency-Key": payment_key, "Authorization": f"Bearer {order['order_secret']}"}
    pay = {"method": "sandbox", "token": "approve"}
    paid = web.insist(
        lambda client: client.post(f"/api/v1/orders/{order['order_id']}/payments", json=pay, headers=headers),
    )
    assert len(paid["tickets"]) == quantity + 1
    return UUID(order["order_id"])


def nothing_lost_or_doubled(installation: Installation, engine: Engine, bought: set[UUID]) -> None:
    assert check_sales(engine, bought).problems == []
    with engine.connect() as connection:
        orders = connection.execute(select(Order.id, Order.total_minor, Order.state)).all()
        tickets = connection.scalars(select(Ticket.id)).all()
    assert {order.id for order in orders} == bought
    assert len(tickets) == 3 * len(bought)
    folder = installation.folder / "platform"
    bank = Sandbox(folder / BANK_FILE, installation_secret(folder / "keys"))
    assert bank.balance() == {"EUR": sum(order.total_minor for order in orders)}
    bank.close()


def test_killed_at_each_boundary_of_a_sale_nothing_is_lost_or_doubled(
    installation: Installation, engine: Engine
) -> None:
    """Each kill is a real SIGKILL of the process that serves; every sale is cut short once."""
    web = Web(installation)
    kills = len(web.boundaries)
    web.start()
    bought: set[UUID] = set()
    while web.kills < kills:
        assert len(bought) <= kills
        bought.add(buy(web))
    nothing_lost_or_doubled(installation, engine, bought)

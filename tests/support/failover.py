"""Sell while primaries are killed, and count what was acknowledged and lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from backend.app import create_app
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer, new_key
from tests.support.checker import check_sales
from tests.support.replicated import Pair, Promoter
from tests.support.shop import put_on_sale

BUYERS = 6
WARM_ORDERS = 10  # acknowledged before each kill
WAIT_SECONDS = 120


@dataclass
class Sold:
    """What buyers were told. Threads add to it."""

    orders: set[UUID] = field(default_factory=set)
    at: list[float] = field(default_factory=list)  # when each was acknowledged, by the monotonic clock
    odd: list[str] = field(default_factory=list)  # answers that nobody should get


@dataclass(frozen=True)
class Result:
    """Of a run. `lost`: orders acknowledged and not stored as paid."""

    kills: int
    acknowledged: int
    lost: int
    gaps_s: tuple[float, ...]  # from each kill to the next acknowledged order
    problems: tuple[str, ...]


def run(folder: Path, kills: int) -> Result:
    """Kill the primary `kills` times under load."""
    pair = Pair()
    promoter = Promoter(pair)
    try:
        database = pair.primary.create_database().rpartition("/")[2]
        engine = make_engine(pair.url(database))
        upgrade(engine)
        put_on_sale(engine, floor=1_000_000)
        settings = settings_from(
            {"TRUESTUB_DATA_DIR": str(folder / "data"), "TRUESTUB_DATABASE_URL": pair.url(database)}
        )
        services = wire(settings)
        try:
            sold, gaps = _sell(services, pair, promoter, kills)
            found = check_sales(engine, sold.orders).problems
        finally:
            services.close()
            engine.dispose()
    finally:
        promoter.close()
        pair.close()
    lost = [one for one in found if one.startswith("acknowledged")]
    return Result(kills, len(sold.orders), len(lost) and lost[0].count("UUID("), tuple(gaps), (*found, *sold.odd))


def _sell(services: Services, pair: Pair, promoter: Promoter, kills: int) -> tuple[Sold, list[float]]:
    stop, sold = threading.Event(), Sold()
    app = create_app(services)
    buyers = [threading.Thread(target=_buy, args=(Buyer(app.test_client()), sold, stop)) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    gaps = []
    try:
        for _ in range(kills):
            gaps.append(_kill(pair, promoter, sold))
            pair.rejoin()
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join(WAIT_SECONDS)
    return sold, gaps


def _kill(pair: Pair, promoter: Promoter, sold: Sold) -> float:
    """Kill the primary under load; seconds until an order is acknowledged again."""
    before, promoted = len(sold.at), promoter.promoted
    _wait(lambda: len(sold.at) >= before + WARM_ORDERS, "orders before the kill")
    killed = time.monotonic()
    pair.kill_primary()
    _wait(lambda: promoter.promoted > promoted, "the promoter")
    _wait(lambda: _first_after(sold, killed) is not None, "orders after the kill")
    after = _first_after(sold, killed)
    assert after is not None
    return after - killed


def _first_after(sold: Sold, moment: float) -> float | None:
    """The first order acknowledged at least a moment after: what was on its way when the kill came does not count."""
    return next((at for at in list(sold.at) if at > moment + 0.25), None)


def _buy(buyer: Buyer, sold: Sold, stop: threading.Event) -> None:
    """One order after the other, each repeated with its key until there is an answer."""
    while not stop.is_set():
        order_key, pay_key = new_key(), new_key()
        held = None
        while held is None and not stop.is_set():
            answer = buyer.order(key=order_key)
            if answer.status_code == 201:
                held = answer.get_json()
            elif answer.status_code != 503:
                sold.odd.append(f"order: {answer.status_code}")
                return
        while held is not None and not stop.is_set():
            answer = buyer.pay(held, key=pay_key)
            if answer.status_code == 200:
                sold.orders.add(UUID(held["order_id"]))
                sold.at.append(time.monotonic())
                break
            if answer.status_code not in (202, 503):
                sold.odd.append(f"payment: {answer.status_code} {answer.get_data(as_text=True)[:200]}")
                return


def _wait(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.01)

"""Sell while primaries are killed, and count what was acknowledged and lost."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Protocol
from uuid import UUID

from backend.app import create_app
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer, new_key
from tests.support.checker import check_sales
from tests.support.replicated import PromotedPair
from tests.support.shop import put_on_sale

BUYERS = 6
WARM_ORDERS = 10  # acknowledged before each kill
WAIT_SECONDS = 120


class Cluster(Protocol):
    """Servers of which one takes writes, and whatever gives that to another when it is gone."""

    def create_database(self) -> str:
        """Its name."""

    def url(self, database: str) -> str:
        """For clients: all hosts, and only the one that takes writes."""

    def leader(self) -> str | None:
        """Who takes writes now; none while nobody does."""

    def rejoin(self) -> None:
        """Whoever is gone comes back, and commits wait for a standby again."""


@dataclass
class Sold:
    """What buyers were told. Threads add to it."""

    orders: set[UUID] = field(default_factory=set)
    at: list[float] = field(default_factory=list)  # when each was acknowledged, by the monotonic clock
    odd: list[str] = field(default_factory=list)  # answers that nobody should get


@dataclass(frozen=True)
class Result:
    """Of a run. `lost`: orders acknowledged and not stored as paid."""

    acknowledged: int
    lost: int
    gaps_s: tuple[float, ...]  # from each break to the next acknowledged order
    silences_s: tuple[float, ...]  # the longest time without one, from each break until the next leader sells
    problems: tuple[str, ...]


def run(folder: Path, kills: int) -> Result:
    """Kill the primary of a pair with the tests' own promoter."""
    with closing(PromotedPair()) as pair:
        return sell_through(folder, pair, [pair.kill_primary] * kills)


def sell_through(folder: Path, cluster: Cluster, breaks: Sequence[Callable[[], None]]) -> Result:
    """Sell while the cluster gets through each break; each makes another the leader."""
    url = cluster.url(cluster.create_database())
    engine = make_engine(url)
    upgrade(engine)
    put_on_sale(engine, floor=1_000_000)
    services = wire(settings_from({"TRUESTUB_DATA_DIR": str(folder / "data"), "TRUESTUB_DATABASE_URL": url}))
    try:
        sold, times = _sell(services, cluster, breaks)
        found = check_sales(engine, sold.orders).problems
    finally:
        services.close()
        engine.dispose()
    lost = [one for one in found if one.startswith("acknowledged")]
    gaps, silences = zip(*times, strict=True)
    return Result(len(sold.orders), len(lost) and lost[0].count("UUID("), gaps, silences, (*found, *sold.odd))


def _sell(
    services: Services, cluster: Cluster, breaks: Sequence[Callable[[], None]]
) -> tuple[Sold, list[tuple[float, float]]]:
    stop, sold = threading.Event(), Sold()
    app = create_app(services)
    buyers = [threading.Thread(target=_buy, args=(Buyer(app.test_client()), sold, stop)) for _ in range(BUYERS)]
    for buyer in buyers:
        buyer.start()
    times = []
    try:
        for begin in breaks:
            times.append(_get_through(begin, cluster, sold))
            cluster.rejoin()
    finally:
        stop.set()
        for buyer in buyers:
            buyer.join(WAIT_SECONDS)
    return sold, times


def _get_through(begin: Callable[[], None], cluster: Cluster, sold: Sold) -> tuple[float, float]:
    """Break something under load; seconds until an order is acknowledged again, and the longest silence."""
    before, led = len(sold.at), cluster.leader()
    assert led
    _wait(lambda: len(sold.at) >= before + WARM_ORDERS, "orders before the break")
    broken = time.monotonic()
    begin()
    _wait(lambda: cluster.leader() not in (None, led), "the next leader")
    leads = time.monotonic()
    _wait(lambda: _first_after(sold, leads) is not None, "orders after the break")
    after = _first_after(sold, broken)
    assert after is not None
    at = [broken, *sorted(moment for moment in list(sold.at) if moment > broken)]
    return after - broken, max(later - earlier for earlier, later in pairwise(at))


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
                break


def _wait(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.01)

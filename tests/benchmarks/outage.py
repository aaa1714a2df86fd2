"""`make bench-outage`: the same sale while the chain node is healthy, killed, hanging (SIGSTOP), and with no node set.

The four arms take turns in one run, so that what else the machine does falls on all of them alike. The last line is one
JSON object: `killed_vs_healthy` and `hanging_vs_healthy`, orders a second of an arm beside those of the healthy arm in
the same turn: median, lowest and highest over the turns; `failover_lost` and `failover_s`, of the primary
database killed under load with a synchronous standby (orders acknowledged and not stored; the longest time from a kill
to the next acknowledged order). `--quick` takes short turns and fewer kills.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from backend.db.engine import make_engine
from tests.benchmarks.limits import Limits, missed
from tests.benchmarks.sales import QUICK, Bench, _event, _shop
from tests.support import processes
from tests.support.checker import check_sales, rpc
from tests.support.failover import run
from tests.support.installation import Installation, wait_until
from tests.support.postgres import PostgresServer

ROUNDS, SECONDS, KILLS = 12, 5.0, 10  # many short turns: the machine's own ups and downs fall on all arms
QUICK_ROUNDS, QUICK_SECONDS, QUICK_KILLS = 3, 3.0, 2

Arm = tuple[Callable[[Installation], None], Callable[[Installation], None]]  # what begins it, what ends it

LIMITS: Limits = {
    "killed_vs_healthy": (">=", 0.95),
    "hanging_vs_healthy": (">=", 0.95),
    "failover_lost": ("==", 0),
    "failover_s": ("<=", 10),
}


def main() -> None:
    quick = "--quick" in sys.argv
    rounds, seconds, kills = (QUICK_ROUNDS, QUICK_SECONDS, QUICK_KILLS) if quick else (ROUNDS, SECONDS, KILLS)
    server = PostgresServer()
    bench = Bench(QUICK, server)
    rates: dict[str, list[float]] = {name: [] for name in ARMS}
    try:
        server.start()
        with (
            tempfile.TemporaryDirectory(prefix="truestub-bench-") as folder,
            _shop(Path(folder) / "shop", server.create_database()) as shop,
        ):
            slug = _event(shop, "hot", {"A": "1-5000"})
            bench.sell(shop, slug, seconds, what="(warm-up)")
            for turn in range(rounds):
                for name in _order(turn):
                    begin, end = ARMS[name]
                    begin(shop)
                    _requests, orders = bench.sell(shop, slug, seconds, what=f"node {name}")
                    rates[name].append(orders.per_second)
                    end(shop)
            _promises(shop)
    finally:
        server.stop()
    figures = {**_compared(rates), **_failover(kills)}
    print(json.dumps({**figures, **missed(figures, LIMITS)}))


def _compared(rates: dict[str, list[float]]) -> dict[str, float | list[float]]:
    """Each arm beside the healthy one of its turn: median, lowest and highest; and the median orders a second."""
    figures: dict[str, float | list[float]] = {}
    for name in ("killed", "hanging", "off"):
        beside = [rate / healthy for rate, healthy in zip(rates[name], rates["healthy"], strict=True)]
        figures[f"{name}_vs_healthy"] = round(statistics.median(beside), 3)
        figures[f"{name}_spread"] = [round(min(beside), 3), round(max(beside), 3)]
    return figures | {f"{name}_orders_per_s": round(statistics.median(rate)) for name, rate in rates.items()}


def _failover(kills: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="truestub-failover-") as folder:
        result = run(Path(folder), kills)
    if result.problems:
        raise SystemExit(f"a promise was broken: {result.problems[:3]}")
    return {"failover_lost": result.lost, "failover_s": round(max(result.gaps_s), 2), "failover_kills": kills}


def _order(turn: int) -> list[str]:
    """Each arm comes first once, so that none always follows the same other."""
    names = list(ARMS)
    return names[turn % len(names) :] + names[: turn % len(names)]


def _promises(shop: Installation) -> None:
    engine = make_engine(shop.database_url)
    problems = check_sales(engine).problems
    engine.dispose()
    if problems:
        raise SystemExit(f"a promise was broken: {problems[:3]}")


def _nothing(_shop: Installation) -> None:
    pass


def _kill(shop: Installation) -> None:
    shop.run("node", "save", str(_state(shop)))
    shop.kill("node")


def _start(shop: Installation) -> None:
    shop.start("node", "node", "start", "--port", str(shop.node_port), "--load", str(_state(shop)))
    wait_until(lambda: _answers(shop), "the node")


def _stop(shop: Installation) -> None:
    processes.stop(shop.processes["node"].pid)


def _wake(shop: Installation) -> None:
    processes.wake(shop.processes["node"].pid)


def _switch_off(shop: Installation) -> None:
    _work_with(shop, "")


def _switch_on(shop: Installation) -> None:
    _work_with(shop, shop.node_url)


def _work_with(shop: Installation, urls: str) -> None:
    shop.environ["TRUESTUB_NODE_URLS"] = urls
    shop.kill("work")
    shop.start("work")


def _state(shop: Installation) -> Path:
    return shop.folder / "kept.state"


def _answers(shop: Installation) -> bool:
    try:
        return bool(rpc(shop.node_url, "eth_chainId"))
    except (OSError, RuntimeError):
        return False


ARMS: dict[str, Arm] = {
    "healthy": (_nothing, _nothing),
    "killed": (_kill, _start),
    "hanging": (_stop, _wake),
    "off": (_switch_off, _switch_on),
}


if __name__ == "__main__":
    main()

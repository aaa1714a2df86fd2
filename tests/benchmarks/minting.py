"""`make bench-mint`: paid tickets from their rows to the index, through batcher, relayer, a real node and indexer.

Once on each database. Afterwards every ticket must have its one token, and the index say what the node's logs say of
each. The last line is one JSON object: `tickets_per_s` of the slower database, and what of the time
the node itself was busy (`node_share`: its CPU seconds ÷ seconds of the run; the node executes on one core);
`cpu_us_per_ticket` are this program's, without the node's and PostgreSQL's.

TICKETS=100000 DATABASE=sqlite|postgresql python -m tests.benchmarks.minting
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from uuid import UUID

from sqlalchemy import Engine, func, insert, select

from backend.chain.batcher import close_batches
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import DEVELOPMENT_KEYS, ChainKeys, RelayerKey
from backend.chain.rpc import Node
from backend.chain.transport import Transport
from backend.chain.worker import ChainWorker
from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.tables.chain import ChainContract, Token
from backend.db.tables.events import Platform
from backend.ops.crew import Task, work
from backend.settings import settings_from
from tests.benchmarks.limits import Limits, missed
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.postgres import PostgresServer
from tests.support.rows import add_event, add_paid_tickets

TICKETS = int(os.environ.get("TICKETS", "100000"))
DATABASES = (os.environ["DATABASE"],) if "DATABASE" in os.environ else ("sqlite", "postgresql")
PER_ORDER = 500  # rows of an order; only how the benchmark's rows are made
LIMIT_SECONDS = 600
LIMITS: Limits = {"tickets_per_s": (">=", 5_000)}
KEYS = ChainKeys(**{role: RelayerKey(secret) for role, secret in DEVELOPMENT_KEYS.items()})


def main() -> None:
    runs = {}
    for database in DATABASES:
        runs[database] = _run(database)
        print(database, json.dumps(runs[database]), flush=True)
    slower = min(runs.values(), key=lambda figures: figures["tickets_per_s"])
    rates = {f"{name}_per_s": figures["tickets_per_s"] for name, figures in runs.items()}
    print(json.dumps({**slower, **rates, **missed(slower, LIMITS)}))


def _run(database: str) -> dict[str, float]:
    server = PostgresServer().start() if database == "postgresql" else None
    node = ChainNode()
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = server.create_database() if server else f"sqlite:///{folder}/mint.sqlite"
            engine = make_engine(url)
            upgrade(engine)
            node.start()
            try:
                return _measure(engine, node, Path(folder))
            finally:
                engine.dispose()
    finally:
        node.close()
        if server:
            server.stop()


def _measure(engine: Engine, node: ChainNode, folder: Path) -> dict[str, float]:
    with engine.begin() as connection:
        connection.execute(insert(Platform).values(id=1, platform_id=bytes(16), created_ms=0))
        event_id = add_event(connection, (TICKETS,))
        enqueue_create_event(connection, event_id)
    transport = Transport()
    settings = settings_from({"TRUESTUB_DATA_DIR": str(folder), "TRUESTUB_FINALITY_BLOCKS": "2"})
    chain = ChainWorker(engine, settings, [Node(node.url, transport)], KEYS)
    minting = Task("chain", 0.25, chain.round)
    try:
        with _working(engine, minting):
            _wait(lambda: _born(engine), "the contracts")
        _pay(engine, event_id)
        busy, own, began = node.cpu_seconds, time.process_time(), time.perf_counter()
        with _working(engine, Task("batcher", 0.25, lambda _held: close_batches(engine, 0)), minting):
            _wait(lambda: _tokens(engine) == TICKETS, "every token")
            seconds = time.perf_counter() - began
            busy, own = node.cpu_seconds - busy, time.process_time() - own
        if problems := check_chain(engine, node.url).problems:
            raise SystemExit(f"a promise was broken: {problems[:3]}")
    finally:
        transport.close()
    return {
        "tickets_per_s": round(TICKETS / seconds),
        "tickets": TICKETS,
        "seconds": round(seconds, 2),
        "node_share": round(busy / seconds, 2),
        "cpu_us_per_ticket": round(own / TICKETS * 1e6),
    }


@contextmanager
def _working(engine: Engine, *tasks: Task) -> Iterator[None]:
    """The worker's loop with these tasks, in this process."""
    stop = Event()
    worker = Thread(target=work, args=(engine, tasks, "bench", stop))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def _pay(engine: Engine, event_id: UUID) -> None:
    """Paid orders; half the owners own several tickets, as buyers do."""
    random = Random(1)
    with engine.begin() as connection:
        for start in range(0, TICKETS, PER_ORDER):
            owners = [random.randbytes(20) for _ in range(PER_ORDER // 2)]
            tickets = [owners[random.randrange(len(owners))] for _ in range(min(PER_ORDER, TICKETS - start))]
            add_paid_tickets(connection, event_id, tickets, sold_ms=1000 + start)


def _born(engine: Engine) -> bool:
    with read(engine) as connection:
        event = (ChainContract.kind == "event") & ChainContract.block_number.is_not(None)
        return connection.scalar(select(func.count()).select_from(ChainContract).where(event)) == 1


def _tokens(engine: Engine) -> int:
    with read(engine) as connection:
        return connection.scalar(select(func.count()).select_from(Token)) or 0


def _wait(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


if __name__ == "__main__":
    main()

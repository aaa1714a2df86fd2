"""How fast the till sells over HTTP, as ratios to limits measured in the same run: `make bench-sales`.

Real processes on loopback: granian with the whole application, worker, signer, a chain node that mints, PostgreSQL with
fsync on, and this client, all on the same cores. `--quick` takes a few seconds for each figure and a smaller database,
for work on a shared machine; `--only NAME` measures one part. The last line is one JSON object:
`missed` names what fell short; `peak_mb` is the largest process of ours, and the client's, the node's and PostgreSQL's
(with its shared buffers) stand beside it.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select, text

from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.tables.chain import Token
from backend.db.tables.events import Event, Stock
from backend.db.tables.orders import Ticket
from backend.ops.supervise import die_with_parent
from tests.benchmarks import sales_rooms, sales_talk
from tests.benchmarks.limits import Limits, missed
from tests.support.checker import check_sales
from tests.support.installation import Installation, wait_until
from tests.support.load import Measured, converse
from tests.support.postgres import PostgresServer, free_port
from tests.support.processes import family
from tests.support.shop import EVENT, put_on_sale

CONNECTIONS = 32
RACE_CONNECTIONS, RACE_TRIES, RACE_TICKETS = 64, 10_000, 500
ROOMY = 1_000_000  # more than a run can sell, and the most that a class can have
LIMITS: Limits = {
    "orders_per_s": (">=", 700),
    "p99_ms": ("<=", 100),
    "peak_mb": ("<=", 200),
    "growth_ratio": ("<=", 1.2),
    "race_sold": ("==", 500),
    "race_answers_per_s": (">=", 2_000),
    "race_p99_ms": ("<=", 50),
    "room_polls_per_s": (">=", 2_000),
    "room_web_peak_mb": ("<=", 300),
}
PARTS = ("limits", "hot", "shapes", "race", "room", "growth", "sqlite")


@dataclass(frozen=True)
class Effort:
    """How long to measure. Seconds, and tickets of the large event."""

    hot: float
    other: float
    sold_before: int


FULL = Effort(hot=20, other=5, sold_before=1_000_000)
QUICK = Effort(hot=4, other=2, sold_before=100_000)


class Bench:
    """One run: its figures, in the order they were measured."""

    def __init__(self, effort: Effort, server: PostgresServer) -> None:
        self.effort = effort
        self.server = server
        self.figures: dict[str, Any] = {}
        self.rows: list[tuple[str, str, str, str]] = []
        self.cpu_ms: dict[str, float] = {}  # of one order, by process, of the row that comes next

    def sell(
        self, shop: Installation, slug: str, seconds: float, connections: int = CONNECTIONS, *, what: str, **order: Any
    ) -> tuple[Measured, Measured]:
        """Orders for `seconds`; what single requests and whole orders took."""
        requests, orders = Measured(), Measured()
        before = _cpu_seconds(shop, self.server)
        converse(shop.web_port, connections, sales_talk.buyers(slug, seconds, orders, **order), requests)
        after = _cpu_seconds(shop, self.server)
        orders.seconds = requests.seconds
        self.cpu_ms = {name: 1000 * (after[name] - before[name]) / len(orders.taken) for name in before}
        self.row(what, orders.per_second, "orders/s", requests)
        return requests, orders

    def row(self, what: str, rate: float, unit: str, requests: Measured) -> None:
        times = f"{requests.percentile_ms(0.5):.1f} / {requests.percentile_ms(0.99):.1f} ms"
        spent = " ".join(f"{name} {ms:.2f}" for name, ms in self.cpu_ms.items() if ms >= 0.005)
        self.rows.append((what, f"{rate:,.0f} {unit}", times, spent))
        self.cpu_ms = {}
        print(f"{what}: {rate:,.0f} {unit}, p50/p99 {times}; {spent}", file=sys.stderr, flush=True)

    def note(self, **figures: float | str) -> None:
        for name, value in figures.items():
            self.figures[name] = round(value, 3) if isinstance(value, float) else value


def main() -> None:
    arguments = _arguments()
    server = PostgresServer()
    bench = Bench(QUICK if arguments.quick else FULL, server)
    parts = arguments.only or PARTS
    try:
        server.start()
        with tempfile.TemporaryDirectory(prefix="truestub-bench-") as folder:
            if "limits" in parts:
                _limits(bench, server)
            if set(parts) & {"hot", "shapes", "race", "room", "growth"}:
                with _shop(Path(folder) / "pg", server.create_database()) as shop:
                    _measure(bench, shop, parts)
            if "sqlite" in parts:
                with _shop(Path(folder) / "lite", "") as shop:
                    slug = _event(shop, "embedded")
                    _requests, orders = bench.sell(shop, slug, bench.effort.other, what="SQLite, 32 connections")
                    bench.note(sqlite_orders_per_s=orders.per_second)
    finally:
        server.stop()
    _tell(bench)


def _measure(bench: Bench, shop: Installation, parts: tuple[str, ...]) -> None:
    engine = make_engine(shop.database_url)
    try:
        hot = _event(shop, "hot", {"A": "1-5000", "B": "1-5000"})
        bench.sell(shop, hot, 1.0, what="(warm-up)")
        if "hot" in parts:
            _hot(bench, shop, engine, hot)
        if "shapes" in parts:
            _shapes(bench, shop, hot)
        if "race" in parts:
            _race(bench, shop, engine)
        if "room" in parts:
            _room(bench, shop, engine)
        bench.note(**_memory(shop), peak_mb_postgres=max(map(_peak_mb, family(bench.server.pid))))
        problems = check_sales(engine).problems
        if problems:
            raise SystemExit(f"a promise was broken: {problems[:3]}")
        if "growth" in parts:
            shop.kill("work")  # the tickets of the past are rows only; nothing should be done with them
            _growth(bench, shop, engine)
            bench.note(peak_mb=max(bench.figures["peak_mb"], *map(_peak_mb, family(shop.processes["web"].pid))))
    finally:
        engine.dispose()


def _limits(bench: Bench, server: PostgresServer) -> None:
    """A bare Flask route and a bare group-commit writer, behind the same server."""
    url, port = server.create_database(), free_port()
    engine = make_engine(url)
    upgrade(engine)
    event = put_on_sale(engine)
    engine.dispose()
    command = [sys.executable, "-m", "tests.benchmarks.sales_limits", str(port), url, str(event)]
    process = subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: PLW1509 - only prctl
    try:
        wait_until(lambda: _listens(port), "the bare server")
        bare = converse(port, CONNECTIONS, sales_talk.bare(bench.effort.other), Measured())
        bench.row("bare Flask route", bare.per_second, "requests/s", bare)
        orders = Measured()
        writer = converse(port, CONNECTIONS, sales_talk.bare_orders(bench.effort.other, orders), Measured())
        orders.seconds = writer.seconds
        bench.row("bare group commit, same rows", orders.per_second, "orders/s", writer)
        bench.note(bare_flask_requests_per_s=bare.per_second, bare_writer_orders_per_s=orders.per_second)
    finally:
        process.terminate()
        process.wait()


def _hot(bench: Bench, shop: Installation, engine: Engine, slug: str) -> None:
    requests, orders = bench.sell(shop, slug, bench.effort.hot, what="one hot event, 32 connections")
    bench.note(
        orders_per_s=orders.per_second,
        p99_ms=requests.percentile_ms(0.99),
        order_p99_ms=orders.percentile_ms(0.99),
        orders=len(orders.taken),
    )
    flask, writer = (bench.figures.get(name) for name in ("bare_flask_requests_per_s", "bare_writer_orders_per_s"))
    if flask and writer:
        bench.note(
            vs_bare_flask=2 * orders.per_second / flask,  # requests to requests
            vs_bare_writer=orders.per_second / writer,
        )
    with read(engine) as connection:
        sold = connection.scalar(select(func.count()).select_from(Ticket).where(Ticket.token_id.is_not(None)))
        minted = connection.scalar(select(func.count()).select_from(Token))
    bench.note(tickets_batched=int(sold or 0), tickets_minted=int(minted or 0))


def _shapes(bench: Bench, shop: Installation, slug: str) -> None:
    seconds = bench.effort.other
    for connections in (1, 8):
        _requests, orders = bench.sell(shop, slug, seconds, connections, what=f"{connections} connection(s)")
        bench.note(**{f"orders_per_s_{connections}": orders.per_second})
    for quantity in (2, 8):
        _requests, orders = bench.sell(shop, slug, seconds, what=f"orders of {quantity}", quantity=quantity)
        bench.note(**{f"orders_of_{quantity}_per_s": orders.per_second})
    _requests, orders = bench.sell(shop, slug, seconds, what="reserved seats", code="balcony")
    bench.note(seated_orders_per_s=orders.per_second)


def _race(bench: Bench, shop: Installation, engine: Engine) -> None:
    """Ten thousand tries for five hundred tickets."""
    slug = _event(shop, "rush", floor=RACE_TICKETS)
    race, requests = sales_talk.Race(RACE_TRIES), Measured()
    converse(shop.web_port, RACE_CONNECTIONS, sales_talk.racers(slug, race), requests)
    with read(engine) as connection:
        stock = connection.execute(
            select(Stock.sold, Stock.held)
            .join(Event, Event.id == Stock.event_id)
            .where(Event.slug == slug, Stock.class_number == 1)
        ).one()
    if (race.sold, stock.sold, stock.held) != (RACE_TICKETS, RACE_TICKETS, 0):
        raise SystemExit(f"the race was lost: {race.sold} answered, {stock.sold} sold, {stock.held} held")
    away = Measured(taken=race.turned_away, seconds=race.last_refusal - race.first_refusal)
    bench.row(f"race: {len(away.taken)} of {race.tries} turned away", away.per_second, "answers/s", away)
    bench.note(race_sold=race.sold, race_answers_per_s=away.per_second, race_p99_ms=away.percentile_ms(0.99))


def _room(bench: Bench, shop: Installation, engine: Engine) -> None:
    """A crowd in the waiting room, asking after its places."""
    slug = _event(shop, "crowd")
    sales_rooms.open_room(engine, slug)
    joined = converse(shop.web_port, CONNECTIONS, sales_rooms.comers(slug), Measured())
    bench.row("joining the waiting room", joined.per_second, "people/s", joined)
    places = sales_rooms.fill_room(shop, engine, slug)
    polls = converse(shop.web_port, CONNECTIONS, sales_rooms.askers(slug, places, bench.effort.other), Measured())
    bench.row(f"polls of {len(places):,} people", polls.per_second, "polls/s", polls)
    bench.note(
        room_people=len(places),
        room_polls_per_s=polls.per_second,
        room_poll_p99_ms=polls.percentile_ms(0.99),
        room_web_peak_mb=max(map(_peak_mb, family(shop.processes["web"].pid))),
    )


def _growth(bench: Bench, shop: Installation, engine: Engine) -> None:
    """The same orders with 10^3 and with 10^6 tickets sold before, by turns."""
    few, many = _event(shop, "small"), _event(shop, "large")
    _sell_before(engine, few, 1_000)
    _, before = bench.sell(shop, few, bench.effort.other, what="1,000 sold before")
    _sell_before(engine, many, bench.effort.sold_before)
    _, after = bench.sell(shop, many, bench.effort.other, what=f"{bench.effort.sold_before:,} sold before")
    bench.note(growth_ratio=before.per_second / after.per_second, growth_to=bench.effort.sold_before)


def _sell_before(engine: Engine, slug: str, count: int) -> None:
    """Rows of `count` single-ticket orders, batched and minted long ago, as the till writes them."""
    with engine.begin() as connection:
        event = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one()
        values = {"event": event, "count": count, "slug": slug}
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        # The ids are spread as random ones would be in a year of selling; their order is what an index sees.
        connection.execute(
            text(
                "CREATE TEMP TABLE past ON COMMIT DROP AS "
                "SELECT n, gen_random_uuid() AS id FROM generate_series(1, :count) n"
            ),
            values,
        )
        for statement in _PAST:
            connection.execute(text(statement), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("orders", "order_lines", "payments", "idempotency_keys", "tickets", "stock"):
            connection.execute(text(f"VACUUM ANALYZE {table}"))
        connection.execute(text("CHECKPOINT"))


_PAST = (
    """INSERT INTO orders (id, event_id, state, secret_hash, quantity, total_minor, currency, hold_expires_ms,
       created_ms, paid_ms)
       SELECT id, :event, 'paid', sha256(id::text::bytea), 1, 4950, 'EUR', n, n, n FROM past""",
    """INSERT INTO order_lines (order_id, position, class_number, quantity, unit_price_minor)
       SELECT id, 0, 1, 1, 4950 FROM past""",
    """INSERT INTO payments (id, order_id, provider, provider_ref, idempotency_key, amount_minor, currency, state,
       created_ms, changed_ms)
       SELECT id, id, 'sandbox', 'sandbox-' || id, id::text, 4950, 'EUR', 'succeeded', n, n FROM past""",
    """INSERT INTO idempotency_keys (scope, key, request_hash, resource_id, status, body, created_ms)
       SELECT 'order', encode(sha256(id::text::bytea), 'hex'), sha256(id::text::bytea), id, 201, repeat('x', 300), n
       FROM past""",
    """INSERT INTO tickets (id, event_id, order_id, position, class_number, seat_number, owner, state, batch_number,
       token_id, serial, epoch, binding_number, sold_ms, changed_ms)
       SELECT id, :event, id, 0, 1, 0, substr(sha256(id::text::bytea), 1, 20), 'valid', 1 + n / 1000,
       ((1 + n / 1000)::bigint << 16) | (n % 1000), 1, 0, 0, n, n FROM past""",
    """UPDATE stock SET sold = sold + :count, capacity = capacity + :count
       WHERE event_id = :event AND class_number = 1 AND :slug = :slug""",
)


@contextmanager
def _shop(folder: Path, database_url: str) -> Iterator[Installation]:
    """An installation of real processes, minting."""
    folder.mkdir()
    shop = Installation(folder, database_url, TRUESTUB_BATCH_WAIT_SECONDS="60")
    try:
        shop.start("node", "node", "start", "--port", str(shop.node_port))
        shop.run("init")
        shop.start("signer", "signer", "run")
        wait_until((folder / "platform" / "signer.sock").exists, "the signer")
        shop.start("web")
        shop.start("work")
        wait_until(shop.web_answers, "the web server")
        yield shop
    finally:
        shop.close()


def _event(shop: Installation, slug: str, rows: dict[str, str] | None = None, floor: int = ROOMY) -> str:
    """A new event on sale."""
    lines = ", ".join(f'{{row = "{row}", seats = "{seats}"}}' for row, seats in (rows or {"A": "1-6"}).items())
    file = shop.folder / f"{slug}.toml"
    file.write_text(EVENT.format(slug=slug, floor=floor, max_per_order=8, rows=lines, extra=""))
    shop.run("event", "create", str(file))
    return slug


def _memory(shop: Installation) -> dict[str, float]:
    """Peak resident memory of each process of ours, in MB, and the largest."""
    peaks = {
        f"peak_mb_{name}": max(map(_peak_mb, family(shop.processes[name].pid))) for name in ("web", "work", "signer")
    }
    peaks["peak_mb_client"] = _peak_mb(os.getpid())
    peaks["peak_mb_node"] = max(map(_peak_mb, family(shop.processes["node"].pid)))
    return {**peaks, "peak_mb": max(peaks[f"peak_mb_{name}"] for name in ("web", "work", "signer"))}


def _cpu_seconds(shop: Installation, server: PostgresServer) -> dict[str, float]:
    """User and system seconds so far, of each process of the shop with its children, of PostgreSQL, and of this one."""
    roots = {name: process.pid for name, process in shop.processes.items()} | {"postgres": server.pid}
    mine = os.times()
    return {name: _cpu_of(pid) for name, pid in roots.items()} | {"client": mine.user + mine.system}


def _cpu_of(root: int) -> float:
    """Children that have ended are in their parent's count."""
    ticks = 0
    for pid in family(root):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _tell(bench: Bench) -> None:
    table = Table("what", "rate", "p50 / p99 of a request", "CPU ms of an order", box=None)
    for row in bench.rows:
        table.add_row(*row)
    Console(width=170).print(table)
    load = os.getloadavg()[0]
    bench.note(cores=os.cpu_count() or 0, load_at_end=float(load), quick=str(bench.effort is QUICK).lower())
    print(json.dumps({**bench.figures, **missed(bench.figures, LIMITS)}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes, a smaller database")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part; may be repeated")
    return parser.parse_args()


if __name__ == "__main__":
    main()

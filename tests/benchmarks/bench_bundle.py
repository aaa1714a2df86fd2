"""How long a bundle of 50,000 tickets takes: to read and pack, to sign, to make a delta of, to verify.

heavy .venv/bin/python -m tests.benchmarks.bench_bundle

Each figure stands beside the limit it must keep to: what a near event's renewal leaves (`NEAR_PACE`), and beside the
time that fetching the same rows takes by itself.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from nacl.signing import SigningKey
from sqlalchemy import Engine, insert, select

from backend.credentials.bundle_building import build, fingerprint
from backend.credentials.bundle_rows import _rows
from backend.credentials.bundle_signing import sign_bundle_of
from backend.credentials.bundles import NEAR_PACE
from backend.credentials.keystore import KeyStore
from backend.credentials.published import newest_key_list
from backend.credentials.publishing import publish
from backend.credentials.snapshot import snapshot
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.db.tables.chain import Batch
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Ticket
from credential.bundle import verify_bundle
from credential.delta import apply_delta, make_delta
from tests.backend.credentials.world import World, make_world
from tests.support.postgres import PostgresServer

TICKETS = 50_000
BATCH = 1000
ROUNDS = 7


def main() -> None:
    postgres = PostgresServer().start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for url in (f"sqlite:///{folder}/bench.sqlite", postgres.create_database()):
                engine = make_engine(url)
                upgrade(engine)
                measure(engine, Path(folder) / uuid4().hex)
                engine.dispose()
    finally:
        postgres.stop()


def measure(engine: Engine, folder: Path) -> None:
    keys = KeyStore(folder)
    world = make_world(engine, keys)
    fill(world)
    publish(engine, [SigningKey.generate()])
    print(f"\n{engine.dialect.name}, {TICKETS} tickets, each with a holder key; median of {ROUNDS}, milliseconds")

    def build_it(version: int = 1) -> bytes:
        with snapshot(engine) as taken:
            event = taken.connection.execute(select(Event)).one()
            key_list = newest_key_list(taken.connection)
            assert key_list
            return build(taken, event, key_list, version).encoded

    def fetch_only() -> int:
        with snapshot(engine) as taken:
            return sum(1 for _ in _rows(taken.connection, world.event_id))

    def look_for_changes() -> bytes:
        with snapshot(engine) as taken:
            return fingerprint(taken.connection, taken.connection.execute(select(Event)).one(), 1)

    fetching, building = timed(fetch_only), timed(build_it)
    base = build_it()
    signing = timed(lambda: sign_bundle_of(engine, keys, world.event_id, base))
    signed = base + sign_bundle_of(engine, keys, world.event_id, base)
    change_some(world, 500)
    following = build_it(2)
    signed_following = following + sign_bundle_of(engine, keys, world.event_id, following)
    delta = make_delta(signed, signed_following)
    assert apply_delta(signed, delta) == signed_following
    with engine.connect() as connection:
        key_list = newest_key_list(connection)
    assert key_list
    say("look for changes", timed(look_for_changes), NEAR_PACE.if_changed * 1000)
    say("fetch the rows", fetching, None)
    say(f"build ({building / fetching:.1f} x fetching)", building, NEAR_PACE.if_changed * 1000)
    say(f"sign ({len(base) / 1e6:.2f} MB)", signing, NEAR_PACE.if_changed * 1000)
    say(f"delta of 500 changes ({len(delta) / 1e3:.0f} kB)", timed(lambda: make_delta(signed, signed_following)), None)
    say("verify, as a gate does", timed(lambda: verify_bundle(signed, key_list)), None)


def say(what: str, milliseconds: float, limit: float | None) -> None:
    ratio = f"  {milliseconds / limit:6.1%} of the {limit:.0f} ms a renewal has" if limit else ""
    print(f"  {what:45s} {milliseconds:8.1f}{ratio}")


def timed(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def fill(world: World) -> None:
    order = world.sell(1, batched=False).order_id
    with world.engine.begin() as connection:
        template = connection.execute(select(Ticket)).one()._asdict()
        row = connection.execute(select(Order)).one()
        connection.execute(
            insert(Batch),
            [
                {
                    "event_id": world.event_id,
                    "number": number,
                    "class_number": 1,
                    "count": BATCH,
                    "owners": b"",
                    "closed_ms": row.created_ms,
                }
                for number in range(1, TICKETS // BATCH + 1)
            ],
        )
        connection.execute(
            insert(Ticket),
            [
                {
                    **template,
                    "id": uuid4(),
                    "order_id": order,
                    "position": place + 1,
                    "batch_number": place // BATCH + 1,
                    "token_id": (place // BATCH + 1) << 16 | place % BATCH,
                    "serial": 1,
                    # Any prime-order point will do; making 50,000 real ones takes longer than the measurement.
                    "holder_key": KEYS[place % len(KEYS)],
                }
                for place in range(TICKETS)
            ],
        )


def change_some(world: World, count: int) -> None:
    with world.engine.connect() as connection:
        chosen = connection.scalars(select(Ticket.id).where(Ticket.token_id.is_not(None)).limit(count)).all()
    for ticket in chosen:
        world.change_ticket(ticket, serial=2)


KEYS = [bytes(SigningKey(os.urandom(32)).verify_key) for _ in range(500)]

if __name__ == "__main__":
    main()

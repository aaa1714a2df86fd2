"""Whatever the node does, what is paid is minted exactly once as soon as it behaves again."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, insert, select

from backend.chain.batcher import close_batches
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import DEVELOPMENT_KEYS, ChainKeys, RelayerKey
from backend.chain.leases import HeldLease, LeaseLostError, take
from backend.chain.rpc import Node, NodeError
from backend.chain.transport import Transport
from backend.chain.worker import ChainWorker
from backend.db.clock import now_ms
from backend.db.tables.chain import Diagnosis, Token
from backend.db.tables.events import Platform
from backend.settings import Settings, settings_from
from tests.support.bad_proxy import BadProxy
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.forked_worker import let_leases_expire
from tests.support.installation import wait_until
from tests.support.rows import add_event, add_paid_tickets

KEYS = ChainKeys(**{role: RelayerKey(secret) for role, secret in DEVELOPMENT_KEYS.items()})
FAULTS = ("cut", "lose", "status:500", "status:429", "junk", "half", "empty_list", "shuffled", "other_chain")


class Bench:
    """A worker's chain task between us and a node that misbehaves."""

    def __init__(self, engine: Engine, anvil: ChainNode, settings: Settings) -> None:
        self.engine, self.anvil, self.settings = engine, anvil, settings
        self.proxy, self.transport = BadProxy(anvil.url), Transport()
        self.worker = self.new_worker()
        held = take(engine, "chain", "test", 600)
        assert held
        self.held: HeldLease = held
        with engine.begin() as connection:
            connection.execute(insert(Platform).values(id=1, platform_id=bytes(16), created_ms=0))
            self.event_id: UUID = add_event(connection)
            enqueue_create_event(connection, self.event_id)
        self.sold = 0

    def new_worker(self, monotonic: Callable[[], float] = time.monotonic) -> ChainWorker:
        return ChainWorker(self.engine, self.settings, [Node(self.proxy.url, self.transport, monotonic)], KEYS)

    def close(self) -> None:
        self.proxy.close()
        self.transport.close()

    def round(self) -> None:
        with suppress(NodeError):  # as in the worker's loop: the next round comes
            self.worker.round(self.held)

    def sell(self, count: int) -> None:
        with self.engine.begin() as connection:
            add_paid_tickets(connection, self.event_id, [bytes([1 + place]) * 20 for place in range(count)])
        self.sold += count
        close_batches(self.engine, 0)

    def tokens(self) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(Token)) or 0

    def until_minted(self) -> None:
        def minted() -> bool:
            self.anvil.mine()
            self.round()
            return self.tokens() == self.sold

        wait_until(minted, "every ticket's token")
        assert check_chain(self.engine, self.anvil.url).problems == []


@pytest.fixture
def bench(engine: Engine, anvil: ChainNode, tmp_path: Path) -> Iterator[Bench]:
    environ = {"TRUESTUB_DATA_DIR": str(tmp_path), "TRUESTUB_FINALITY_BLOCKS": "2"}
    made = Bench(engine, anvil, settings_from(environ))
    yield made
    made.close()


def test_no_misbehaviour_of_a_node_loses_or_doubles_a_ticket(bench: Bench) -> None:
    bench.sell(2)
    bench.until_minted()
    for fault in FAULTS:
        bench.proxy.mode = fault
        bench.sell(2)
        for _ in range(2):
            bench.round()
            bench.anvil.mine()
        bench.proxy.mode = "pass"
        bench.worker = bench.new_worker()  # and its breaker, which would only make the test wait
    bench.until_minted()


def test_an_answer_lost_after_acceptance_is_not_sent_as_something_new(bench: Bench) -> None:
    bench.sell(1)
    bench.until_minted()
    bench.proxy.mode, bench.proxy.only = "lose", "eth_sendRawTransaction"
    bench.sell(3)
    bench.round()
    bench.proxy.mode = "pass"
    bench.worker = bench.new_worker()
    bench.until_minted()
    assert bench.proxy.seen["eth_sendRawTransaction"] >= 2


def test_a_sleeping_leader_that_wakes_beside_its_successor_does_no_harm(bench: Bench) -> None:
    bench.sell(2)
    bench.until_minted()
    bench.sell(2)
    sleeper, old = bench.worker, bench.held
    let_leases_expire(bench.engine)
    successor = take(bench.engine, "chain", "successor", 600)
    assert successor
    bench.worker, bench.held = bench.new_worker(), successor
    bench.round()
    bench.sell(2)
    with pytest.raises(LeaseLostError):
        sleeper.round(old)
    bench.until_minted()


def test_an_unreachable_node_is_diagnosed_and_the_diagnosis_ends(bench: Bench) -> None:
    bench.sell(1)
    bench.until_minted()
    bench.proxy.mode = "status:500"
    bench.round()
    bench.proxy.mode = "pass"
    bench.round()
    with bench.engine.connect() as connection:
        rows = connection.execute(select(Diagnosis.kind, Diagnosis.closed_ms)).all()
    assert [(kind, closed is not None) for kind, closed in rows] == [("unreachable", True)]


def test_a_node_is_told_of_as_silent_since_its_last_answer_and_not_since_we_gave_up(bench: Bench) -> None:
    moment = 0.0
    bench.worker = bench.new_worker(lambda: moment)
    bench.round()
    moment = 7.0  # spent on waiting
    bench.proxy.mode = "status:500"
    bench.round()
    with bench.engine.connect() as connection:
        (opened,) = connection.scalars(select(Diagnosis.opened_ms))
        assert now_ms(connection) - opened >= 7000

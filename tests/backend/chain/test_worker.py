"""A real worker process, a real node: what is paid is minted once and the index agrees, whatever is killed when."""

import importlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select
from typer.testing import CliRunner

from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import ensure_chain_keys
from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.tables.chain import Token
from backend.db.tables.orders import Ticket
from backend.sales.installation import ensure_platform
from backend.settings import settings_from
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.forked_worker import end_worker, let_leases_expire, start_worker, wait_dead
from tests.support.installation import Installation, wait_until
from tests.support.rows import add_event, add_paid_tickets

OWNERS = [bytes([1 + index]) * 20 for index in range(5)]
KILL_POINTS = (
    "batcher.written",
    "batcher.closed",
    "relayer.signed",
    "relayer.stored",
    "relayer.sending",
    "relayer.sent",
    "indexer.written",
    "indexer.applied",
)


@pytest.fixture
def installation(tmp_path: Path, database_url: str, anvil: ChainNode) -> Iterator[Installation]:
    made = Installation(tmp_path, database_url, TRUESTUB_NODE_URLS=anvil.url)
    ensure_chain_keys(settings_from({key: value for key, value in made.environ.items() if key.startswith("TRUESTUB_")}))
    yield made
    made.close()


@pytest.fixture
def engine(installation: Installation) -> Iterator[Engine]:
    engine = make_engine(installation.database_url)
    with engine.begin() as connection:
        ensure_platform(connection)
    yield engine
    engine.dispose()


def command(installation: Installation, group: str, *arguments: str) -> str:
    """An operator's command, without the seconds a new process needs."""
    module = importlib.import_module(f"backend.cli.{group}")
    result = CliRunner().invoke(module.app, list(arguments), env=installation.environ)
    assert result.exit_code == 0, result.output
    return result.stdout


def new_event(engine: Engine) -> UUID:
    with engine.begin() as connection:
        event_id = add_event(connection)
        enqueue_create_event(connection, event_id)
        return event_id


def sell(engine: Engine, event_id: UUID, owners: list[bytes]) -> None:
    with engine.begin() as connection:
        add_paid_tickets(connection, event_id, owners, sold_ms=now_ms(connection))


def tokens(engine: Engine) -> tuple[int, int]:
    """How many tickets were paid, and how many tokens the index knows."""
    with engine.connect() as connection:
        tickets = connection.scalar(select(func.count()).select_from(Ticket))
        return tickets or 0, connection.scalar(select(func.count()).select_from(Token)) or 0


def wait_minted(engine: Engine) -> None:
    def minted() -> bool:
        tickets, known = tokens(engine)
        return tickets == known

    wait_until(minted, "every ticket's token", 40)


def test_paid_tickets_are_minted_once_and_the_index_agrees(
    installation: Installation, engine: Engine, anvil: ChainNode
) -> None:
    event_id = new_event(engine)
    sell(engine, event_id, OWNERS)
    worker = start_worker(installation.environ, str(installation.folder / "work.log"))
    wait_minted(engine)
    sell(engine, event_id, OWNERS[:2])
    wait_minted(engine)
    end_worker(worker)
    assert check_chain(engine, anvil.url).problems == []
    assert "7 tokens compared: index and chain agree" in command(installation, "index", "verify")
    report = json.loads(command(installation, "chain", "status", "--json"))
    assert report["nodes"][0]["answers"]
    assert report["diagnoses"] == []


def test_a_worker_killed_at_any_boundary_loses_and_doubles_nothing(
    installation: Installation, engine: Engine, anvil: ChainNode
) -> None:
    event_id = new_event(engine)
    log = str(installation.folder / "work.log")
    for point in KILL_POINTS:
        sell(engine, event_id, OWNERS)
        worker = start_worker(installation.environ, log, kill_at=point)
        assert wait_dead(worker) == -signal.SIGKILL, point
        let_leases_expire(engine)
    worker = start_worker(installation.environ, log)
    wait_minted(engine)
    end_worker(worker)
    assert check_chain(engine, anvil.url).problems == []
    assert tokens(engine) == (len(OWNERS) * len(KILL_POINTS),) * 2

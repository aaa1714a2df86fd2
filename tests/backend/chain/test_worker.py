"""A real worker process, a real node: what is paid is minted once and the index agrees, whatever is killed when."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select

from backend.chain.jobs import enqueue_create_event
from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.models import Ticket, Token
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.installation import Installation, wait_until
from tests.support.rows import add_event, add_paid_tickets

OWNERS = [bytes([1 + index]) * 20 for index in range(5)]


@pytest.fixture
def installation(tmp_path: Path, database_url: str, anvil: ChainNode) -> Iterator[Installation]:
    made = Installation(tmp_path, database_url, TRUESTUB_NODE_URLS=anvil.url)
    made.run("init")
    yield made
    made.close()


@pytest.fixture
def engine(installation: Installation) -> Iterator[Engine]:
    engine = make_engine(installation.database_url)
    yield engine
    engine.dispose()


def new_event(engine: Engine) -> UUID:
    with engine.begin() as connection:
        event_id = add_event(connection)
        enqueue_create_event(connection, event_id)
        return event_id


def sell(engine: Engine, event_id: UUID, owners: list[bytes]) -> None:
    with engine.begin() as connection:
        add_paid_tickets(connection, event_id, owners, sold_ms=now_ms(connection))


def all_minted(engine: Engine) -> bool:
    with engine.connect() as connection:
        tickets = connection.scalar(select(func.count()).select_from(Ticket))
        return tickets == connection.scalar(select(func.count()).select_from(Token))


def wait_minted(engine: Engine) -> None:
    wait_until(lambda: all_minted(engine), "every ticket's token", 40)


def test_paid_tickets_are_minted_once_and_the_index_agrees(
    installation: Installation, engine: Engine, anvil: ChainNode
) -> None:
    event_id = new_event(engine)
    sell(engine, event_id, OWNERS)
    installation.start("work")
    wait_minted(engine)
    sell(engine, event_id, OWNERS[:2])
    wait_minted(engine)
    assert check_chain(engine, anvil.url).problems == []
    assert "7 tokens compared: index and chain agree" in installation.run("index", "verify")
    report = json.loads(installation.run("chain", "status", "--json"))
    assert report["nodes"][0]["answers"]
    assert report["diagnoses"] == []

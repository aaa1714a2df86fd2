"""Nothing waits without limit for a PostgreSQL that is silent, and nothing is cancelled there."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from backend.db.engine import make_engine
from backend.db.failures import failure_of
from tests.support.postgres import PostgresServer


@pytest.fixture
def hasty(postgres_engine: Engine) -> Iterator[Engine]:
    engine = make_engine(_url(postgres_engine), patience_seconds=1.0)
    yield engine
    engine.dispose()


def test_a_server_that_is_stopped_ends_the_wait_and_is_used_again_once_it_wakes(
    postgres: PostgresServer, postgres_engine: Engine
) -> None:
    engine = make_engine(_url(postgres_engine), ask_first=False, patience_seconds=0.5)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
    postgres.pause()
    try:
        with pytest.raises(DBAPIError) as silent, engine.begin() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        postgres.wake()
    assert failure_of(silent.value) == "unreachable"
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_lock_that_another_holds_is_waited_for_shorter_and_costs_no_connection(
    postgres_engine: Engine, hasty: Engine
) -> None:
    with postgres_engine.begin() as connection:
        connection.execute(text("LOCK TABLE events"))
        with hasty.connect() as waiting:
            with pytest.raises(DBAPIError) as held, waiting.begin():
                waiting.execute(text("LOCK TABLE events"))
            assert failure_of(held.value) == "conflict"
            assert not waiting.invalidated
    with hasty.begin() as connection:
        connection.execute(text("LOCK TABLE events"))


def test_what_takes_its_time_within_the_patience_is_waited_for(hasty: Engine) -> None:
    with hasty.begin() as connection:
        connection.execute(text("SELECT pg_sleep(0.3)"))


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)

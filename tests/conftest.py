"""Fixtures that every room may ask for."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine

from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from tests.support.postgres import PostgresServer


def pytest_configure() -> None:
    """No example fails because the machine was slow. A shell's `&` switches Ctrl-C off for all that the tests start."""
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: of the processes that share the tests, none is to end alone with a long one."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test run's own."""
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _postgres_template(postgres: PostgresServer) -> str:
    url = postgres.create_database()
    engine = make_engine(url)
    upgrade(engine)
    engine.dispose()
    return url.rpartition("/")[2]


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "truestub.sqlite"
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database with the newest schema: every test that asks runs on both engines."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("_sqlite_template")
        yield f"sqlite:///{shutil.copy(template, tmp_path / 'truestub.sqlite')}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create_database(request.getfixturevalue("_postgres_template"))
    yield url
    server.drop_database(url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database, on SQLite and on PostgreSQL."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres: PostgresServer, _postgres_template: str) -> Iterator[Engine]:
    """An engine on a fresh PostgreSQL database, for what SQLite has no counterpart of."""
    url = postgres.create_database(_postgres_template)
    engine = make_engine(url)
    yield engine
    engine.dispose()
    postgres.drop_database(url)

"""The status tells what the till meets: a full disk, a database that can only be read, one that is silent."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, insert, select, text
from sqlalchemy.exc import TimeoutError as Silent

from backend.app import create_app
from backend.db.tables.chain import Diagnosis
from backend.db.tables.telling import Incident
from backend.ops.watch import Watcher
from backend.sales.till import trouble
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer
from tests.support.postgres import PostgresServer
from tests.support.shop import put_on_sale

HTML = {"Accept": "text/html"}


@contextmanager
def full(services: Services) -> Iterator[None]:
    """No order can be stored: as the database itself says it."""
    if services.engine.dialect.name == "sqlite":
        with _pragma(services, "max_page_count = 1"):
            yield
        return
    raise_full = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END"
    with services.engine.begin() as connection:
        connection.execute(text(f"CREATE FUNCTION full() RETURNS trigger LANGUAGE plpgsql AS '{_quoted(raise_full)}'"))
        for table in ("orders", "leases"):
            connection.execute(
                text(f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full()")
            )
    yield
    with services.engine.begin() as connection:
        connection.execute(text("DROP FUNCTION full CASCADE"))


@contextmanager
def read_only(services: Services) -> Iterator[None]:
    if services.engine.dialect.name == "sqlite":
        with _pragma(services, "query_only = 1"):
            yield
        return
    name = services.engine.url.database
    _set_read_only(services, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    yield
    _set_read_only(services, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


FAULTS = [(full, "storage_full"), (read_only, "read_only")]


@pytest.mark.parametrize(("fault", "cause"), FAULTS, ids=["full", "read-only"])
def test_the_status_says_that_nothing_is_sold_while_the_till_can_not_write(
    services: Services, client: FlaskClient, buyer: Buyer, fault: Any, cause: str
) -> None:
    with services.engine.begin() as connection:
        connection.execute(insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=1))
        connection.execute(text("UPDATE stock SET capacity = 100000"))
    buyer.held()
    with fault(services):
        refused = next(answer for _ in range(300) if (answer := buyer.order()).status_code != 201)
        assert (refused.status_code, refused.get_json()["code"][:8]) == (503, "storage_")
        assert refused.headers["Retry-After"]
        answer = client.get("/status")
        told = answer.get_json()
        assert (answer.status_code, told["state"]) == (503, "down")
        known = {one["name"]: one for one in told["components"]}
        assert (known["sales"]["state"], known["sales"]["cause"]) == ("down", cause)
        assert "nothing can be sold" in told["banner"]
        assert "Sales go on" not in answer.text
        assert "Buying" not in answer.text
        assert [one["id"] for one in told["incidents"] if one["component"] == "database"] == [None]
        assert "nothing can be sold" in client.get("/", headers=HTML).text
    assert buyer.order().status_code == 201
    assert client.get("/status").status_code == 200


@pytest.mark.parametrize(("fault", "cause"), FAULTS, ids=["full", "read-only"])
def test_the_watcher_finds_out_without_a_buyer_and_writes_it_down_afterwards(
    services: Services, client: FlaskClient, fault: Any, cause: str
) -> None:
    if fault is full and services.engine.dialect.name == "sqlite":
        return  # a lease fits into the page it is in; what fails there is the till's next order
    now = [1_900_000_000.0]
    settings = services.settings
    watcher = Watcher(services.engine, settings.data_dir, settings.signer_socket, lambda: now[0], "w")
    with services.engine.begin() as connection:
        connection.execute(text("INSERT INTO leases (name, holder, fence, expires_ms) VALUES ('watch', 'w', 1, 1)"))
    assert watcher.look()
    now[0] = services.clock() - 10
    with fault(services):
        for _ in range(3):
            assert not watcher.look()
            now[0] += 1.5
        assert client.get("/status").get_json()["banner"].startswith("The database")
    assert watcher.look()
    assert client.get("/status").get_json()["components"][0]["state"] == "works"
    with services.engine.connect() as connection:
        assert connection.scalars(select(Incident.cause)).all() == [cause]


def test_a_failure_that_nobody_meets_again_is_past() -> None:
    now = [1000.0]
    met = trouble.Trouble(lambda: now[0])
    met.meet("storage_full")
    now[0] += 10
    met.meet("storage_full")
    assert met.now == ("storage_full", 1_000_000)
    now[0] += trouble.PAST_SECONDS + 1
    assert met.now is None


def test_a_silent_database_hangs_no_probe_and_no_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, postgres_engine: Engine
) -> None:
    """SIGSTOP: connections stay open and nothing is answered. Other requests get a 503 when their patience ends."""
    monkeypatch.setattr("backend.db.engine.CONNECT_TIMEOUT_SECONDS", 2)
    put_on_sale(postgres_engine)
    url = postgres_engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path), "TRUESTUB_DATABASE_URL": url})
    services = wire(settings, patience_seconds=1.5)
    client = create_app(services).test_client()
    assert Watcher(services.engine, settings.data_dir, settings.signer_socket, services.clock, "w").look()
    postgres.pause()
    try:
        for _ in range(3):  # the first of them finds it out, the others are told at once
            assert client.get("/status").get_json()["components"][0]["cause"] == "database"
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
        refused = client.get("/api/v1/events")
        assert (refused.status_code, refused.get_json()["code"]) == (503, "database_unreachable")
        assert refused.headers["Retry-After"]
    finally:
        postgres.wake()
    assert client.get("/api/v1/events").status_code == 200
    services.close()


def test_a_slow_look_is_not_taken_for_a_dead_database_while_tills_sell(
    services: Services, client: FlaskClient, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_look: object) -> None:
        raise Silent("no answer in a second")

    monkeypatch.setattr(services.glance, "ask", slow)
    assert client.get("/status").get_json()["components"][0]["cause"] == "database"
    buyer.held()
    told = client.get("/status").get_json()
    assert told["components"][0]["state"] == "works"
    assert "database" not in told["banner"]
    monkeypatch.setattr(trouble, "LATELY_SECONDS", 0)
    assert client.get("/status").get_json()["components"][0]["cause"] == "database"


@contextmanager
def _pragma(services: Services, setting: str) -> Iterator[None]:
    """On every connection of ours."""

    def set_it(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute(f"PRAGMA {setting}")

    for engine in _engines(services):
        event.listen(engine, "checkout", set_it)
    yield
    for engine in _engines(services):
        event.remove(engine, "checkout", set_it)
        engine.dispose()


def _set_read_only(services: Services, statement: str) -> None:
    """For every connection made from now on."""
    with services.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET default_transaction_read_only = off"))
        connection.execute(text(statement))
    for engine in _engines(services):
        engine.dispose()


def _engines(services: Services) -> tuple[Engine, Engine]:
    return services.engine, services.tills._engine


def _quoted(body: str) -> str:
    return body.replace("'", "''")

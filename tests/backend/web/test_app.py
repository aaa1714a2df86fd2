"""What holds for every answer: problems, headers, languages, the document, and a database that is away or full."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from backend.app import create_app
from backend.db.migrate import upgrade
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer, problem
from tests.support.checker import check_sales
from tests.support.postgres import PostgresServer
from tests.support.shop import put_on_sale


def test_errors_of_the_web_are_problems_too(client: FlaskClient) -> None:
    assert problem(client.get("/nowhere")) == (404, "not_found")
    refused = client.put("/api/v1/events")
    assert problem(refused) == (405, "method_not_allowed")
    assert "GET" in refused.headers["Allow"]


def test_a_bug_shows_no_stack_trace(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(services)

    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError("secret inner detail")

    answer = app.test_client().get("/broken")
    assert problem(answer) == (500, "internal_error")
    assert b"secret inner detail" not in answer.data


def test_every_answer_is_guarded(client: FlaskClient) -> None:
    for path in ("/healthz", "/api/v1/events", "/nowhere"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"]
        assert "Server" not in headers or "Python" not in headers["Server"]


def test_sentences_come_in_the_language_asked_for(client: FlaskClient) -> None:
    def said(language: str) -> str:
        return str(client.get("/nowhere", headers={"Accept-Language": language}).get_json()["detail"])

    assert said("zh-CN,zh;q=0.9,en;q=0.8") != said("en") == said("fr") == said("x" * 500)


def test_an_event_is_described_for_buyers_wallets_and_markets(client: FlaskClient, buyer: Buyer) -> None:
    buyer.held({"class": "balcony", "quantity": 1, "seats": ["A-2"]})
    assert [one["slug"] for one in client.get("/api/v1/events").get_json()["events"]] == ["gig"]
    found = client.get("/api/v1/events/gig").get_json()
    assert (len(found["platform_id"]), len(found["tag"]), found["index"]) == (32, 16, 0)
    assert found["custody_address"].startswith("0x")
    assert found["contract"] is None
    standing, seated = found["classes"]
    assert (standing["price_minor"], standing["sold_out"], standing["seats"]) == (4950, False, [])
    assert [one["free"] for one in seated["seats"][:3]] == [True, False, True]
    assert problem(client.get("/api/v1/events/none")) == (404, "unknown_event")


def test_an_event_sold_out_says_so(client: FlaskClient, buyer: Buyer) -> None:
    buyer.held({"class": "floor", "quantity": 8})
    buyer.held({"class": "floor", "quantity": 2})
    assert client.get("/api/v1/events/gig").get_json()["classes"][0]["sold_out"] is True


def test_an_event_that_is_not_ready_is_not_shown(client: FlaskClient, services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(text("UPDATE events SET state = 'preparing', custody_address = NULL"))
    assert client.get("/api/v1/events").get_json() == {"events": []}
    assert problem(client.get("/api/v1/events/gig")) == (404, "unknown_event")


def test_every_route_of_the_api_is_documented(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    order = document["paths"]["/api/v1/events/{slug}/orders"]["post"]
    assert "Idempotency-Key" in [one["name"] for one in order["parameters"]]
    assert set(order["responses"]) >= {"201", "400", "404", "409", "422", "503"}
    routes = {str(rule) for rule in client.application.url_map.iter_rules() if str(rule).startswith("/api/")}
    documented = {path.replace("{", "<").replace("}", ">") for path in document["paths"]}
    undocumented = {route for route in routes if route.replace("uuid:", "") not in documented}
    assert all(route.startswith("/api/v1/status") for route in undocumented)


# --- the database in trouble ---------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(services: Services) -> Iterator[Engine]:
    """SQLite may not grow any more: what a full disk is to it."""
    if services.engine.dialect.name != "sqlite":
        pytest.fail("asked for SQLite only")
    engine = services.tills._engine

    def no_more(connection: object, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    event.listen(engine, "checkout", no_more)
    yield engine
    event.remove(engine, "checkout", no_more)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_is_said_and_loses_nothing(
    buyer: Buyer, client: FlaskClient, services: Services, full_disk: Engine
) -> None:
    answers = []
    with services.engine.begin() as connection:
        connection.execute(text("UPDATE stock SET capacity = 100000"))
    for _ in range(200):  # until the last free page is used up
        answers.append(buyer.order({"class": "floor", "quantity": 1}))
        if answers[-1].status_code == 503:
            break
    refused = answers[-1]
    assert problem(refused) == (503, "storage_full")
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/api/v1/events").status_code == 200
    for order in answers[:-1]:
        if order.status_code == 201:
            assert buyer.look(dict(order.get_json()))["state"] == "held"
    assert check_sales(services.engine).problems == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_while_somebody_holds_sqlites_only_lock_buyers_are_asked_to_come_back(
    buyer: Buyer, client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process does that was stopped in the middle of a write: nothing is lost, and the same key gets its order."""
    first = buyer.held()
    monkeypatch.setattr("backend.sales.till.till.RETRY_SECONDS", 0.2)
    event.listen(services.tills._engine, "checkout", lambda one, *_more: one.execute("PRAGMA busy_timeout = 100"))
    with services.engine.begin() as connection:
        connection.execute(text("UPDATE stock SET capacity = capacity"))
        answer = buyer.order(key="the-very-same-key-2")
        assert problem(answer) == (503, "database_unreachable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "same key" in answer.get_json()["detail"]
        assert client.get("/status").get_json()["state"] == "down", "and the status says so"
        assert client.get("/api/v1/events/gig").status_code == 200, "what only reads goes on"
        assert buyer.look(first)["state"] == "held"
    monkeypatch.undo()
    order = buyer.order(key="the-very-same-key-2")
    assert order.status_code == 201
    assert buyer.order(key="the-very-same-key-2").get_json() == order.get_json()
    assert buyer.pay(first).status_code == 200
    assert check_sales(services.engine).problems == []


def test_a_database_killed_under_way_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL of PostgreSQL: while it is away a 503 with Retry-After, after its restart the same key gets its order."""
    monkeypatch.setattr("backend.sales.till.till.RETRY_SECONDS", 0.5)
    server = PostgresServer().start()
    try:
        url = server.create_database()
        services = wire(settings_from({"TRUESTUB_DATA_DIR": str(tmp_path), "TRUESTUB_DATABASE_URL": url}))
        upgrade(services.engine)
        put_on_sale(services.engine)
        client = create_app(services).test_client()
        buyer = Buyer(client)
        first = buyer.held()
        server.kill()
        for answer in (buyer.order(key="the-very-same-key-1"), client.get("/api/v1/events"), buyer.pay(first)):
            assert problem(answer) == (503, "database_unreachable")
            assert answer.headers["Retry-After"]
        status = client.get("/status")
        assert (status.status_code, status.get_json()["state"]) == (503, "down")
        server.start()
        order = buyer.order(key="the-very-same-key-1")
        assert order.status_code == 201
        assert buyer.order(key="the-very-same-key-1").get_json() == order.get_json()
        assert buyer.pay(first).status_code == 200
        assert check_sales(services.engine).problems == []
        services.close()
    finally:
        server.stop()


def test_cut_connections_are_opened_again_and_nothing_is_lost(tmp_path: Path, postgres: PostgresServer) -> None:
    """A firewall or a pooler ends every connection between two requests, and under one."""
    url = postgres.create_database()
    services = wire(settings_from({"TRUESTUB_DATA_DIR": str(tmp_path), "TRUESTUB_DATABASE_URL": url}))
    upgrade(services.engine)
    put_on_sale(services.engine)
    buyer = Buyer(create_app(services).test_client())
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as operator:
        for _ in range(3):
            order = buyer.held()
            ended = operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            assert ended.fetchall()
            assert buyer.pay(order).status_code == 200
    assert check_sales(services.engine).problems == []
    services.close()

"""People are told: in the status, in the banner, on a page of its own, and by a stream; also with the database away."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.engine import make_url

from backend.app import create_app
from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.tables.chain import Diagnosis
from backend.ops import incident_store
from backend.ops.watch import Watcher
from backend.wiring import Services

HTML = {"Accept": "text/html"}
ZH = {**HTML, "Accept-Language": "zh"}


@pytest.fixture
def watcher(services: Services) -> Watcher:
    return Watcher(services.engine, services.settings.data_dir, services.settings.signer_socket, services.clock, "w")


def node_dies(services: Services) -> None:
    with services.engine.begin() as connection:
        died = now_ms(connection) - 60_000
        connection.execute(insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=died))


def posted(services: Services, kind: str = "posted", begins: int | None = None, until: int | None = None) -> int:
    with services.engine.begin() as connection:
        now = now_ms(connection)
        texts = ("Cards of one bank fail.", "某银行的卡无法付款。")
        number, _note = incident_store.post(
            connection,
            kind,
            "payments",
            "waits",
            texts,
            now,
            None if begins is None else now + begins,
            None if until is None else now + until,
        )
    return number


def test_a_dead_node_is_an_incident_with_cause_what_works_and_an_estimate(
    client: FlaskClient, services: Services, watcher: Watcher
) -> None:
    node_dies(services)
    watcher.look()
    told = client.get("/status").get_json()
    (incident,) = (one for one in told["incidents"] if one["component"] == "chain")
    assert "does not answer" in incident["sentence"]
    assert "Buying" in " ".join(incident["still_works"])
    assert "after the chain is back" in incident["estimate"]
    assert incident["timeline"][0]["what"] == "opened"
    assert told["banner"] in client.get("/", headers=HTML).text
    assert client.get("/api/v1/status/history").get_json() == {"incidents": []}


def test_every_page_carries_the_operators_words_in_the_readers_language(
    client: FlaskClient, services: Services
) -> None:
    number = posted(services)
    assert "Cards of one bank fail." in client.get("/events/gig", headers=HTML).text
    client.application.extensions["truestub_waiting"].clear()
    assert "某银行的卡无法付款。" in client.get("/events/gig", headers=ZH).text
    assert "某银行的卡无法付款。" in client.get(f"/status/incidents/{number}", headers=ZH).text
    assert client.get(f"/api/v1/status/incidents/{number}").get_json()["state"] == "waits"
    assert client.get("/status/incidents/999", headers=HTML).status_code == 404


def test_work_is_announced_a_day_before_and_ends_by_itself(
    client: FlaskClient, services: Services, watcher: Watcher
) -> None:
    hour = 3_600_000
    far = posted(services, "maintenance", 48 * hour, 50 * hour)
    states = {one["id"]: one["state"] for one in client.get("/status").get_json()["incidents"]}
    assert states[far] == "planned"
    assert "Cards" not in (client.get("/status").get_json()["banner"] or "")
    posted(services, "maintenance", hour, 2 * hour)
    assert "Cards" in client.get("/status").get_json()["banner"]
    over = posted(services, "maintenance", -2 * hour, -hour)
    watcher.look()
    history = client.get("/api/v1/status/history").get_json()["incidents"]
    assert [one["id"] for one in history] == [over]
    assert "Cards" in client.get("/status", headers=HTML).text


def test_the_stream_tells_the_status_at_once_and_again_when_it_changes(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.web.status.LOOK_SECONDS", 0.01)
    answer = client.get("/status/stream")
    assert answer.mimetype == "text/event-stream"
    chunks = iter(answer.response)
    first = _next(chunks)
    assert first["incidents"] == []
    posted(services)
    second = _next(chunks)
    assert second["incidents"][0]["sentence"] == "Cards of one bank fail."
    answer.close()


def test_without_a_free_line_a_reader_is_told_to_look_instead(client: FlaskClient) -> None:
    lines = [client.get("/status/stream") for _ in range(4)]
    assert client.get("/status/stream").status_code == 204
    for line in lines:
        line.close()
    freed = client.get("/status/stream")
    assert freed.status_code == 200
    freed.close()


def test_with_the_database_away_the_status_says_so_and_what_was_last_known(
    services: Services, watcher: Watcher
) -> None:
    node_dies(services)
    watcher.look()
    embedded = make_url(services.settings.database_url).get_backend_name() == "sqlite"
    url = "sqlite:////nowhere/there/truestub.sqlite" if embedded else "postgresql://127.0.0.1:1/none"
    broken = dataclasses.replace(services, engine=make_engine(url))
    client = create_app(broken).test_client()
    answer = client.get("/status")
    told = answer.get_json()
    assert answer.status_code == 503
    assert told["state"] == "down"
    assert told["last_known_at"]
    assert {one["name"]: one["state"] for one in told["components"]}["database"] == "down"
    assert told["incidents"][0]["component"] == "database"
    page = client.get("/status", headers=HTML)
    assert page.status_code == 503
    assert "The database does not answer" in page.text
    broken.engine.dispose()


def _next(chunks: Iterator[Any]) -> dict[str, Any]:
    for chunk in chunks:
        text = chunk.decode() if isinstance(chunk, bytes) else chunk
        if text.startswith("data: "):
            return dict(json.loads(text.removeprefix("data: ")))
    raise AssertionError("the stream ended")

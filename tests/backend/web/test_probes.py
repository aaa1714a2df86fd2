"""Machines learn whether we live, whether we can sell, and how much waits; the alert rules speak of what there is."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from backend.app import create_app
from backend.db.engine import make_engine
from backend.wiring import Services
from tests.support.buyer import Buyer

TOP = Path(__file__).parents[3]
RULES = TOP / "docs" / "operating" / "alerts.yml"


def scraped(client: FlaskClient) -> dict[str, list[Any]]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {family.name: family.samples for family in text_string_to_metric_families(answer.text)}


def names(client: FlaskClient) -> set[str]:
    return {sample.name for samples in scraped(client).values() for sample in samples}


def test_every_alert_speaks_of_a_metric_that_exists_and_a_runbook_that_exists(client: FlaskClient) -> None:
    client.get("/api/v1/events")
    known = names(client)
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 10
    for rule in rules:
        used = set(re.findall(r"truestub_\w+", rule["expr"]))
        assert used, rule
        assert used <= known, rule
        assert rule["annotations"]["summary"]


def test_every_component_an_alert_names_is_one(client: FlaskClient) -> None:
    named = set(re.findall(r'component="(\w+)"', RULES.read_text()))
    known = {sample.labels["component"] for sample in scraped(client)["truestub_component_state"]}
    assert named <= known


def test_the_numbers_are_those_of_the_platform(client: FlaskClient, buyer: Buyer) -> None:
    buyer.pay(buyer.held({"class": "floor", "quantity": 3}))
    found = scraped(client)
    assert found["truestub_mints_queued"][0].value == 3
    assert found["truestub_database_up"][0].value == 1
    counted = {
        (sample.labels["route"], sample.labels["status"])
        for sample in found["truestub_http_requests"]
        if sample.name.endswith("_total")
    }
    assert ("/api/v1/events/<slug>/orders", "201") in counted


def test_no_label_holds_an_id_or_a_secret(client: FlaskClient, buyer: Buyer) -> None:
    order = buyer.held()
    buyer.pay(order)
    buyer.look(order)
    client.get(f"/nowhere/{order['order_secret']}")
    text = client.get("/metrics").text
    assert order["order_id"] not in text
    assert order["order_secret"] not in text


def test_metrics_are_shown_to_the_token_alone(services: Services) -> None:
    settings = dataclasses.replace(services.settings, metrics_token="scrape-me")
    client = create_app(dataclasses.replace(services, settings=settings)).test_client()
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer scrape-you"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer scrape-me"}).status_code == 200
    closed = dataclasses.replace(services.settings, environment="production")
    client = create_app(dataclasses.replace(services, settings=closed)).test_client()
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_ready_means_that_the_database_can_take_an_order(client: FlaskClient, services: Services) -> None:
    assert client.get("/readyz").get_json() == {"ready": True, "reasons": []}
    url = "sqlite:////nowhere/there/x.sqlite"
    if services.engine.dialect.name == "postgresql":
        url = "postgresql://127.0.0.1:1/none"
    broken = dataclasses.replace(services, engine=make_engine(url))
    away = create_app(broken).test_client()
    answer = away.get("/readyz")
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, ["database_unreachable"])
    assert away.get("/healthz").status_code == 200
    found = scraped(away)
    assert found["truestub_database_up"][0].value == 0
    broken.engine.dispose()


@pytest.mark.parametrize("engine_url", ["sqlite://"])
def test_an_old_schema_is_not_ready(services: Services, engine_url: str) -> None:
    old = dataclasses.replace(services, engine=make_engine(engine_url))
    assert create_app(old).test_client().get("/readyz").get_json()["reasons"] == ["schema_behind"]
    old.engine.dispose()

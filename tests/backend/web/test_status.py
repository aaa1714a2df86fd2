"""/status says what works, what waits and since when, from rows alone."""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from backend.db.tables.chain import Chain, ChainJob, Diagnosis
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES
from backend.wiring import Services
from tests.support.buyer import Buyer

NOW = 1_900_000_000_000


def component(client: FlaskClient, name: str) -> dict[str, Any]:
    status = client.get("/status").get_json()
    return dict(next(one for one in status["components"] if one["name"] == name))


def test_healthz_answers_without_the_database(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_the_api_says_the_same(client: FlaskClient) -> None:
    assert client.get("/api/v1/status").get_json().keys() == client.get("/status").get_json().keys()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("unreachable", "does not answer"),
        ("behind", "catching up"),
        ("reorganised", "replaced"),
        ("rolled_back", "older state"),
        ("wiped", "not the one we know"),
    ],
)
def test_a_troubled_node_delays_minting_not_sales(
    client: FlaskClient, buyer: Buyer, services: Services, kind: str, words: str
) -> None:
    with services.engine.begin() as connection:
        connection.execute(insert(Diagnosis).values(chain=None, kind=kind, detail={}, opened_ms=NOW, closed_ms=None))
    order = buyer.held({"class": "floor", "quantity": 3})
    buyer.pay(order)
    minting = component(client, "minting")
    assert minting["state"] == "waits"
    assert words in minting["sentence"]
    assert "Sales go on" in minting["sentence"]
    assert minting["since"] == "2030-03-17T17:46:40.000Z"
    assert component(client, "sales")["state"] == "works"
    status = client.get("/status").get_json()
    assert status["mints_queued"] == 3
    assert words in status["summary"]
    notice = buyer.look(order)["notice"]
    assert (notice is not None) == (kind in ("unreachable", "wiped"))


def test_what_is_batched_but_not_on_the_chain_is_counted(client: FlaskClient, services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(
            insert(ChainJob).values(
                chain=None,
                kind="mint",
                key="mint:1",
                event_id=None,
                batch_number=1,
                tickets=7,
                to_address=None,
                calldata=b"",
                gas_limit=1,
                depends_on=None,
                state="queued",
                block_number=None,
                tx_hash=None,
                error=None,
                created_ms=NOW,
                changed_ms=NOW,
            )
        )
    assert client.get("/status").get_json()["mints_queued"] == 7


def test_a_node_that_was_just_heard_means_all_is_well(client: FlaskClient, services: Services) -> None:
    with services.engine.begin() as connection:
        connection.execute(
            insert(Chain).values(
                chain_id=31337,
                genesis_hash=bytes(32),
                state="active",
                start_block=0,
                cursor_number=5,
                cursor_hash=bytes(32),
                final_number=3,
                seen_ms=9_000_000_000_000,
                created_ms=NOW,
            )
        )
    assert component(client, "minting")["state"] == "works"
    assert component(client, "index")["state"] == "works"


def test_a_silent_payment_is_told(client: FlaskClient, buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.ops.readings.SLOW_PAYMENT_MS", -1)
    buyer.pay(buyer.held(), "silent")
    payments = component(client, "payments")
    assert payments["state"] == "waits"
    assert payments["since"]


def test_a_dead_signer_is_told(client: FlaskClient) -> None:
    assert component(client, "signer")["state"] == "down"


@pytest.mark.parametrize(
    ("free", "state", "words"),
    [
        (LOW_DISK_BYTES, "works", "room"),
        (LOW_DISK_BYTES - 1, "waits", "make room before sales stop"),
        (FULL_DISK_BYTES - 1, "down", "The disk is full"),
    ],
)
def test_a_disk_that_fills_up_is_told_before_and_after(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, free: int, state: str, words: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=free))
    disk = component(client, "disk")
    assert disk["state"] == state
    assert words in disk["sentence"]
    status = client.get("/status").get_json()
    assert (words in status["summary"]) == (state != "works")

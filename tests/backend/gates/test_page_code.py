"""The set-up code that `truestub gate enrol --page` prints is the one the gate page takes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from typer.testing import CliRunner

from backend.cli.gates import app
from backend.credentials.gates import gate_of
from backend.credentials.keystore import KeyStore
from backend.credentials.publishing import publish
from backend.errors import Refused
from backend.settings import settings_from
from backend.wiring import wire
from tests.backend.credentials.world import World, make_world

SERVER = "https://tickets.example"


@pytest.fixture
def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    environ = {
        "TRUESTUB_DATA_DIR": str(tmp_path / "data"),
        "TRUESTUB_DATABASE_URL": database_url,
        "TRUESTUB_PUBLIC_URL": SERVER,
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    services = wire(settings_from(environ))
    yield make_world(services.engine, KeyStore(services.settings.keys_dir))
    services.close()


def test_code_opens_the_gate_and_names_the_roots(world: World) -> None:
    publish(world.engine, [SigningKey(b"r" * 32)])
    told = json.loads(CliRunner().invoke(app, ["enrol", world.slug, "North 北门", "--page"]).output)
    assert (told["server"], told["event"], told["gate"], told["name"]) == (SERVER, world.slug, 1, "North 北门")
    assert told["trust_root"]["platform_id"] == world.platform_id.hex()
    renewed = json.loads(CliRunner().invoke(app, ["renew", world.slug, "1", "--page"]).output)
    assert {**told, "token": ""} == {**renewed, "token": ""}
    with world.engine.connect() as connection:
        assert gate_of(connection, told["token"]) is None
        gate = gate_of(connection, renewed["token"])
    assert gate is not None
    assert gate.number == 1


def test_no_gate_is_enrolled_while_it_could_not_be_set_up(world: World) -> None:
    failed = CliRunner().invoke(app, ["enrol", world.slug, "North", "--page"])
    assert isinstance(failed.exception, Refused)
    assert failed.exception.refusal.code == "no_key_list"
    publish(world.engine, [SigningKey(b"r" * 32)])
    assert json.loads(CliRunner().invoke(app, ["enrol", world.slug, "North", "--page"]).output)["gate"] == 1

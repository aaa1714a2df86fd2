"""`truestub keys` and `truestub gate`, as an operator runs them."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.cli import main
from backend.credentials.keystore import KeyStore
from backend.db.engine import make_engine
from backend.sales.installation import installation_secret
from credential.keylist import TrustRoot
from tests.backend.credentials.world import World, make_world
from verifier.config import parse_trust_root

Run = Callable[..., str]


@pytest.fixture
def truestub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process; a failure is `code: sentence`."""
    for name in os.environ:
        if name.startswith("TRUESTUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LANGUAGE", "en")

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["truestub", *arguments])
        status = main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return said.err if status else said.out

    return run


@pytest.fixture
def world(truestub: Run, tmp_path: Path) -> World:
    truestub("init")
    engine = make_engine(f"sqlite:///{tmp_path}/data/truestub.sqlite")
    installation_secret(tmp_path / "data/keys")
    return make_world(engine, KeyStore(tmp_path / "data/keys"))


def test_from_a_root_to_a_gate_that_is_set_up(truestub: Run, world: World) -> None:
    assert "root.key" in truestub("keys", "init-root")
    assert "Key list 1 published: 2 key(s)" in truestub("keys", "publish")
    assert "says it all already" in truestub("keys", "publish")
    assert "issuing" in truestub("keys", "list")
    root = parse_trust_root(json.loads(truestub("keys", "root")))
    assert isinstance(root, TrustRoot)
    assert root.platform_id == world.platform_id
    enrolled: dict[str, Any] = json.loads(truestub("gate", "enrol", world.slug, "North", "--json"))
    assert (enrolled["number"], len(enrolled["token"])) == (1, 64)
    renewed = json.loads(truestub("gate", "renew", world.slug, "1", "--page"))
    assert (renewed["name"], renewed["token"] != enrolled["token"]) == ("North", True)
    assert parse_trust_root(renewed["trust_root"]) == root
    assert "North" in truestub("gate", "list", world.slug)
    assert "shown this once" in truestub("gate", "enrol", world.slug, "South")


def test_roots_of_several_keepers(truestub: Run, world: World, tmp_path: Path) -> None:
    files = [str(tmp_path / f"root-{number}") for number in range(3)]
    for file in files:
        truestub("keys", "init-root", "--file", file)
    assert "Key list 1" in truestub("keys", "publish", "--root", files[0])
    more = [argument for file in files for argument in ("--new-root", file)]
    assert "Key list 2" in truestub("keys", "publish", "--root", files[0], *more, "--threshold", "2")
    assert json.loads(truestub("keys", "root"))["threshold"] == 2
    assert truestub("keys", "publish", "--root", files[0], "--threshold", "1").startswith("roots_not_trusted: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("keys", "publish"), "no_root_key"),
        (("keys", "publish", "--root", "/nowhere/root"), "no_root_key"),
        (("keys", "root"), "no_key_list"),
        (("keys", "list"), "no_key_list"),
        (("keys", "init-root", "--file", "/nowhere/root"), "no_such_folder"),
        (("gate", "enrol", "nothing", "North"), "unknown_event"),
        (("gate", "enrol", "summer-night", ""), "bad_gate_name"),
        (("gate", "renew", "summer-night", "5"), "unknown_gate"),
    ],
)
def test_a_mistake_is_one_sentence(truestub: Run, world: World, arguments: tuple[str, ...], code: str) -> None:
    said = truestub(*arguments)
    assert said.startswith(f"{code}: ")
    assert said.count("\n") == 1


def test_keys_are_revoked_and_rotated_by_command(truestub: Run, world: World) -> None:
    truestub("keys", "init-root")
    truestub("keys", "publish")
    assert truestub("keys", "revoke", "xx", "--reason", "rotated").startswith("bad_key_id: ")
    assert truestub("keys", "revoke", "00000000", "--reason", "rotated").startswith("unknown_key: ")
    assert truestub("keys", "rotate", world.slug, "issuing").startswith("signer_unreachable: ")


def test_a_root_that_others_may_read_signs_nothing(truestub: Run, world: World, tmp_path: Path) -> None:
    truestub("keys", "init-root")
    (tmp_path / "data/root.key").chmod(0o644)
    said = truestub("keys", "publish")
    assert said.startswith("bad_setting: ")
    assert "chmod" in said

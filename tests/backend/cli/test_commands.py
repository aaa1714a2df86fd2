"""The operator's commands, as real processes."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli import COMMANDS, GROUPS

EXAMPLE = Path(__file__).parents[3] / "examples/concert.toml"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def truestub(tmp_path: Path) -> Command:
    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TRUESTUB_")},
            "TRUESTUB_DATA_DIR": str(tmp_path / "data"),
            "LANGUAGE": "en",
            **settings,
        }
        command = [sys.executable, "-m", "backend", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    return run


def failure(done: subprocess.CompletedProcess[str], number: int = 1) -> str:
    assert done.returncode == number
    assert "Traceback" not in done.stderr
    code, _, sentence = done.stderr.strip().partition(": ")
    assert "\n" not in sentence
    assert sentence
    return code


def test_init_can_be_run_twice(truestub: Command) -> None:
    first, second = truestub("init"), truestub("init")
    assert first.returncode == second.returncode == 0
    assert first.stdout == second.stdout


def test_an_unknown_setting_is_named(truestub: Command) -> None:
    done = truestub("init", TRUESTUB_DATABSE_URL="x")
    assert failure(done, 2) == "bad_setting"
    assert "TRUESTUB_DATABSE_URL" in done.stderr


def test_a_database_that_is_away_is_one_sentence(truestub: Command) -> None:
    assert failure(truestub("init", TRUESTUB_DATABASE_URL="postgresql://127.0.0.1:1/x")) == "database_unreachable"


def test_an_event_file_with_a_mistake_says_where(truestub: Command, tmp_path: Path) -> None:
    truestub("init")
    file = tmp_path / "bad.toml"
    file.write_text(EXAMPLE.read_text().replace("capacity = 500", "capacity = 0"))
    done = truestub("event", "create", str(file))
    assert failure(done) == "bad_capacity"
    assert "classes[1].capacity" in done.stderr


def test_web_refuses_an_old_schema(truestub: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "truestub.sqlite").touch()
    assert failure(truestub("web")) == "schema_behind"


@pytest.mark.parametrize("command", ["web", "up"])
def test_a_port_in_use_is_named_and_nothing_goes_on(truestub: Command, command: str) -> None:
    truestub("init")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = truestub(command, TRUESTUB_WEB_PORT=str(other.getsockname()[1]))
    assert failure(done) == "port_in_use"


def test_up_with_a_setting_nobody_knows_starts_nothing(truestub: Command) -> None:
    done = truestub("up", TRUESTUB_NONSENSE="1")
    assert failure(done, 2) == "bad_setting"
    assert "TRUESTUB_NONSENSE" in done.stderr


def test_an_event_without_a_signer_says_what_to_start(truestub: Command) -> None:
    truestub("init")
    done = truestub("event", "create", str(EXAMPLE))
    assert failure(done) == "signer_unreachable"
    assert "truestub up" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["event", "create"], ["keys", "list", "--no-such"], ["gate", "renew", "x", "north"]]
)
def test_wrong_usage_has_a_code_and_says_where_help_is(truestub: Command, arguments: list[str]) -> None:
    done = truestub(*arguments)

    assert done.returncode == 2
    assert done.stderr.startswith("bad_arguments: ")
    assert done.stderr.count("\n") == 1
    assert "truestub --help" in done.stderr


def test_every_command_is_there(truestub: Command) -> None:
    shown = truestub("--help").stdout

    for name in (*COMMANDS, *GROUPS):
        assert f" {name} " in shown

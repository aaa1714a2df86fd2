"""Operators tell people things: post, edit, close, announce."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.incident import MAX_CHARACTERS, app
from backend.errors import Refused

runner = CliRunner()


@pytest.fixture(autouse=True)
def installation(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUESTUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRUESTUB_DATABASE_URL", database_url)
    monkeypatch.setenv("LANGUAGE", "en")


def run(*arguments: str) -> str:
    done = runner.invoke(app, arguments, catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_what_is_posted_can_be_edited_and_closed() -> None:
    assert "Incident 1 is open" in run("post", "--text", "Cards fail.", "--component", "payments")
    run("edit", "1", "--text", "Most cards work again.")
    assert "Most cards work again." in run("list")
    run("close", "1")
    assert "Nothing is open." in run("list")
    with pytest.raises(Refused, match="unknown_incident"):
        run("edit", "1", "--text", "too late")


def test_work_is_announced_with_its_times() -> None:
    run("announce", "--text", "New disks.", "--from", "2040-06-15T18:00+02:00", "--until", "2040-06-15T19:00+02:00")
    assert "2040-06-15T16:00:00.000Z" in run("list")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["post", "--text", " "], "bad_text"),
        (["post", "--text", "x" * (MAX_CHARACTERS + 1)], "bad_text"),
        (["post", "--text", "x", "--component", "coffee"], "unknown_component"),
        (["post", "--text", "x", "--state", "sad"], "bad_state"),
        (["announce", "--text", "x", "--from", "soon", "--until", "2040-06-15"], "bad_times"),
        (["announce", "--text", "x", "--from", "2040-06-15", "--until", "2040-06-14"], "bad_times"),
        (["close", "7"], "unknown_incident"),
    ],
)
def test_mistakes_are_refused_with_a_code(arguments: list[str], code: str) -> None:
    with pytest.raises(Refused, match=code):
        run(*arguments)

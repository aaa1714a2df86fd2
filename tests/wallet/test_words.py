"""Two languages, whole and fresh, and every code has its place among the exit codes."""

import ast
from pathlib import Path

import pytest

from tests.wallet.home import Home
from tools.messages import catalogue, untranslated, updated
from wallet import i18n
from wallet.cli import exits, main
from wallet.cli.argparse_words import argparse_words

ROOM = Path(__file__).parents[2] / "wallet"


def test_catalogue_is_complete_and_fresh() -> None:
    """If this fails: python -m tools.messages wallet, translate, and run it again."""
    messages, po, mo = updated(ROOM)
    assert not untranslated(messages)
    assert catalogue(ROOM).read_bytes() == po
    assert catalogue(ROOM).with_suffix(".mo").read_bytes() == mo


def test_errors_speak_the_readers_language(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh_CN")
    ran = home.run("show", "1", "--once")
    assert ran.error == "no_such_ticket"
    assert "没有门票" in ran.err


def test_help_speaks_the_readers_language_argparses_words_included(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    with pytest.raises(SystemExit):
        main(["show", "--help"])
    text = capsys.readouterr().out
    for word in ("用法", "选项", "显示本帮助并退出", "每 10 秒换新"):
        assert word in text


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANGUAGE": "zh_TW:en"}, "zh"),
        ({"LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANGUAGE": "fr", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANGUAGE": "", "LC_ALL": "", "LC_MESSAGES": "", "LANG": ""}, "en"),
    ],
)
def test_language_is_the_terminals(environ: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert i18n.language() == language


def test_argparse_still_says_these_words() -> None:
    import argparse

    source = Path(argparse.__file__).read_text()
    missing = [word for word in argparse_words() if repr(word)[1:-1] not in source]
    assert missing == []


def test_every_error_code_of_the_room_has_its_exit_code() -> None:
    """A code that is raised here and not listed would pass for a refusal of the platform."""
    refusals = {"price_changed", "hold_expired", "order_cancelled", "order_refunded", "already_paid", "order_not_paid"}
    raised = {code for path in ROOM.rglob("*.py") for code in _codes(path)}
    assert len(raised) > 40
    refusals |= {"already_given", "given_away", "not_given", "taken_back"}
    refusals |= {"ticket_not_ready", "ticket_not_valid"}
    unlisted = {code for code in raised if exits.exit_code(code) == exits.REFUSED}
    assert unlisted <= refusals | {"binding_refused", "ticket_gone"}


def _codes(path: Path) -> list[str]:
    return [
        str(node.args[0].value)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("WalletError", "Broken")
        and isinstance(node.args[0], ast.Constant)
    ]

"""What the crew reads: every verdict has words, in both languages, and the catalogue is complete and fresh."""

from pathlib import Path

import pytest

from tools.messages import catalogue, untranslated, updated
from verifier.i18n import LANGUAGES, terminal_language
from verifier.verdict import Code, Verdict
from verifier.words import LOOKS, Colour, duration, words_for

ROOM = Path(__file__).parents[2] / "verifier"
NOW = 1_900_000_000


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", Code)
def test_every_verdict_has_word_colour_icon_sentence_and_advice(code: Code, language: str) -> None:
    words = words_for(Verdict(code, moment=NOW - 12, gate="B"), NOW, language)

    assert all((words.word, words.icon, words.sentence, words.advice))
    assert "{" not in words.word + words.sentence + words.advice
    assert words.sentence.isascii() == (language == "en")


def test_green_means_admit_and_nothing_else() -> None:
    assert [code for code, (colour, _) in LOOKS.items() if colour is Colour.GREEN] == [Code.ADMIT]


def test_words_of_refusals_differ_from_each_other_in_what_is_done_or_said() -> None:
    said = {(words.word, words.sentence) for words in (words_for(Verdict(code), NOW, "en") for code in Code)}

    assert len(said) == len(Code)


def test_used_ticket_names_gate_and_time() -> None:
    words = words_for(Verdict(Code.ALREADY_USED, moment=NOW - 12, gate="B"), NOW, "en")

    assert words.sentence == "This ticket was used at gate B, 12 s ago."
    assert (
        words_for(Verdict(Code.ALREADY_USED), NOW, "en").sentence == "The platform says this ticket was used already."
    )
    assert "12 秒前" in words_for(Verdict(Code.ALREADY_USED, moment=NOW - 12, gate="B"), NOW, "zh").sentence


def test_other_gate_is_named() -> None:
    assert words_for(Verdict(Code.OTHER_GATE, gate="South"), NOW, "en").advice == "Send them to gate South."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86_400, "1 day"), (172_800, "2 days")],
)
def test_durations_have_one_unit(seconds: int, words: str) -> None:
    assert duration(seconds, "en") == words


def test_catalogue_is_complete_and_fresh() -> None:
    """If this fails: python -m tools.messages verifier, translate, and run it again."""
    messages, po, mo = updated(ROOM)

    assert untranslated(messages) == []
    assert catalogue(ROOM).read_bytes() == po
    assert catalogue(ROOM).with_suffix(".mo").read_bytes() == mo


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN", "LANGUAGE": "en"}, "en"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_language_is_the_terminals(environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert terminal_language() == language

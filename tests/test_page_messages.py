"""What the gate's and the wallet's page say comes from the rooms' catalogues, whole and fresh."""

import json
from pathlib import Path

import pytest

from tools.page_messages import PAGES, TOP, files, sentences_of


@pytest.mark.parametrize("path", sorted(files()), ids=lambda path: str(path.relative_to(TOP)))
def test_generated_words_are_fresh(path: Path) -> None:
    """If this fails: python -m tools.page_messages."""
    assert path.read_text() == files()[path]


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_sentence_of_a_page_is_in_chinese(name: str) -> None:
    translated = json.loads((PAGES[name] / "web" / "messages" / "zh.json").read_text())
    assert not sentences_of(name) - translated.keys()

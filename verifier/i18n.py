"""Sentences for people, in English or Simplified Chinese."""

import gettext as _stdlib
import os
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = ("en", "zh")


def gettext(sentence: str, language: str | None = None) -> str:
    """The sentence in `language`, or the terminal's; the English one where there is no other."""
    return _catalogue(language or terminal_language()).gettext(sentence)


def ngettext(one: str, many: str, count: int, language: str | None = None) -> str:
    """Like `gettext`, by number."""
    return _catalogue(language or terminal_language()).ngettext(one, many, count)


def terminal_language() -> str:
    """What LANGUAGE, LC_ALL, LC_MESSAGES or LANG ask for, if we speak it."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        wanted = os.environ.get(name, "")[:2].lower()
        if wanted in LANGUAGES:
            return wanted
        if wanted:
            break
    return "en"


@cache
def _catalogue(language: str) -> _stdlib.NullTranslations:
    return _stdlib.translation("messages", LOCALE_DIR, [language], fallback=True)

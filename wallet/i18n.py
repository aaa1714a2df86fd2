"""Sentences for people, in English or Simplified Chinese: the terminal's language unless told otherwise."""

import gettext as _stdlib
import os
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = ("en", "zh")


def gettext(sentence: str) -> str:
    """The sentence in the reader's language; the English one where there is no other."""
    return _catalogue(language()).gettext(sentence)


def ngettext(one: str, many: str, count: int) -> str:
    """Like `gettext`, by number."""
    return _catalogue(language()).ngettext(one, many, count)


def language() -> str:
    """What LANGUAGE, LC_ALL, LC_MESSAGES or LANG ask for, if we speak it."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        wanted = os.environ.get(name, "")[:2].lower()
        if wanted:
            return wanted if wanted in LANGUAGES else "en"
    return "en"


@cache
def _catalogue(name: str) -> _stdlib.NullTranslations:
    return _stdlib.translation("messages", LOCALE_DIR, [name], fallback=True)

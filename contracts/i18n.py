"""Sentences for people, in English or Simplified Chinese."""

import gettext as _stdlib
import os
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = ("en", "zh")


def gettext(sentence: str, language: str | None = None) -> str:
    """The sentence in `language`, or in that of LANGUAGE, LC_ALL, LC_MESSAGES or LANG; else in English."""
    return _catalogue(language or _terminal_language()).gettext(sentence)


def _terminal_language() -> str:
    wanted = next(
        (os.environ[name] for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    return wanted[:2].lower() if wanted[:2].lower() in LANGUAGES else "en"


@cache
def _catalogue(language: str) -> _stdlib.NullTranslations:
    return _stdlib.translation("messages", LOCALE_DIR, [language], fallback=True)

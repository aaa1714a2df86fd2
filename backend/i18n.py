"""Sentences for people, in English or Simplified Chinese.

`gettext` follows the request's language inside a web request and the terminal's outside one.
"""

import gettext as _stdlib
import os
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = ("en", "zh")

_language: ContextVar[str | None] = ContextVar("truestub_language", default=None)


def gettext(sentence: str) -> str:
    """The sentence in the reader's language; the English one where there is no other."""
    return _catalogue(language()).gettext(sentence)


def ngettext(one: str, many: str, count: int) -> str:
    """Like `gettext`, by number."""
    return _catalogue(language()).ngettext(one, many, count)


def set_language(language: str | None) -> None:
    """Choose the language of this context (a web request sets it from its Accept-Language)."""
    _language.set(language)


def language() -> str:
    """The language in use here, to hand on to another process that writes sentences for the same reader."""
    return _language.get() or terminal_language()


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

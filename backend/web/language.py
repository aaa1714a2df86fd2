"""Which language and which formats a reader gets.

Two languages of words (`LANGUAGES`), any region of formats: a reader who asks for `en-GB` reads English words with
British dates. The choice is the cookie's, else the browser's, else English.
"""

from collections.abc import Iterable
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from flask import Flask, has_request_context, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from backend.i18n import LANGUAGES, LOCALE_DIR

LANGUAGE_NAMES = {"en": "English", "zh": "中文"}  # each in its own words
HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}  # BCP 47
_FORMATS = {"en": "en", "zh": "zh_Hans_CN"}  # where the browser names no region of the language
_COOKIE = "language"
_COOKIE_SECONDS = 365 * 24 * 3600


def init_language(app: Flask) -> None:
    """Give the templates of `app` gettext and the reader's formats."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(LOCALE_DIR)
    Babel(app, locale_selector=lambda: formats_for(current_language(), request.accept_languages.values()))


def current_language() -> str:
    """The language of this request, one of `LANGUAGES`."""
    if not has_request_context():
        return "en"
    if "HTTP_COOKIE" not in request.environ and "HTTP_ACCEPT_LANGUAGE" not in request.environ:
        return "en"  # most programs: nothing to parse
    return choose(request.cookies.get(_COOKIE), request.accept_languages.values())


@lru_cache(maxsize=256)  # of the header's forms; browsers have few
def language_of(accept_language: str) -> str:
    """The language for a request that brings this header and no cookie."""
    return choose(None, parse_accept_header(accept_language, LanguageAccept).values())


def choose(cookie: str | None, wanted: Iterable[str]) -> str:
    """The language for a cookie's value and the browser's wishes, best first."""
    if cookie in LANGUAGES:
        return str(cookie)
    for tag in wanted:
        language = tag.replace("_", "-").split("-")[0].lower()
        if language in LANGUAGES:
            return language
    return "en"


def formats_for(language: str, wanted: Iterable[str]) -> str:
    """The locale whose dates and numbers the reader is used to, for words in `language`."""
    if language == "zh":
        return _FORMATS["zh"]  # one script: Traditional formats beside Simplified words would mix two
    for tag in wanted:
        parsed = _parsed(tag)
        if parsed is not None and parsed.language == language and parsed.territory:
            return str(parsed)
    return _FORMATS[language]


def switch(language: str) -> ResponseReturnValue:
    """Remember the language and go back to where the reader was."""
    answer = redirect(_local(request.args.get("next", "/")), 303)
    if language in LANGUAGES:
        answer.set_cookie(
            _COOKIE, language, max_age=_COOKIE_SECONDS, samesite="Lax", httponly=True, secure=request.is_secure
        )
    return answer


def _local(target: str) -> str:
    # Only a path of ours: browsers read "//host" and "/\\host" as other hosts.
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if plain and target.isprintable() else "/"


def _parsed(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return None

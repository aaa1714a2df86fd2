"""Brings a room's message catalogues up to date: python -m tools.messages verifier

Extracts the sentences, updates `<room>/locale/zh/LC_MESSAGES/messages.po`, and compiles the `.mo`. What still has to be
translated is listed, and makes the exit code 1. The output depends on the sources alone: no dates, no line numbers.
"""

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

KEYWORDS: dict[str, tuple[int, ...] | None] = {"_": None, "gettext": None, "ngettext": (1, 2)}
METHODS = [("**/vendor/**", "ignore"), ("**.py", "python"), ("**.js", "javascript"), ("**/templates/**.html", "jinja2")]
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)


def catalogue(room: Path) -> Path:
    return room / "locale" / "zh" / "LC_MESSAGES" / "messages.po"


def updated(room: Path) -> tuple[Catalog, bytes, bytes]:
    """The catalogue with the room's present sentences, and the bytes of its .po and .mo; changes nothing."""
    template = Catalog()
    for _file, _line, message, comments, context in extract_from_dir(str(room), METHODS, keywords=KEYWORDS):
        template.add(message, auto_comments=comments, context=context)
    path = catalogue(room)
    translated = read_po(BytesIO(path.read_bytes() if path.exists() else b""), locale="zh")
    translated.update(template, no_fuzzy_matching=True)
    translated.obsolete.clear()
    translated.header_comment = "# Simplified Chinese. Translate here; `python -m tools.messages` does the rest."
    translated.project, translated.version = "truestub", "0"
    translated.msgid_bugs_address = translated.last_translator = translated.language_team = ""
    translated.creation_date = translated.revision_date = NO_DATE
    translated.fuzzy = False
    po, mo = BytesIO(), BytesIO()
    write_po(po, translated, width=120, no_location=True, sort_output=True, ignore_obsolete=True)
    write_mo(mo, translated)
    return translated, po.getvalue(), mo.getvalue()


def untranslated(messages: Catalog) -> list[str]:
    """Sentences without a translation, and translations whose {placeholders} differ."""
    return [
        str(message.id) for message in messages if message.id and (not _is_whole(message.string) or message.check())
    ]


def _is_whole(translation: str | tuple[str, ...]) -> bool:
    """Every form of a plural is there."""
    return bool(translation) and all(translation)


def main(rooms: list[str]) -> int:
    missing = 0
    for room in map(Path, rooms):
        messages, po, mo = updated(room)
        path = catalogue(room)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(po)
        path.with_suffix(".mo").write_bytes(mo)
        for sentence in untranslated(messages):
            print(f"{room}: not translated: {sentence}")
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes what the gate's and the wallet's page say, from the rooms' catalogues: python -m tools.page_messages

One catalogue serves Python and the browser. The output depends on the sources alone; a test makes it anew and compares.
"""

import json
import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tools.messages import KEYWORDS, METHODS, catalogue
from verifier.verdict import Code, Verdict
from verifier.words import words_for

TOP = Path(__file__).resolve().parent.parent
SHARED = TOP / "backend" / "web" / "static" / "js"  # modules that both pages use; their sentences are the backend's
PAGES = {"verifier": TOP / "verifier", "wallet": TOP / "wallet"}


def files() -> dict[Path, str]:
    """Every generated file, by path, with its content."""
    made = {TOP / "verifier" / "web" / "verdicts.json": _json(_verdicts())}
    for name, room in PAGES.items():
        catalogues = [_read(one) for one in (room, TOP / "backend", *PAGES.values())]
        made[room / "web" / "messages" / "zh.json"] = _json(_translated(sorted(sentences_of(name)), catalogues))
    return made


def sentences_of(name: str) -> set[str]:
    """The English sentences a page can say; of a plural, its singular."""
    found = _sentences(PAGES[name] / "web") | _sentences(SHARED)
    if name == "verifier":
        found |= {row[part] for row in _verdicts().values() for part in ("word", "sentence", "advice")}
    return found


def _verdicts() -> dict[str, dict[str, str]]:
    """The English words of every verdict; the page looks them up in its catalogue."""
    rows = {}
    for code in Code:
        words = words_for(Verdict(code), 0, "en")
        rows[str(code)] = {
            "word": words.word,
            "colour": str(words.colour),
            "icon": words.icon,
            "sentence": words.sentence,
            "advice": words.advice,
        }
    return rows


def _sentences(folder: Path) -> set[str]:
    found = extract_from_dir(str(folder), method_map=METHODS, keywords=KEYWORDS)
    return {message if isinstance(message, str) else message[0] for _file, _line, message, _notes, _context in found}


def _read(room: Path) -> Catalog:
    path = catalogue(room)
    return read_po(BytesIO(path.read_bytes() if path.exists() else b""), locale="zh")


def _translated(sentences: list[str], catalogues: list[Catalog]) -> dict[str, str | list[str]]:
    """By sentence; a plural gives its forms. A test refuses what is missing."""
    made: dict[str, str | list[str]] = {}
    for sentence in sentences:
        for one in catalogues:
            message = one.get(sentence)
            if message is not None and message.string:
                made[sentence] = message.string if isinstance(message.string, str) else list(message.string)
                break
    return made


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())

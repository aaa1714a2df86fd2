"""Writes what the gate and wallet pages say from the rooms' gettext catalogues: one catalogue serves both."""

import json
from pathlib import Path

from verifier.verdict import Code, Verdict
from verifier.words import words_for

TOP = Path(__file__).resolve().parent.parent


def verdicts() -> str:
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
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (TOP / "verifier/web/verdicts.json").write_text(verdicts())

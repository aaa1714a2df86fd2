"""SPEC 6 is the contract for other implementations: what it lists is what the code has."""

import re
from pathlib import Path

from verifier import steps
from verifier.verdict import Code, Verdict
from verifier.words import words_for

SPEC = (Path(__file__).parents[2] / "docs" / "SPEC.md").read_text()


def test_specification_lists_every_verdict_with_its_word_colour_and_icon() -> None:
    table = SPEC[SPEC.index("### 6.2") : SPEC.index("### 6.3")]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (\w+) \| (\w+) \|", table, re.MULTILINE)
    words = {code: words_for(Verdict(code), 0, "en") for code in Code}

    assert rows == [(str(code), one.word, str(one.colour), one.icon) for code, one in words.items()]


def test_specification_states_the_constants() -> None:
    table = SPEC[SPEC.index("| constant |") : SPEC.index("### 6.2")]

    assert re.findall(r"\| (\d+) \|$", table, re.MULTILINE) == [
        str(steps.MAX_AGE_SECONDS),
        str(steps.MAX_AHEAD_SECONDS),
        str(steps.CHALLENGE_SECONDS),
        str(steps.UNLISTED_GRACE_SECONDS),
    ]


def test_sections_that_code_cites_exist() -> None:
    root = Path(__file__).parents[2]
    numbered = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)[. ]", SPEC, re.MULTILINE))
    cited = {
        (path.name, number)
        for room in ("credential", "verifier")
        for path in (root / room).rglob("*.py")
        for number in re.findall(r"SPEC (\d+(?:\.\d+)?)", path.read_text())
    }

    assert cited
    assert {one for one in cited if one[1] not in numbered} == set()

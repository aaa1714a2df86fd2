"""slither finds nothing of high or medium weight in our contracts but what docs/decisions explains line by line."""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from contracts import build

ROOT = build.HERE.parent
DECISIONS = ROOT / "docs" / "decisions"
# An environment of its own: slither wants an older web3 than we do.
READY = Path(".venv-slither/.ready")
ROW = re.compile(r"^\| `(?P<check>[\w-]+)` \| `(?P<file>[\w/.]+)` \| `(?P<line>[^`]+)` \|", re.MULTILINE)

Finding = tuple[str, str, str]  # check, file below contracts/src, the line as it stands there


def test_slither_finds_nothing_that_is_not_explained() -> None:
    page = next(DECISIONS.glob("*-slither.md")).read_text()
    explained = {(row["check"], row["file"], row["line"]) for row in ROW.finditer(page)}
    assert explained, "the table can't be read"
    assert found_by_slither() == explained


@cache
def found_by_slither() -> frozenset[Finding]:
    """Findings of high and medium weight that touch our own sources."""
    subprocess.run(["make", "--silent", str(READY)], cwd=ROOT, check=True, timeout=300)
    folder = ROOT / "build" / "slither"
    folder.mkdir(parents=True, exist_ok=True)
    # slither takes one file; this one brings in all.
    everything = folder / "Everything.sol"
    imports = "".join(f'import "../../contracts/src/{path.name}";\n' for path in sorted(build.SOURCES.glob("*.sol")))
    everything.write_text(f"// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.37;\n{imports}")
    program = ROOT / READY.parent / "bin" / "slither"
    options = ["--solc", str(build.COMPILER), "--solc-remaps", "@openzeppelin=node_modules/@openzeppelin"]
    weights = ["--exclude-low", "--exclude-informational", "--exclude-optimization"]
    answer = subprocess.run(
        [program, everything.relative_to(ROOT), *options, *weights, "--fail-none", "--json", "-"],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    report: dict[str, Any] = json.loads(answer.stdout) if answer.stdout else {"success": False, "error": answer.stderr}
    assert report["success"], report["error"]
    return frozenset(
        finding for result in report["results"].get("detectors", []) for finding in named(result["check"], result)
    )


def named(check: str, result: dict[str, Any]) -> set[Finding]:
    """The finding by its innermost places: statements if it names any, else whatever it names."""
    own = [element for element in result["elements"] if in_sources(element)]
    places = [element for element in own if str(element["type"]) == "node"] or own
    return {(check, in_sources(place), first_line(place)) for place in places}


def in_sources(element: dict[str, Any]) -> str:
    """The element's file below contracts/src, or "" if it is elsewhere."""
    _, mine, rest = str(element["source_mapping"]["filename_relative"]).rpartition("contracts/src/")
    return rest if mine else ""


def first_line(element: dict[str, Any]) -> str:
    line: int = element["source_mapping"]["lines"][0]
    return (build.SOURCES / in_sources(element)).read_text().splitlines()[line - 1].strip()

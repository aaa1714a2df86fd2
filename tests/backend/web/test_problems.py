"""The list of problem codes is whole, and SPEC 9.4 shows it as it is."""

import ast
import re
from pathlib import Path

from backend.web.problems import STATUS_OF

ROOT = Path(__file__).parents[3]
MAKERS = {"refuse", "Refusal", "No"}  # what makes a refusal, from its code
OPERATORS = (  # modules whose refusals an operator alone meets, in a terminal or beside a form of the desk
    *("desk", "cli", "chain", "ops", "domain/money.py", "domain/event_file.py", "sales/events.py"),
    *("credentials/publishing.py", "credentials/root_files.py", "credentials/event_keys.py"),
    *("credentials/gates.py", "credentials/validity.py", "credentials/signer.py"),
)
UNSAID = {"seats_unknown"}  # answered by reading the seats and deciding again


def test_spec_shows_every_code_beside_its_status() -> None:
    section = (ROOT / "docs/SPEC.md").read_text().partition("### 9.4 ")[2].partition("\n## ")[0]
    shown = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.*) \|$", section, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }

    assert shown == STATUS_OF, f"the table of SPEC 9.4 is to read:\n{table()}"


def test_every_code_that_the_web_can_tell_is_listed() -> None:
    told = {
        code: path.relative_to(ROOT / "backend").as_posix()
        for path in (ROOT / "backend").rglob("*.py")
        if not path.relative_to(ROOT / "backend").as_posix().startswith(OPERATORS)
        for code in codes_of(path)
    }

    assert len(told) > 50, "codes that are not found are not compared"
    assert {code: path for code, path in told.items() if code not in {*STATUS_OF, *UNSAID}} == {}, (
        "list it in web/problems.py"
    )


def table() -> str:
    """The rows of SPEC 9.4."""
    statuses = dict.fromkeys(STATUS_OF.values())
    return "\n".join(f"| {one} | {', '.join(f'`{c}`' for c in STATUS_OF if STATUS_OF[c] == one)} |" for one in statuses)


def codes_of(path: Path) -> set[str]:
    """Codes of the refusals that a module makes."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    first = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in MAKERS]
    return {one.value for one in first if isinstance(one, ast.Constant) and isinstance(one.value, str)}

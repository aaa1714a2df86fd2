"""Writes the table of problem codes into SPEC 9.4: python -m tools.problem_codes

The codes are those that backend/web/problems.py gives a status, and every other that the web's modules refuse with,
which is a conflict (409). Codes that an operator alone meets, in a terminal or beside a form of the desk, are left out.
"""

import ast
from collections import defaultdict
from pathlib import Path

from backend.web.problems import OTHER, STATUS_OF

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "docs/SPEC.md"
HEAD = "| status | codes |\n| --- | --- |\n"
MAKERS = {"refuse", "Refusal", "No"}  # what makes a refusal, from its code
OPERATORS = (  # modules below backend/
    *("desk", "cli", "chain", "ops", "domain/money.py", "domain/event_file.py", "domain/event_table.py"),
    *("domain/event_terms.py", "sales/events.py", "sales/changing.py", "sales/calling_off.py"),
    *("sales/disputes_by_hand.py", "credentials/publishing.py", "credentials/root_files.py"),
    *("credentials/event_keys.py", "credentials/gates.py", "credentials/validity.py", "credentials/signer.py"),
)
UNSAID = {"seats_unknown"}  # answered by reading the seats and deciding again


def table() -> str:
    """The table as it should be, sorted by status."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code, status in STATUS_OF.items():
        by_status[status].append(code)
    by_status[OTHER] += sorted(_told() - set(STATUS_OF) - UNSAID)
    rows = [f"| {status} | {', '.join(f'`{code}`' for code in codes)} |" for status, codes in sorted(by_status.items())]
    return HEAD + "\n".join(rows) + "\n"


def written(spec: str) -> str:
    """The SPEC with the table in its place."""
    before, _head, after = spec.partition(HEAD)
    return before + table() + after[after.index("\n\n") + 1 :]


def _told() -> set[str]:
    backend = ROOT / "backend"
    paths = [path for path in backend.rglob("*.py") if not path.relative_to(backend).as_posix().startswith(OPERATORS)]
    return {code for path in paths for code in _codes_of(path)}


def _codes_of(path: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call) and node.args]
    first = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in MAKERS]
    return {one.value for one in first if isinstance(one, ast.Constant) and isinstance(one.value, str)}


if __name__ == "__main__":
    SPEC.write_text(written(SPEC.read_text()))

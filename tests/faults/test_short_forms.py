"""Every row of docs/faults.md has a short form in `make test`, and that test exists."""

import re
from pathlib import Path

from tests.faults import test_database, test_kills, test_node, test_ours

MODULES = (test_database, test_kills, test_node, test_ours)


def fault_rows() -> list[dict[str, str]]:
    """Every row of the table: its name and its short form."""
    return [
        mark.kwargs
        for module in MODULES
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", [])
        if getattr(mark, "name", "") == "faults"
    ]


def test_every_row_names_a_short_form_that_exists() -> None:
    rows = fault_rows()
    assert rows
    for row in rows:
        file, _, name = row["short"].partition("::")
        found = re.search(rf"((?:@.*\n)*)def {name}\(", Path(file).read_text())
        assert found, row
        assert "mark.deep" not in found.group(1), row

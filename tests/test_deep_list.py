"""Every test that `make test` leaves out is in docs/deep.md, with what it showed last."""

import re
from pathlib import Path

TOP = Path(__file__).parents[1]
DEEP_TEST = re.compile(r"^@pytest\.mark\.deep\n(?:@.*\n)*def (test_\w+)", re.MULTILINE)


def test_every_deep_test_has_its_last_result_in_the_list() -> None:
    told = (TOP / "docs" / "deep.md").read_text()
    deep = [
        f"{file.relative_to(TOP)}::{name}"
        for file in sorted((TOP / "tests").rglob("test_*.py"))
        for name in DEEP_TEST.findall(file.read_text())
    ]
    assert len(deep) > 1
    assert [one for one in deep if f"`{one}`" not in told] == []

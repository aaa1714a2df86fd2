"""SPEC 9.4 shows every problem code beside its status."""

from backend.web.problems import STATUS_OF
from tools.problem_codes import SPEC, table, written


def test_spec_shows_every_code_beside_its_status() -> None:
    """If this fails: python -m tools.problem_codes."""
    shown = SPEC.read_text()

    assert table() in shown
    assert written(shown) == shown


def test_a_code_that_is_left_out_would_be_seen() -> None:
    told = table()
    assert all(f"`{code}`" in told for code in STATUS_OF)
    assert "`sold_out`" in told
    assert "`seats_unknown`" not in told
    without = SPEC.read_text().replace("`sold_out`, ", "")
    assert written(without) != without

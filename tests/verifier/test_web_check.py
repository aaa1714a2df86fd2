"""The gate page's check answers tests/vectors as Python's does (SPEC 6.7)."""

from pathlib import Path

import pytest

from tests.support.node import run_module

VECTORS = [Path(__file__).parent.parent / "vectors" / "credential.json"]  # the others are other rooms'
FEWEST = 4000  # comparisons: cases, every flipped bit, and what the wallet makes


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_page_and_gate_give_the_same_verdicts(path: Path) -> None:
    found = run_module(Path(__file__).parent / "run_vectors_in_node.mjs", str(path))
    assert found["differences"] == []
    assert found["compared"] >= FEWEST

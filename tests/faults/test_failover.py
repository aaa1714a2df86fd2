"""The primary database is killed under load: the standby takes over, and nothing acknowledged is lost (design 9)."""

import json
from pathlib import Path

import pytest

from tests.faults.arena import Seen
from tests.support.failover import run

KILLS = 10


def test_a_killed_primary_loses_no_acknowledged_order(tmp_path: Path) -> None:
    result = run(tmp_path, kills=1)
    assert result.lost == 0
    assert result.problems == ()
    assert result.acknowledged >= 2


@pytest.mark.faults(
    row="database: primary killed, standby promoted",
    short="test_failover.py::test_a_killed_primary_loses_no_acknowledged_order",
)
def test_ten_killed_primaries_lose_no_acknowledged_order(tmp_path: Path, seen: Seen) -> None:
    result = run(tmp_path, KILLS)
    print(json.dumps({"failover_lost": result.lost, "failover_s": round(max(result.gaps_s), 2)}))
    assert (result.lost, result.problems) == (0, ())
    assert len(result.gaps_s) == KILLS
    seen.sold, seen.checked = result.acknowledged, True

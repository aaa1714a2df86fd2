"""The primary database is killed under load: the standby takes over, and nothing acknowledged is lost (design 9).

The short form; ten kills are a row of docs/faults.md.
"""

from pathlib import Path

from tests.support.failover import run


def test_a_killed_primary_loses_no_acknowledged_order(tmp_path: Path) -> None:
    result = run(tmp_path, kills=1)
    assert result.lost == 0
    assert result.problems == ()
    assert result.acknowledged >= 2

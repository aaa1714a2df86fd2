"""`make bench-patroni`: tills sell while the leader of a real Patroni cluster is killed, and once while it is switched.

Three members and three etcd run on this machine with the configuration of docs/operating/postgresql.md. A kill is
SIGKILL for Patroni and its PostgreSQL; the killed one rejoins before the next. The last line is one JSON object:
`patroni_lost` (orders acknowledged and not stored; must be 0), `patroni_s` (seconds from a kill to the next order:
worst and median), `switchover_s` (the longest time without an acknowledged order around `patronictl switchover`),
`kills`, `orders`, and `rewinds` (members that pg_rewind brought back). `--kills N` changes their number.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

from tests.support.failover import sell_through
from tests.support.patroni import PatroniCluster

KILLS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=KILLS)
    kills = parser.parse_args().kills
    with closing(PatroniCluster()) as cluster, tempfile.TemporaryDirectory(prefix="truestub-till-") as folder:
        result = sell_through(Path(folder), cluster, [*[cluster.kill_primary] * kills, cluster.switch_over])
        rewinds = cluster.rewinds()
    gaps = [round(gap, 2) for gap in result.gaps_s[:kills]]
    print("from each kill to the next acknowledged order, s:", *gaps)
    figures = {
        "patroni_lost": result.lost,
        "patroni_s": {"worst": max(gaps), "median": round(statistics.median(gaps), 2)},
        "switchover_s": round(result.silences_s[-1], 2),
        "kills": kills,
        "orders": result.acknowledged,
        "rewinds": rewinds,
    }
    if result.problems:
        raise SystemExit(f"a promise was broken: {result.problems[:3]} {figures}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

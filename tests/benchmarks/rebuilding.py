"""The worker's follower from an old cursor to the node's head, in a process of its own: time, tokens, peak of memory.

python -m tests.benchmarks.rebuilding DATABASE_URL NODE_URL; used by `make bench-index`.
"""

import json
import sys
import time
from pathlib import Path

from sqlalchemy import Engine, func, select

from backend.chain.follow import Follower
from backend.chain.leases import take
from backend.chain.rpc import Node
from backend.chain.transport import Transport
from backend.db.engine import make_engine, read
from backend.db.tables.chain import Chain, Token

CHAIN_ID, FINALITY = 31337, 2


def main(url: str, node_url: str) -> None:
    """The worker's follower, until it is at the head."""
    engine, transport = make_engine(url), Transport()
    held = take(engine, "chain", "test", 3600)
    assert held is not None
    follower, node = Follower(engine, CHAIN_ID, FINALITY, rewinds_by_itself=False), Node(node_url, transport)
    head = int(node.call("eth_blockNumber"), 16)
    began = time.perf_counter()
    while _cursor(engine) < head:
        follower.follow([node], held)
    seconds = time.perf_counter() - began
    with read(engine) as connection:
        tokens = connection.scalar(select(func.count()).select_from(Token))
    transport.close()
    engine.dispose()
    print(json.dumps({"seconds": seconds, "tokens": tokens, "peak_mb": _peak_mb()}))


def _peak_mb() -> int:
    """This program's own; what getrusage says begins with the size of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return round(int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024)


def _cursor(engine: Engine) -> int:
    with read(engine) as connection:
        return connection.scalar(select(Chain.cursor_number).where(Chain.state != "retired")) or 0


if __name__ == "__main__":
    main(*sys.argv[1:])

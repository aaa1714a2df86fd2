"""`make bench-index`: the index read again from the chain, beside the raw rate of the same node in the same run.

*Raw* is what the node's logs cost to fetch block by block (a block holds up to 11,000) and to decode, with nothing
kept. The index is rebuilt by the worker's own code in a process of its own, whose peak of memory is taken. The last
line is one JSON
object: `vs_raw` (index ÷ raw, tickets a second) and `peak_mb`.

TICKETS=1000000 python -m tests.benchmarks.indexing
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from random import Random

import orjson
from sqlalchemy import Engine, func, select

from backend.chain.calldata import mint_calldata
from backend.chain.follow import current_chain
from backend.chain.jobs import NewJob, enqueue
from backend.chain.rebuild import forget
from backend.chain.relayer import ISSUED, Relayer
from backend.chain.transport import Transport
from backend.db.engine import make_engine, read
from backend.db.migrate import upgrade
from backend.db.tables.chain import Batch, ChainContract, ChainJob, ChainNonce
from backend.domain.batching import MAX_BATCH, mint_gas
from tests.benchmarks.limits import Limits, missed
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ISSUER, ChainPlatform, completion, start_platform

TICKETS = int(os.environ.get("TICKETS", "1000000"))
BLOCK_GAS = 100_000_000  # nine batches in a block, about 11,000 logs: as busy as a public network's fastest
FINALITY = 2
ROUND_SECONDS = 1_800
LIMITS: Limits = {"vs_raw": (">=", 0.5), "peak_mb": ("<=", 200)}


def main() -> None:
    node = ChainNode()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/index.sqlite"
        engine = make_engine(url)
        upgrade(engine)
        try:
            node.start()
            platform = start_platform(engine, node, (TICKETS,))
            _mint(platform)
            raw = _raw_rate(engine, node)
            chain = current_chain(engine)
            assert chain is not None
            forget(engine, chain.id)
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.rebuilding", url, node.url],
                check=True,
                capture_output=True,
                text=True,
            )
            rebuilt = json.loads(done.stdout)
            assert rebuilt["tokens"] == TICKETS, rebuilt
        finally:
            engine.dispose()
            node.close()
    rate = TICKETS / rebuilt["seconds"]
    figures = {
        "vs_raw": round(rate / raw, 2),
        "peak_mb": rebuilt["peak_mb"],
        "tickets": TICKETS,
        "index_per_s": round(rate),
        "raw_per_s": round(raw),
    }
    print(json.dumps({**figures, **missed(figures, LIMITS)}))


def _mint(platform: ChainPlatform) -> None:
    """As many batches as there are tickets, through the relayer; blocks as fast as they fill."""
    random = Random(1)
    platform.anvil.call("evm_setBlockGasLimit", hex(BLOCK_GAS))
    with platform.engine.begin() as connection:
        for number, start in enumerate(range(0, TICKETS, MAX_BATCH), start=1):
            count = min(MAX_BATCH, TICKETS - start)
            owners = b"".join(sorted(random.randbytes(20) for _ in range(count)))
            row = {"event_id": platform.event_id, "number": number, "class_number": 1, "count": count}
            connection.execute(Batch.__table__.insert().values(**row, owners=owners, closed_ms=0))  # type: ignore[attr-defined]
            enqueue(
                connection,
                NewJob(
                    kind="mint",
                    key=f"mint:{platform.event_id}:{number}",
                    event_id=platform.event_id,
                    gas_limit=mint_gas(count),
                    calldata=mint_calldata(number, 1, owners),
                    batch_number=number,
                    tickets=count,
                ),
            )
    chain = current_chain(platform.engine)
    assert chain is not None
    relayer = Relayer(platform.engine, platform.node, ISSUER, chain.id, completion.complete, ISSUED)
    deadline = time.monotonic() + ROUND_SECONDS
    while _unsent(platform.engine) or not _mined(platform):
        relayer.step(platform.held)
        platform.anvil.call("anvil_setNextBlockBaseFeePerGas", "0x1")  # full blocks would make it dear
        platform.anvil.mine()
        if time.monotonic() > deadline:
            raise TimeoutError("minting")
    platform.anvil.mine(FINALITY + 1)


def _unsent(engine: Engine) -> bool:
    with read(engine) as connection:
        waiting = ChainJob.state.in_(("queued", "signed"))
        return bool(connection.scalar(select(func.count()).select_from(ChainJob).where(waiting)))


def _mined(platform: ChainPlatform) -> bool:
    mined = int(platform.anvil.call("eth_getTransactionCount", "0x" + ISSUER.address.hex(), "latest"), 16)
    with read(platform.engine) as connection:
        mine = ChainNonce.signer == ISSUER.address
        return mined > (connection.scalar(select(func.max(ChainNonce.nonce)).where(mine)) or 0)


def _raw_rate(engine: Engine, node: ChainNode) -> float:
    """Tickets a second of eth_getLogs and decoding alone."""
    with read(engine) as connection:
        address = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()
    transport, head, found = Transport(), node.height, 0
    step = 1  # a block holds about twice as many events as are asked for at once
    began = time.perf_counter()
    for start in range(0, head + 1, step):
        asked = {"address": "0x" + address.hex(), "fromBlock": hex(start), "toBlock": hex(start + step - 1)}
        call = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [asked]}
        logs = orjson.loads(transport.post(node.url, orjson.dumps(call), 60).body)["result"]
        owners = {
            int(log["topics"][3], 16): bytes.fromhex(log["topics"][2][26:]) for log in logs if len(log["topics"]) == 4
        }
        found += len(owners)
    seconds = time.perf_counter() - began
    transport.close()
    assert found == TICKETS, f"{found} of {TICKETS} tickets in the node's logs"
    return found / seconds


if __name__ == "__main__":
    main()

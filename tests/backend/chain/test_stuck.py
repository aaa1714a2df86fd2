"""Why nothing gets onto the chain though its node answers: found within seconds, and not where all is well."""

import pytest
from sqlalchemy import Engine, insert, update

from backend.chain.fees import MAX_FEE
from backend.chain.rpc import Node
from backend.chain.stuck import NO_BLOCK_BLOCKS, NO_BLOCK_MS, REFUSED_MS, Stuck, what_is_stuck
from backend.chain.transport import Transport
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import ChainJob
from tests.support.bad_proxy import BadProxy
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ISSUER, start_platform

BLOCK_MS = 1_000
T = 1_900_000_000_000


def add_job(engine: Engine, state: str, changed_ms: int = T, tries: int = 0) -> None:
    with engine.begin() as connection:
        values = {"kind": "mint", "key": f"{state}-{changed_ms}", "tickets": 1, "calldata": b"", "gas_limit": 1}
        times = {"created_ms": T, "changed_ms": changed_ms}
        connection.execute(insert(ChainJob).values(**values, **times, state=state, tries=tries))


def found(engine: Engine, now: int, block_ms: int = BLOCK_MS, not_before: int = 0) -> Stuck | None:
    with read(engine) as connection:
        return what_is_stuck(connection, now, block_ms, not_before)


def test_an_account_without_funds_is_told_until_it_has_some(engine: Engine, anvil: ChainNode) -> None:
    platform = start_platform(engine, anvil)
    account = "0x" + ISSUER.address.hex()
    anvil.call("anvil_setBalance", account, "0x0")
    platform.sell(1)
    platform.round()
    with read(engine) as connection:
        now = now_ms(connection)
    assert found(engine, now) is None  # a moment is no trouble
    told = found(engine, now + REFUSED_MS + 1)
    assert told is not None
    assert told.cause == "unfunded"
    anvil.call("anvil_setBalance", account, hex(10**18))
    platform.until(lambda: platform.minted() == 1, "the token")
    assert found(engine, now + REFUSED_MS + 1) is None


@pytest.mark.parametrize("fault", ["dropped", "gap", "underpriced"])
def test_what_keeps_us_from_the_chain_for_long_is_told_and_then_all_is_minted_once(
    engine: Engine, anvil: ChainNode, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays until the test ends it, however often the same is sent."""
    monkeypatch.setattr("backend.chain.relayer.RESEND_SECONDS", 0)
    platform = start_platform(engine, anvil)
    account = "0x" + ISSUER.address.hex()
    first = int(anvil.call("eth_getTransactionCount", account, "latest"), 16)
    proxy, transport = BadProxy(anvil.url), Transport()
    platform.node = Node(proxy.url, transport)
    try:
        if fault == "underpriced":
            anvil.call("evm_setIntervalMining", 0)
            anvil.call("anvil_setNextBlockBaseFeePerGas", hex(3 * MAX_FEE))
            anvil.mine()
            anvil.call("anvil_setNextBlockBaseFeePerGas", hex(3 * MAX_FEE))
        else:
            proxy.forgets = (account, first) if fault == "gap" else None
            proxy.mode, proxy.only = "forget", "eth_sendRawTransaction"
        for owner in (1, 2):
            platform.sell(1, owner)
            for _ in range(3):
                platform.round()
        with read(engine) as connection:
            now = now_ms(connection)
        assert found(engine, now) is None  # a moment is no trouble
        told = found(engine, now + NO_BLOCK_MS + 1)
        assert told is not None
        assert told.cause == ("underpriced" if fault == "underpriced" else "stuck")
        assert bool(anvil.call("txpool_content")["queued"]) == (fault == "gap"), "the second waits above the gap"
        assert int(anvil.call("eth_getTransactionCount", account, "latest"), 16) == first
        proxy.mode = "pass"
        if fault == "underpriced":
            anvil.call("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        platform.until(lambda: platform.minted() == 2, "the tokens")
        assert found(engine, now + NO_BLOCK_MS + 1) is None
        platform.agrees()
    finally:
        proxy.close()
        transport.close()


def test_a_chain_that_makes_no_blocks_is_told_after_six_seconds(engine: Engine) -> None:
    add_job(engine, "sent")
    assert found(engine, T + NO_BLOCK_MS) is None
    assert found(engine, T + NO_BLOCK_MS + 1) == Stuck("stuck", T)


def test_a_slow_chain_is_given_three_of_its_blocks(engine: Engine) -> None:
    add_job(engine, "sent")
    slow = 12_000
    assert found(engine, T + NO_BLOCK_BLOCKS * slow, slow) is None
    assert found(engine, T + NO_BLOCK_BLOCKS * slow + 1, slow) == Stuck("stuck", T)


@pytest.mark.parametrize("state", ["included", "final"])
def test_a_long_queue_that_gets_shorter_is_not_stuck(engine: Engine, state: str) -> None:
    add_job(engine, "sent")
    add_job(engine, state, T + 60_000)
    assert found(engine, T + 60_000 + NO_BLOCK_MS) is None
    assert found(engine, T + 60_001 + NO_BLOCK_MS) == Stuck("stuck", T + 60_000)


def test_what_waited_while_the_node_was_away_does_not_count(engine: Engine) -> None:
    add_job(engine, "sent")
    assert found(engine, T + 600_000, not_before=T + 600_000 - NO_BLOCK_MS) is None


def test_a_batch_that_the_contract_refuses_again_is_told(engine: Engine) -> None:
    add_job(engine, "queued", tries=1)
    assert found(engine, T) is None
    with engine.begin() as connection:
        connection.execute(update(ChainJob).values(tries=2))
    assert found(engine, T) == Stuck("refused", T)

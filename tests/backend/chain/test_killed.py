"""SIGKILL of the relayer, the follower and an operator's command where the sale's kills do not come: see
`tests/e2e/test_kill.py`. Each place is reached by a process of its own, which dies there.
"""

import time

import pytest
from sqlalchemy import Engine, func, select, update

from backend.chain import abi
from backend.chain.adopt import take_up
from backend.chain.diagnosis import Kind
from backend.chain.follow import Follower
from backend.chain.keys import RelayerKey
from backend.chain.leases import HeldLease, take
from backend.chain.relayer import Relayer
from backend.chain.rpc import Node
from backend.chain.transport import Transport
from backend.db.engine import make_engine
from backend.db.tables.chain import ChainAttempt, ChainJob, ChainNonce
from tests.backend.chain.test_adopt import tokens, wipe
from tests.backend.chain.test_relayer import KEY, complete, held, queue, wait_for  # noqa: F401 - `held` is a fixture
from tests.backend.chain.test_replay import FRIEND, owners
from tests.support.anvil import ACCOUNTS
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import FINALITY, ChainPlatform, final, start_platform
from tests.support.forked_worker import killed_at
from tests.support.rows import add_paid_tickets

ROUNDS = pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.deep)])
KILLS = 20  # of the deep tests
FOLLOW_SECONDS = 30  # until a place must have been reached
CHEAP, DEAR = 10**9, 50 * 10**9  # wei, of a block's base fee
HOLDER = RelayerKey(bytes.fromhex(ACCOUNTS[5][1]))


# --- what dies: each in a process of its own --------------------------------------------------------------------------


def relay(url: str, node_url: str, lease: HeldLease) -> None:
    Relayer(make_engine(url), Node(node_url, Transport()), KEY, 1, complete).step(lease)


def follow(url: str, node_url: str, lease: HeldLease) -> None:
    follower, node = Follower(make_engine(url), 31337, FINALITY, True), Node(node_url, Transport())
    deadline = time.monotonic() + FOLLOW_SECONDS
    while time.monotonic() < deadline:
        follower.follow([node], lease)


def take_chain_up(url: str) -> None:
    take_up(make_engine(url))


# --- the relayer ------------------------------------------------------------------------------------------------------


@ROUNDS
def test_killed_after_offering_more_the_dearer_transaction_is_sent_and_no_third_is_made(
    engine: Engine,
    database_url: str,
    anvil: ChainNode,
    held: HeldLease,  # noqa: F811 - the fixture
    rounds: int,
) -> None:
    anvil.call("evm_setIntervalMining", 0)
    relayer = Relayer(engine, anvil.node, KEY, 1, complete)
    done = []
    for number in range(rounds):
        _lead(engine, held)
        anvil.call("anvil_setNextBlockBaseFeePerGas", hex(CHEAP))
        anvil.mine()
        queue(engine, str(number))
        relayer.step(held)
        anvil.call("anvil_setNextBlockBaseFeePerGas", hex(DEAR))
        anvil.mine()
        with engine.begin() as connection:  # as if it had waited for an hour
            connection.execute(update(ChainJob).values(changed_ms=ChainJob.changed_ms - 3_600_000))
            connection.execute(update(ChainAttempt).values(signed_ms=ChainAttempt.signed_ms - 3_600_000))
        killed_at("relayer.bumped", relay, database_url, anvil.url, held)
        relayer.step(held)
        anvil.call("anvil_setNextBlockBaseFeePerGas", hex(DEAR))
        anvil.mine()
        done.append(str(number))
        wait_for(anvil, *done)
        with engine.connect() as connection:
            tries = connection.scalars(select(func.count(ChainAttempt.hash)).group_by(ChainAttempt.nonce)).all()
        assert tries == [2] * len(done)


@ROUNDS
def test_killed_after_filling_a_gap_it_is_filled_once(
    engine: Engine,
    database_url: str,
    anvil: ChainNode,
    held: HeldLease,  # noqa: F811 - the fixture
    rounds: int,
) -> None:
    account = "0x" + KEY.address.hex()
    relayer = Relayer(engine, anvil.node, KEY, 1, complete)
    done: list[str] = []
    for number in range(rounds):
        _lead(engine, held)
        there = int(anvil.call("eth_getTransactionCount", account, "latest"), 16)
        anvil.call("anvil_setNonce", account, hex(there + 2))
        queue(engine, str(number))
        relayer.step(held)
        anvil.call("anvil_dropAllTransactions")
        anvil.call("anvil_setNonce", account, hex(there))  # as after a rollback beyond what others did with it
        with engine.begin() as connection:
            connection.execute(update(ChainAttempt).values(accepted_ms=None))
        killed_at("relayer.filled", relay, database_url, anvil.url, held)
        relayer.step(held)
        anvil.mine()
        done += ["", "", str(number)]
        wait_for(anvil, *done)
    with engine.connect() as connection:
        fills = connection.scalars(select(ChainNonce.nonce).join(ChainJob).where(ChainJob.kind == "fill")).all()
    assert len(fills) == len(set(fills)) == 2 * rounds


# --- what a node lost -------------------------------------------------------------------------------------------------


@pytest.mark.deep
def test_killed_in_each_step_of_a_replay_and_a_swap_all_comes_back_once(
    engine: Engine, database_url: str, anvil: ChainNode
) -> None:
    platform = start_platform(engine, anvil, policy="open")
    for _ in range(KILLS):
        _lead(engine, platform.held)
        token = _lost_move(platform)
        for place in ("replay.played", "rewind.written", "rewind.swapped"):
            killed_at(place, follow, database_url, anvil.url, platform.held)
        platform.until(lambda: platform.round() is Kind.OK, "the right chain")
        assert owners(platform)[token] == (FRIEND, 1)
    platform.until(lambda: final(engine, "mint"), "finality")
    platform.agrees()


@pytest.mark.deep
def test_killed_while_a_chain_is_taken_up_nothing_has_changed(
    engine: Engine, database_url: str, anvil: ChainNode
) -> None:
    platform = start_platform(engine, anvil)
    platform.sell(3)
    platform.until(lambda: platform.minted() == 3, "three tokens")
    before = tokens(platform)
    wipe(platform)
    for _ in range(KILLS):
        killed_at("adopt.written", take_chain_up, database_url)
        assert tokens(platform) == before
    take_up(engine)
    platform.until(lambda: tokens(platform) == before and final(engine, "mint"), "the tokens anew")
    platform.agrees()


def _lost_move(platform: ChainPlatform) -> int:
    """A new token is moved, and the node comes back with a state from before; the token."""
    known = owners(platform)
    with platform.engine.begin() as connection:
        add_paid_tickets(connection, platform.event_id, [HOLDER.address])
    platform.until(lambda: len(owners(platform)) > len(known), "the token")
    (token,) = owners(platform).keys() - known.keys()
    state = platform.anvil.save("before")
    platform.send(HOLDER, abi.call("EventTickets", "transferFrom", HOLDER.address, FRIEND, token))
    platform.anvil.mine(3)
    platform.until(lambda: owners(platform)[token] == (FRIEND, 1), "the move")
    platform.anvil.kill()
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    platform.anvil.mine()
    return token


def _lead(engine: Engine, held: HeldLease) -> None:  # noqa: F811 - the lease, whoever gave it
    """For as long as a round may take."""
    assert take(engine, held.name, held.holder, seconds=600) == held

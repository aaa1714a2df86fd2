"""What is stored is sent, and nothing else; whatever the node or the relayer does, each nonce is used once."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from backend.chain import relayer as relayer_module
from backend.chain.deploy import Slot
from backend.chain.jobs import NewJob, enqueue
from backend.chain.keys import DEVELOPMENT_KEY, Fees, RelayerKey
from backend.chain.leases import HeldLease, LeaseLostError, take
from backend.chain.relayer import MAX_IN_FLIGHT, Progress, Relayer
from backend.chain.rpc import Node, NodeUnreachable, RpcError
from backend.chain.verdicts import Verdict, verdict
from backend.db.tables.chain import Chain, ChainAttempt, ChainJob, ChainNonce, Lease
from tests.support.chain_node import ChainNode
from tests.support.installation import wait_until

KEY = RelayerKey(DEVELOPMENT_KEY)
NOBODY = b"\xaa" * 20
GAS = 60_000


def complete(_connection: Connection, _slot: Slot, job: Row[Any]) -> tuple[bytes, bytes]:
    return NOBODY, job.key.encode()


@pytest.fixture
def held(engine: Engine, anvil: ChainNode) -> HeldLease:
    """A leader on a known chain."""
    genesis = bytes.fromhex(anvil.call("eth_getBlockByNumber", "0x0", False)["hash"][2:])
    numbers = dict.fromkeys(("start_block", "cursor_number", "final_number", "seen_ms", "created_ms"), 0)
    with engine.begin() as connection:
        hashes = {"genesis_hash": genesis, "cursor_hash": genesis}
        connection.execute(insert(Chain).values(id=1, chain_id=31337, state="active", **numbers, **hashes))
    lease = take(engine, "relayer", "test")
    assert lease
    return lease


@pytest.fixture
def relayer(engine: Engine, anvil: ChainNode, held: HeldLease) -> Relayer:
    return Relayer(engine, anvil.node, KEY, 1, complete)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting times of zero."""
    monkeypatch.setattr(relayer_module, "RESEND_SECONDS", 0)


def queue(engine: Engine, *keys: str, depends_on: int | None = None) -> list[int]:
    with engine.begin() as connection:
        return [enqueue(connection, NewJob("mint", key, None, GAS, depends_on=depends_on)) for key in keys]


def mined(anvil: ChainNode) -> list[str]:
    """What our account did on the chain, in order."""
    blocks = [anvil.call("eth_getBlockByNumber", hex(number), True) for number in range(anvil.height + 1)]
    return [
        bytes.fromhex(transaction["input"][2:]).decode()
        for block in blocks
        for transaction in block["transactions"]
        if transaction["from"][2:] == KEY.address.hex()
    ]


def wait_for(anvil: ChainNode, *inputs: str) -> None:
    wait_until(lambda: mined(anvil) == list(inputs), f"{inputs} on the chain")


def states(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(ChainJob.state).order_by(ChainJob.id)))


def test_jobs_are_mined_once_each_in_their_order(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease
) -> None:
    queue(engine, "a", "b", "c")
    assert relayer.step(held) == Progress(signed=3, sent=3, refused=0)
    wait_for(anvil, "a", "b", "c")
    assert relayer.step(held) == Progress(0, 0, 0)
    assert states(engine) == ["sent"] * 3


def test_a_job_waits_until_its_parent_has_a_nonce(engine: Engine, relayer: Relayer, held: HeldLease) -> None:
    with engine.begin() as connection:
        parent = enqueue(connection, NewJob("create_event", "parent", None, GAS))
        connection.execute(update(ChainJob).values(state="failed"))
    queue(engine, "child", depends_on=parent)
    assert relayer.step(held).signed == 0


def test_no_more_than_a_bounded_number_is_in_flight(engine: Engine, relayer: Relayer, held: HeldLease) -> None:
    queue(engine, *(str(number) for number in range(MAX_IN_FLIGHT + 5)))
    assert relayer.step(held).signed == MAX_IN_FLIGHT


def test_killed_after_storing_the_same_bytes_are_sent_later(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(engine, "a")
    monkeypatch.setattr(relayer_module, "reach", _die_at("relayer.sending"))
    with pytest.raises(Killed):
        relayer.step(held)
    with engine.connect() as connection:
        stored = connection.scalars(select(ChainAttempt.raw)).one()
    monkeypatch.undo()
    Relayer(engine, anvil.node, KEY, 1, complete).step(held)
    wait_for(anvil, "a")
    with engine.connect() as connection:
        assert connection.scalars(select(ChainAttempt.raw)).one() == stored


def test_killed_before_the_answer_is_noted_nothing_happens_twice(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(engine, "a")
    monkeypatch.setattr(relayer_module, "reach", _die_at("relayer.sent"))
    with pytest.raises(Killed):
        relayer.step(held)
    monkeypatch.undo()
    assert states(engine) == ["signed"]
    wait_until(lambda: relayer.step(held) == Progress(0, 0, 0), "the relayer to be done")
    wait_for(anvil, "a")


@pytest.mark.usefixtures("impatient")
def test_a_transaction_the_node_dropped_is_sent_again(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease
) -> None:
    anvil.call("evm_setIntervalMining", 0)
    queue(engine, "a", "b")
    relayer.step(held)
    anvil.call("anvil_dropAllTransactions")
    relayer.step(held)
    anvil.mine()
    wait_for(anvil, "a", "b")


@pytest.mark.usefixtures("impatient")
def test_a_node_that_went_back_in_time_gets_the_very_same_bytes(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease
) -> None:
    snapshot = anvil.call("evm_snapshot")
    queue(engine, "a", "b")
    relayer.step(held)
    wait_for(anvil, "a", "b")
    with engine.connect() as connection:
        hashes = set(connection.scalars(select(ChainAttempt.hash)))
    anvil.call("evm_revert", snapshot)
    assert mined(anvil) == []
    relayer.step(held)
    wait_for(anvil, "a", "b")
    with engine.connect() as connection:
        assert set(connection.scalars(select(ChainAttempt.hash))) == hashes


def test_a_stalled_leader_that_wakes_stores_nothing(engine: Engine, relayer: Relayer, held: HeldLease) -> None:
    queue(engine, "a")
    with engine.begin() as connection:
        connection.execute(update(Lease).values(expires_ms=1))
    assert take(engine, "relayer", "successor")
    with pytest.raises(LeaseLostError):
        relayer.step(held)
    with engine.connect() as connection:
        assert connection.scalars(select(ChainNonce.nonce)).all() == []


def test_two_relayers_allot_no_nonce_twice(engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease) -> None:
    queue(engine, "a")
    relayer.step(held)
    queue(engine, "b")
    with engine.begin() as connection:
        connection.execute(update(Lease).values(expires_ms=1))
    successor = take(engine, "relayer", "successor")
    assert successor
    Relayer(engine, anvil.node, KEY, 1, complete).step(successor)
    wait_for(anvil, "a", "b")


def test_nothing_is_sent_to_a_chain_that_is_frozen(engine: Engine, relayer: Relayer, held: HeldLease) -> None:
    queue(engine, "a")
    with engine.begin() as connection:
        connection.execute(update(Chain).values(state="frozen"))
    assert relayer.step(held) == Progress(0, 0, 0)


def test_while_the_node_is_dead_jobs_wait_and_nothing_is_lost(
    engine: Engine, anvil: ChainNode, held: HeldLease
) -> None:
    queue(engine, "a")
    unreachable = Node("http://127.0.0.1:9", anvil._transport)
    with pytest.raises(NodeUnreachable):
        Relayer(engine, unreachable, KEY, 1, complete).step(held)
    assert states(engine) == ["queued"]


def test_a_stuck_transaction_is_offered_more_on_the_same_nonce(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    anvil.call("evm_setIntervalMining", 0)
    queue(engine, "a")
    relayer.step(held)
    dear = 50_000_000_000
    anvil.call("anvil_setNextBlockBaseFeePerGas", hex(dear))
    anvil.mine()
    assert mined(anvil) == []
    anvil.call("anvil_setNextBlockBaseFeePerGas", hex(dear))
    monkeypatch.setattr(relayer_module, "BUMP_SECONDS", 0)
    relayer.step(held)
    anvil.mine()
    wait_for(anvil, "a")
    with engine.connect() as connection:
        attempts = connection.execute(select(ChainAttempt.nonce, ChainAttempt.max_fee)).all()
    assert len(attempts) == 2
    assert len({nonce for nonce, _ in attempts}) == 1


def test_an_underpriced_transaction_is_offered_more_and_not_at_every_refusal(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease
) -> None:
    """A node that goes on refusing must not drive our bid up to the limit within seconds."""
    anvil.call("evm_setIntervalMining", 0)
    anvil.call("anvil_setNextBlockBaseFeePerGas", "0x1")
    anvil.mine()
    queue(engine, "a")
    relayer.step(held)
    anvil.call("anvil_dropAllTransactions")
    dear = 40_000_000_000
    anvil.call("anvil_setNextBlockBaseFeePerGas", hex(dear))
    anvil.mine()
    anvil.call("anvil_setNextBlockBaseFeePerGas", hex(dear))
    with engine.begin() as connection:
        connection.execute(update(ChainAttempt).values(accepted_ms=None))
    for _ in range(5):
        relayer.step(held)
    assert bids(engine) == 1
    age_bids(engine)
    for _ in range(5):
        relayer.step(held)
    assert bids(engine) == 2
    anvil.mine()
    wait_for(anvil, "a")


def bids(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(ChainAttempt)) or 0


def age_bids(engine: Engine) -> None:
    with engine.begin() as connection:
        past = ChainAttempt.signed_ms - relayer_module.REBID_SECONDS * 1000
        connection.execute(update(ChainAttempt).values(signed_ms=past))


def test_an_account_without_funds_is_in_the_log_once_in_a_sentence(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease, caplog: pytest.LogCaptureFixture
) -> None:
    anvil.call("anvil_setBalance", "0x" + KEY.address.hex(), "0x0")
    queue(engine, "a")
    relayer.step(held)
    relayer.step(held)
    assert caplog.text.count("the account can't pay for it: send it funds") == 1
    assert KEY.address.hex() in caplog.text


def test_a_gap_below_our_nonces_is_filled_and_what_waited_above_goes_through(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease
) -> None:
    queue(engine, "a")
    anvil.call("anvil_setNonce", "0x" + KEY.address.hex(), "0x3")
    relayer.step(held)
    with engine.connect() as connection:
        assert connection.scalars(select(ChainNonce.nonce)).all() == [3]
    anvil.call("anvil_dropAllTransactions")
    anvil.call("anvil_setNonce", "0x" + KEY.address.hex(), "0x1")  # as after a rollback beyond what others did with it
    with engine.begin() as connection:
        connection.execute(update(ChainAttempt).values(accepted_ms=None))
    relayer.step(held)
    wait_for(anvil, "", "", "a")


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("already known", Verdict.ACCEPTED),
        ("transaction already imported", Verdict.ACCEPTED),
        ("nonce too low: next nonce 5, tx nonce 4", Verdict.SPENT),
        ("replacement transaction underpriced", Verdict.UNDERPRICED),
        ("max fee per gas less than block base fee", Verdict.UNDERPRICED),
        ("insufficient funds for gas * price + value", Verdict.UNFUNDED),
        ("txpool is full", Verdict.REFUSED),
    ],
)
def test_a_refusal_is_understood_whatever_client_words_it(words: str, meaning: Verdict) -> None:
    assert verdict(RpcError(-32000, words)) is meaning


def test_a_job_whose_nonce_somebody_else_used_is_queued_again(
    engine: Engine, anvil: ChainNode, relayer: Relayer, held: HeldLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    anvil.call("evm_setIntervalMining", 0)
    queue(engine, "a")
    relayer.step(held)
    anvil.call("anvil_dropAllTransactions")
    thief = KEY.sign(31337, 0, Fees(3 * 10**9, 10**9), GAS, NOBODY, b"thief")
    anvil.call("eth_sendRawTransaction", "0x" + thief.raw.hex())
    anvil.mine(3)
    with engine.begin() as connection:
        connection.execute(update(Chain).values(cursor_number=anvil.height))
    monkeypatch.setattr(relayer_module, "DISPLACED_SECONDS", -1)
    relayer.step(held)
    with engine.begin() as connection:
        assert connection.execute(select(ChainJob.state, ChainJob.error)).one() == ("queued", "nonce_taken")
        connection.execute(update(ChainJob).values(due_ms=0))
    relayer.step(held)
    anvil.mine()
    assert mined(anvil) == ["thief", "a"]


class Killed(Exception):  # noqa: N818 - what SIGKILL would do
    """Stands for the process's end."""


def _die_at(name: str) -> Any:
    def reach(reached: str) -> None:
        if reached == name:
            raise Killed

    return reach

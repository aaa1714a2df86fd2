"""The four diagnoses and their answers, on a real node that is killed, lags, forks, forgets and is replaced."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, select, update
from typer.testing import CliRunner

from backend.chain import indexer, rewind
from backend.chain import verify as verify_module
from backend.chain.abi import call
from backend.chain.batcher import close_batches
from backend.chain.deploy import ISSUER as MINTS
from backend.chain.diagnosis import Kind
from backend.chain.follow import GONE_SECONDS, STUCK_SECONDS, Follower, current_chain
from backend.chain.jobs import NewJob, enqueue
from backend.chain.keys import DEVELOPMENT_KEYS, Fees, RelayerKey
from backend.chain.rebuild import derive_again, forget
from backend.chain.relayer import Relayer
from backend.chain.rpc import Node
from backend.chain.verify import Verified, verify
from backend.cli.chain import app
from backend.db.tables.chain import Chain, ChainAttempt, ChainContract, ChainJob, ChainNonce, Token
from backend.db.tables.chain import Diagnosis as DiagnosisRow
from backend.db.tables.events import Event
from backend.db.tables.orders import Ticket
from tests.support.bad_proxy import BadProxy
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import (
    ADMIN,
    FINALITY,
    ISSUER,
    ChainPlatform,
    completion,
    deploy_anew,
    final,
    start_platform,
)
from tests.support.installation import wait_until


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    """An event with its contract on the chain."""
    return start_platform(engine, anvil)


def test_paid_tickets_become_tokens_and_every_contract_is_pinned(platform: ChainPlatform) -> None:
    platform.sell(3)
    platform.sell(2, owner=9)
    platform.until(lambda: platform.minted() == 5, "five tokens")
    platform.agrees()
    with platform.engine.connect() as connection:
        assert None not in list(connection.scalars(select(ChainContract.code_hash)))


def test_while_the_node_is_dead_batches_close_and_all_is_minted_once_it_is_back(
    platform: ChainPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    state = platform.anvil.save("state")
    platform.anvil.kill()
    platform.sell(4)
    assert platform.round() is Kind.UNREACHABLE
    with platform.engine.connect() as connection:
        assert None not in list(connection.scalars(select(Ticket.token_id)))
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    platform.until(lambda: platform.minted() == 4, "four tokens")
    assert ("unreachable", True) in platform.diagnoses()
    assert "no endpoint answers as a chain node does" in caplog.text
    assert "this trouble with the chain is over: unreachable" in caplog.text
    platform.agrees()


def test_a_node_rolled_back_to_an_older_state_gets_the_same_bytes_and_nothing_twice(platform: ChainPlatform) -> None:
    state = platform.anvil.save("before")
    platform.sell(3)
    platform.until(lambda: final(platform.engine, "mint"), "three final tokens")
    before = platform.hashes()
    with platform.engine.connect() as connection:
        tokens = sorted(connection.scalars(select(Token.token_id)))
    with platform.engine.begin() as connection:  # as if all that had been long ago
        connection.execute(update(ChainAttempt).values(signed_ms=0))
        connection.execute(update(ChainJob).values(changed_ms=0))
    platform.anvil.kill()
    platform.sell(2)
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    platform.until(lambda: ("rolled_back", True) in platform.diagnoses(), "the diagnosis to be settled")
    platform.until(lambda: platform.minted() == 5, "all five tokens")
    with platform.engine.connect() as connection:
        detail = connection.scalars(select(DiagnosisRow.detail).where(DiagnosisRow.kind == "rolled_back")).first()
    assert detail is not None
    assert detail["tokens_lost"] == []  # they were given back before anybody could miss them
    assert detail["replayed"] == len(detail["hashes_replayed"]) >= 1
    assert detail["tokens_replayed"] == tokens
    assert detail["not_reproduced"] == []
    with platform.engine.connect() as connection:
        assert sorted(connection.scalars(select(Token.token_id)))[:3] == tokens
    assert before <= platform.hashes()
    with platform.engine.connect() as connection:
        nonces = list(connection.scalars(select(ChainAttempt.nonce)))
    assert len(set(nonces)) == len(nonces)  # nothing was signed anew
    platform.agrees()


def test_beyond_finality_a_real_chain_is_not_rewound_by_itself(platform: ChainPlatform) -> None:
    state = platform.anvil.save("before")
    platform.sell(1)
    platform.until(lambda: final(platform.engine, "mint"), "a final token")
    careful = Follower(platform.engine, 31337, FINALITY, rewinds_by_itself=False)
    platform.anvil.kill()
    platform.anvil.start(load=state)
    node = platform.anvil.node
    platform.anvil.mine()
    wait_until(lambda: careful.follow([node], platform.held).diagnosis.kind is Kind.ROLLED_BACK, "the diagnosis")
    careful.follow([node], platform.held)
    assert platform.minted() == 1
    assert ("rolled_back", False) in platform.diagnoses()
    url = platform.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    environ = {"TRUESTUB_DATABASE_URL": url}
    assert "lacks 1 tokens" in CliRunner().invoke(app, ["replay"], env=environ).stdout
    careful.follow([node], platform.held)
    assert platform.minted() == 1
    assert CliRunner().invoke(app, ["replay", "--yes"], env=environ).exit_code == 0
    platform.node, platform.follower = node, careful
    platform.until(lambda: ("rolled_back", True) in platform.diagnoses(), "the swap to be settled")
    assert platform.minted() == 1
    platform.agrees()


def test_a_reorganisation_within_finality_is_swapped_and_sent_again(platform: ChainPlatform) -> None:
    platform.follower = Follower(platform.engine, 31337, 50, rewinds_by_itself=False)
    platform.round()
    platform.sell(2)
    platform.until(lambda: platform.minted() == 2, "two tokens")
    depth = platform.anvil.height - _inclusion(platform.engine) + 1
    platform.anvil.call("anvil_reorg", depth, [])
    platform.until(lambda: ("reorganised", True) in platform.diagnoses(), "the swap to be settled")
    platform.until(lambda: platform.minted() == 2, "the tokens to be back")
    platform.agrees()


def _inclusion(engine: Engine) -> int:
    with engine.connect() as connection:
        return max(filter(None, connection.scalars(select(ChainJob.block_number))))


@pytest.mark.parametrize("redeployed", [False, True], ids=["empty", "our contracts at the same addresses"])
def test_a_wiped_node_stops_minting_and_the_right_one_resumes_it(
    platform: ChainPlatform, tmp_path: Path, redeployed: bool
) -> None:
    state = platform.anvil.save("right")
    platform.anvil.kill()
    # A genesis of another second: two that are started within one have the same hash, and are the same chain.
    platform.anvil.start(flags=("--timestamp", "1700000000"))
    platform.node = platform.anvil.node
    if redeployed:
        deploy_anew(platform.anvil, tmp_path / "other.sqlite")
        assert platform.anvil.call("eth_getCode", factory_of(platform), "latest") != "0x"
    platform.sell(2)
    platform.until(lambda: platform.round() is Kind.WIPED, "the diagnosis")
    with platform.engine.connect() as connection:
        assert connection.scalar(select(Chain.state)) == "frozen"
    assert platform.minted() == 0
    platform.anvil.kill()
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    platform.until(lambda: platform.minted() == 2, "the tokens")
    assert ("wiped", True) in platform.diagnoses()
    platform.agrees()


def factory_of(platform: ChainPlatform) -> str:
    with platform.engine.connect() as connection:
        mine = ChainContract.kind == "factory"
        return "0x" + connection.scalars(select(ChainContract.address).where(mine)).one().hex()


@pytest.mark.parametrize("code", ["0x", "0x600160005260206000f3"], ids=["none", "other"])
def test_code_that_is_not_ours_at_our_address_is_noticed(
    platform: ChainPlatform, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with platform.engine.connect() as connection:
        address = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()
    platform.anvil.call("anvil_setCode", "0x" + address.hex(), code)
    platform.sell(1)
    assert platform.round() is Kind.WIPED
    assert platform.round() is Kind.WIPED
    assert caplog.text.count("our contracts have no code or other code there") == 1
    assert platform.minted() == 0


def test_a_mint_that_left_no_log_is_not_taken_for_a_success(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a chain where our contract is gone, a call to the empty address has status 1."""
    with platform.engine.connect() as connection:
        address = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()
    platform.anvil.call("anvil_setCode", "0x" + address.hex(), "0x")
    with platform.engine.begin() as connection:
        connection.execute(update(ChainContract).values(code_hash=None))
    monkeypatch.setattr(Follower, "_pin", lambda *_: True)  # as if the guard before it had missed it
    platform.sell(1)
    platform.until(lambda: "expected_log_missing" in _errors(platform.engine), "the failed mint")
    assert platform.minted() == 0


def _errors(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return list(connection.scalars(select(ChainJob.error)))


@pytest.mark.parametrize("place", ["indexer.written", "indexer.applied"])
def test_killed_around_the_commit_nothing_is_applied_twice_or_missed(
    platform: ChainPlatform, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.sell(3)
    close_batches(platform.engine, 0)
    chain = current_chain(platform.engine)
    assert chain
    Relayer(platform.engine, platform.node, ISSUER, chain.id, completion.complete).step(platform.held)
    platform.anvil.mine(2)

    def die(reached: str) -> None:
        if reached == place:
            raise Killed

    monkeypatch.setattr(indexer, "reach", die)
    with pytest.raises(Killed):
        platform.follower.follow([platform.node], platform.held)
    monkeypatch.undo()
    platform.until(lambda: platform.minted() == 3, "three tokens")
    platform.agrees()


def test_killed_in_the_middle_of_a_swap_the_old_branch_stays_until_it_is_whole(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = platform.anvil.save("before")
    platform.sell(3)
    platform.until(lambda: platform.minted() == 3, "three tokens")
    platform.anvil.kill()
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    platform.anvil.mine()

    def die(reached: str) -> None:
        if reached == "rewind.written":
            raise Killed

    monkeypatch.setattr(rewind, "reach", die)
    with pytest.raises(Killed):
        wait_until(lambda: platform.follower.follow([platform.node], platform.held) is None, "the kill")
    assert platform.minted() == 3
    monkeypatch.undo()
    platform.until(lambda: platform.minted() == 3 and _settled(platform), "all tokens back")
    platform.agrees()


def test_a_job_that_would_revert_waits_and_blocks_nobody(
    platform: ChainPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    with platform.engine.begin() as connection:
        key = "mint:nonsense"
        bad = NewJob("mint", key, platform.event_id, 200_000, b"\xff" * 4, batch_number=9)
        enqueue(connection, bad)
    platform.round()
    platform.sell(2)
    platform.until(lambda: platform.minted() == 2, "two tokens")
    with platform.engine.connect() as connection:
        job = connection.execute(select(ChainJob.__table__).where(ChainJob.key == key)).one()
        nonces = connection.scalars(select(ChainNonce.job_id).where(ChainNonce.job_id == job.id)).all()
    assert (job.state, nonces) == ("queued", [])
    assert job.tries >= 1
    assert job.error
    assert f"job {job.id} (mint) came to nothing" in caplog.text


def test_a_relayer_without_its_role_is_named_in_the_log_with_the_contract_and_sales_stay_open(
    platform: ChainPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    with platform.engine.connect() as connection:
        contract = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()
    platform.send(ADMIN, call("EventTickets", "revokeRoles", ISSUER.address, MINTS))
    platform.sell(2)
    platform.until(lambda: "missing_role" in _errors(platform.engine), "the refusal")
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).values(due_ms=0))
    platform.round()
    sentence = f"account 0x{ISSUER.address.hex()} has no role for it in contract 0x{contract.hex()}"
    assert caplog.text.count(sentence) == 1, "once, not at every try"
    with platform.engine.connect() as connection:
        assert set(connection.scalars(select(Event.state))) == {"on_sale"}
    platform.send(ADMIN, call("EventTickets", "grantRoles", ISSUER.address, MINTS))
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).values(due_ms=0))
    platform.until(lambda: platform.minted() == 2, "two tokens")


def test_a_paused_contract_delays_its_mints_until_it_is_resumed(platform: ChainPlatform) -> None:
    operator, admin = (RelayerKey(DEVELOPMENT_KEYS[role]) for role in ("operator", "admin"))
    with platform.engine.connect() as connection:
        address = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()

    def send(key: RelayerKey, function: str, nonce: int) -> None:
        calldata = call("EventTickets", function, 1)
        made = key.sign(31337, nonce, Fees(3 * 10**9, 10**9), 100_000, address, calldata)
        platform.anvil.call("eth_sendRawTransaction", "0x" + made.raw.hex())
        platform.anvil.mine()

    send(operator, "stop", 0)
    platform.sell(2)
    platform.until(lambda: "stopped" in _errors(platform.engine), "the refusal")
    assert platform.minted() == 0
    send(admin, "resume", 0)
    with platform.engine.begin() as connection:
        connection.execute(update(ChainJob).values(due_ms=0))  # as if the pause had passed
    platform.until(lambda: platform.minted() == 2, "two tokens")


def test_the_endpoint_that_has_our_blocks_is_followed_whatever_the_first_says(platform: ChainPlatform) -> None:
    dead = Node("http://127.0.0.1:9", platform.anvil._transport)
    other = ChainNode()
    try:
        other.start()
        platform.sell(1)

        def turn() -> bool:
            platform.anvil.mine()
            close_batches(platform.engine, 0)
            found = platform.follower.follow([dead, other.node, platform.node], platform.held)
            assert found.diagnosis.kind is Kind.OK
            assert found.node is platform.node
            chain = current_chain(platform.engine)
            assert chain
            Relayer(platform.engine, platform.node, ISSUER, chain.id, completion.complete).step(platform.held)
            return platform.minted() == 1

        wait_until(turn, "the token")
    finally:
        other.close()
    assert platform.diagnoses() == []


def test_an_endpoint_that_stands_still_is_left_for_one_that_goes_on(platform: ChainPlatform) -> None:
    now = 0.0
    proxy = BadProxy(platform.anvil.url)
    try:
        follower = Follower(platform.engine, 31337, FINALITY, True, monotonic=lambda: now)
        first = Node(proxy.url, platform.anvil._transport)
        assert follower.follow([first, platform.node], platform.held).node is first
        proxy.freeze_head()
        for _ in range(3):
            platform.anvil.mine()
            follower.follow([first, platform.node], platform.held)
        now = STUCK_SECONDS + 1
        assert follower.follow([first, platform.node], platform.held).node is platform.node
    finally:
        proxy.close()


def test_a_node_that_lost_our_blocks_and_makes_none_is_rolled_back_once_patience_ends(platform: ChainPlatform) -> None:
    state = platform.anvil.save("before")
    platform.sell(2)
    platform.until(lambda: platform.minted() == 2, "two tokens")
    platform.anvil.kill()
    platform.anvil.start(load=state, flags=("--no-mining",))
    now = 0.0
    follower = Follower(platform.engine, 31337, FINALITY, True, monotonic=lambda: now)
    platform.node, platform.follower = platform.anvil.node, follower
    assert platform.round() is Kind.BEHIND
    now = GONE_SECONDS + 1
    assert platform.round() is Kind.ROLLED_BACK
    platform.until(lambda: platform.minted() == 2 and _settled(platform), "both tokens back")
    platform.agrees()


def test_the_index_is_verified_token_by_token_and_made_anew_from_logs_or_chain(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.chain.indexer.BLOCKS_KEPT", 0)  # as if it had followed for longer than blocks are kept
    platform.sell(4)
    platform.until(lambda: platform.minted() == 4, "four tokens")
    chain = current_chain(platform.engine)
    assert chain
    assert verify(platform.engine, platform.node, chain.id).differences == ()
    with platform.engine.begin() as connection:
        connection.execute(update(Token).where(Token.token_id == 1 << 16).values(owner=b"\xee" * 20, epoch=3))
        connection.execute(delete(Token).where(Token.token_id == (1 << 16 | 1)))
    found = verify(platform.engine, platform.node, chain.id)
    assert [(one.token_id, one.index is None) for one in found.differences] == [(1 << 16, False), (1 << 16 | 1, True)]
    assert derive_again(platform.engine, chain.id) == 4
    assert verify(platform.engine, platform.node, chain.id) == Verified(4, ())
    forget(platform.engine, chain.id)
    assert platform.minted() == 0
    platform.until(lambda: platform.minted() == 4, "four tokens again")
    assert verify(platform.engine, platform.node, chain.id) == Verified(4, ())
    platform.agrees()


def test_tokens_minted_by_somebody_far_ahead_of_our_batches_are_not_hidden_from_the_index(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_module, "BATCHES_AT_ONCE", 4)
    platform.sell(2)
    platform.until(lambda: platform.minted() == 2, "two tokens")
    stray = 1 + 5  # our batches end with 1
    platform.send(ISSUER, call("EventTickets", "mint", stray, 0, b"\x77" * 20 * 3), gas=800_000)
    platform.until(lambda: platform.minted() == 5, "what others mint is indexed too")
    chain = current_chain(platform.engine)
    assert chain
    assert verify(platform.engine, platform.node, chain.id) == Verified(5, ())
    with platform.engine.begin() as connection:
        connection.execute(delete(Token).where(Token.token_id >= stray << 16, Token.token_id != (stray << 16) + 1))
    found = verify(platform.engine, platform.node, chain.id)
    assert [(one.token_id, one.index) for one in found.differences] == [(stray << 16, None), ((stray << 16) + 2, None)]
    assert all(one.chain and one.chain.owner == b"\x77" * 20 for one in found.differences)


def _settled(platform: ChainPlatform) -> bool:
    return any(closed for kind, closed in platform.diagnoses() if kind in ("rolled_back", "reorganised"))


class Killed(Exception):  # noqa: N818 - what SIGKILL would do
    """Stands for the process's end."""

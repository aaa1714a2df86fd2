"""A mixed history that a node lost comes back in order and at its times; what can't come back is named beforehand."""

from uuid import UUID

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from backend.chain import abi, replay
from backend.chain.diagnosis import Kind
from backend.chain.follow import Follower
from backend.chain.keys import Fees, RelayerKey
from backend.cli.chain import app
from backend.db.tables.chain import ChainContract, ChainTransaction, Diagnosis, Token
from backend.db.tables.orders import Ticket
from tests.contracts.signing import MOVE, domain, typed
from tests.support.anvil import ACCOUNTS
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ADMIN, FINALITY, ISSUER, ChainPlatform, final, start_platform
from tests.support.installation import wait_until
from tests.support.rows import add_paid_tickets

HOLDER, COURIER, BUSY = (RelayerKey(bytes.fromhex(ACCOUNTS[place][1])) for place in (5, 6, 7))
FRIEND = b"\xfe" * 20
FIRST = 1 << 16


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    """Tickets that their holders may move by themselves; the worker may not rewind beyond finality by itself."""
    made = start_platform(engine, anvil, policy="open")
    made.follower = Follower(engine, 31337, FINALITY, rewinds_by_itself=False)
    with engine.begin() as connection:
        add_paid_tickets(connection, made.event_id, [HOLDER.address] * 3 + [BUSY.address])
    made.until(lambda: final(engine, "mint"), "four tokens")
    return made


def transfer(platform: ChainPlatform, key: RelayerKey, token: int) -> bytes:
    return platform.send(key, abi.call("EventTickets", "transferFrom", key.address, FRIEND, token))


def move_signature(key: RelayerKey, contract: bytes, token: int, deadline: int) -> bytes:
    """The holder's word for a move to the friend."""
    where = domain("Truestub Tickets", "0x" + contract.hex(), 31337)
    values = (token, 0, "0x" + FRIEND.hex(), deadline)
    digest = typed(where, MOVE, ["uint256", "uint256", "address", "uint256"], values)
    signature: bytes = key._key.sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def chain_time(platform: ChainPlatform) -> int:
    return int(platform.anvil.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


def owners(platform: ChainPlatform) -> dict[int, tuple[bytes, int]]:
    with platform.engine.connect() as connection:
        rows = connection.execute(select(Token.token_id, Token.owner, Token.epoch).order_by(Token.token_id))
        return {token: (owner, epoch) for token, owner, epoch in rows}


def owned_by(platform: ChainPlatform, key: RelayerKey) -> list[int]:
    return [token for token, (owner, _epoch) in owners(platform).items() if owner == key.address]


def contract(platform: ChainPlatform) -> bytes:
    with platform.engine.connect() as connection:
        return connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).one()


def mixed_history(platform: ChainPlatform) -> tuple[bytes, int]:
    """A transfer, a move with a deadline, one that lacks its past, a mint, a freeze; the hash and token to be lost."""
    mine, busy = owned_by(platform, HOLDER), owned_by(platform, BUSY)[0]
    transfer(platform, HOLDER, mine[0])
    deadline = chain_time(platform) + 30
    signed = move_signature(HOLDER, contract(platform), mine[1], deadline)
    platform.send(COURIER, abi.call("EventTickets", "moveWithSig", mine[1], FRIEND, deadline, signed, b""))
    plain = BUSY.sign(31337, 0, Fees(3 * 10**9, 10**9), 21_000, FRIEND, b"")  # touches nothing of ours: nobody keeps it
    platform.anvil.call("eth_sendRawTransaction", "0x" + plain.raw.hex())
    platform.anvil.mine()
    lost = transfer(platform, BUSY, busy)
    with platform.engine.begin() as connection:
        add_paid_tickets(connection, platform.event_id, [HOLDER.address])
    platform.until(lambda: platform.minted() == 5, "the fifth token")
    platform.send(ADMIN, abi.call("EventTickets", "setTimes", 0, 0, chain_time(platform) + 1))
    platform.anvil.call("evm_increaseTime", 600)  # now deadline and freeze are long past
    platform.anvil.mine(4)
    platform.until(lambda: len(touching(platform)) >= 4, "all transactions")
    return lost, busy


def touching(platform: ChainPlatform) -> list[bytes]:
    with platform.engine.connect() as connection:
        mine = ChainTransaction.sender.in_([key.address for key in (HOLDER, COURIER, BUSY, ADMIN)])
        return list(connection.scalars(select(ChainTransaction.hash).where(mine)))


def fall_back(platform: ChainPlatform, state: object) -> None:
    platform.anvil.kill()
    platform.anvil.start(load=state)  # type: ignore[arg-type]
    platform.node = platform.anvil.node
    platform.anvil.mine()
    wait_until(lambda: platform.round() is Kind.ROLLED_BACK, "the diagnosis")


def command(platform: ChainPlatform, *arguments: str) -> str:
    url = platform.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    environ = {"TRUESTUB_DATABASE_URL": url, "TRUESTUB_NODE_URLS": platform.anvil.url}
    result = CliRunner().invoke(app, ["replay", *arguments], env=environ)
    assert result.exit_code == 0, result.output
    return result.stdout


def detail_of(platform: ChainPlatform) -> dict[str, object]:
    with platform.engine.connect() as connection:
        return dict(connection.scalars(select(Diagnosis.detail).where(Diagnosis.kind == "rolled_back")).one())


def test_a_mixed_history_comes_back_in_order_at_its_times_and_the_rest_is_named(platform: ChainPlatform) -> None:
    state = platform.anvil.save("before")
    lost, busy = mixed_history(platform)
    before = owners(platform)
    assert before[busy] == (FRIEND, 1)
    fall_back(platform, state)
    told = command(platform)
    assert f"0x{lost.hex()}: nonce_gap" in told
    assert str(busy) in told
    assert owners(platform) == before  # it only said what it would do
    command(platform, "--yes")
    platform.until(lambda: ("rolled_back", True) in platform.diagnoses(), "the replay")
    assert owners(platform) == {**before, busy: (BUSY.address, 0)}
    with platform.engine.connect() as connection:
        states = dict(connection.execute(select(Ticket.token_id, Ticket.state)).all())
        given_up = connection.scalars(select(ChainTransaction.given_up).where(ChainTransaction.hash == lost)).one()
    assert given_up == "nonce_gap"
    assert [token for token, state_ in states.items() if state_ == "suspended"] == [busy]
    event: UUID = platform.event_id
    named = {"hash": "0x" + lost.hex(), "sender": "0x" + BUSY.address.hex(), "reason": "nonce_gap"}
    tokens = [{"event": str(event), "token_id": busy}]
    assert detail_of(platform)["not_reproduced"] == [{**named, "tokens": tokens}]
    platform.agrees()


def test_killed_after_the_replay_it_is_done_again_and_nothing_is_doubled(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = platform.anvil.save("before")
    token = owned_by(platform, HOLDER)[0]
    transfer(platform, HOLDER, token)
    platform.anvil.mine(3)
    platform.until(lambda: owners(platform)[token] == (FRIEND, 1), "the move")
    fall_back(platform, state)
    command(platform, "--yes")

    def die(_place: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.chain.follow.reach", die)
    with pytest.raises(KeyboardInterrupt):
        platform.round()
    monkeypatch.undo()
    platform.until(lambda: ("rolled_back", True) in platform.diagnoses(), "the replay")
    assert owners(platform)[token] == (FRIEND, 1)
    platform.agrees()


def test_what_a_transaction_may_cost_is_read_from_its_bytes() -> None:
    made = ISSUER.sign(31337, 0, Fees(7, 3), 1000, FRIEND, b"x")
    assert (replay._target(made.raw), replay._cost(made.raw)) == (FRIEND, 7000)

"""A wiped chain is taken up again by command: same ids, one token a ticket; a wrong chain never is."""

import pytest
from sqlalchemy import Engine, select, update
from typer.testing import CliRunner

from backend.chain import adopt
from backend.chain.diagnosis import Kind
from backend.cli.chain import app
from backend.db.tables.chain import Chain, Token
from backend.db.tables.orders import Ticket
from backend.errors import Refused
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import ChainPlatform, final, start_platform


@pytest.fixture
def platform(engine: Engine, anvil: ChainNode) -> ChainPlatform:
    """Five tickets on a chain that is then wiped."""
    made = start_platform(engine, anvil)
    made.sell(3)
    made.sell(2, owner=9)
    made.until(lambda: made.minted() == 5, "five tokens")
    return made


def wipe(platform: ChainPlatform) -> None:
    platform.anvil.kill()
    # A genesis of another second: two that are started within one have the same hash, and are the same chain.
    platform.anvil.start(flags=("--timestamp", "1700000000"))
    platform.node = platform.anvil.node
    platform.until(lambda: platform.round() is Kind.WIPED, "the diagnosis")


def command(platform: ChainPlatform, *arguments: str, chain_id: int = 31337) -> tuple[int, str]:
    url = platform.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    environ = {"TRUESTUB_DATABASE_URL": url, "TRUESTUB_NODE_URLS": platform.anvil.url}
    result = CliRunner().invoke(app, ["take-up", *arguments], env={**environ, "TRUESTUB_CHAIN_ID": str(chain_id)})
    code = result.exception.refusal.code if isinstance(result.exception, Refused) else ""
    return result.exit_code, result.stdout + code


def tokens(platform: ChainPlatform) -> list[tuple[int, bytes]]:
    with platform.engine.connect() as connection:
        rows = connection.execute(select(Token.token_id, Token.owner).order_by(Token.token_id))
        return [(token, owner) for token, owner in rows]


def test_a_wiped_chain_is_taken_up_by_command_with_the_same_ids(platform: ChainPlatform) -> None:
    before = tokens(platform)
    with platform.engine.begin() as connection:  # as if one had moved
        moved = before[0][0]
        connection.execute(update(Token).where(Token.token_id == moved).values(owner=b"\xee" * 20, epoch=2))
    wipe(platform)
    code, told = command(platform)
    assert (code, "5 tickets in 1 batches" in told, str(moved) in told) == (0, True, True)
    assert platform.round() is Kind.WIPED  # it only said what it would do
    assert command(platform, "--yes")[0] == 0
    platform.until(lambda: platform.minted() == 5 and final(platform.engine, "mint"), "the tokens anew")
    assert tokens(platform) == before
    assert ("wiped", True) in platform.diagnoses()
    with platform.engine.connect() as connection:
        kept = connection.execute(select(Ticket.owner, Ticket.epoch).where(Ticket.token_id == moved)).one()
        assert list(connection.scalars(select(Chain.state).order_by(Chain.id))) == ["retired", "active"]
    assert tuple(kept) == (b"\xee" * 20, 2)


def test_a_wrong_chain_and_a_sound_one_are_not_taken_up(platform: ChainPlatform) -> None:
    assert "not_wiped" in command(platform, "--yes")[1]
    state = platform.anvil.save("right")
    wipe(platform)
    assert "wrong_chain" in command(platform, "--yes", chain_id=5)[1]
    platform.anvil.kill()
    platform.anvil.start(load=state)
    platform.node = platform.anvil.node
    assert "same_chain" in command(platform, "--yes")[1]
    platform.until(lambda: platform.round() is Kind.OK, "the right chain again")
    assert platform.minted() == 5


def test_killed_in_the_middle_of_taking_up_nothing_has_changed(
    platform: ChainPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tokens(platform)

    def die(_place: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adopt, "reach", die)
    with pytest.raises(KeyboardInterrupt):
        adopt.take_up(platform.engine)
    assert tokens(platform) == before

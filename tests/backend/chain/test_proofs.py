"""A lying node can say anything and prove nothing: the index is compared with what the state root proves."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, update

from backend.chain.calldata import mark_calldata, selector
from backend.chain.follow import current_chain
from backend.chain.keys import DEVELOPMENT_KEYS, RelayerKey
from backend.chain.proofs import Proved, prove
from backend.chain.rpc import DEADLINE_SECONDS, Call, Node
from backend.chain.verify import verify, verify_by_any
from backend.db.tables.chain import Token
from credential.tickets import Status
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import OPERATOR, ChainPlatform, start_platform

HOLDER = RelayerKey(DEVELOPMENT_KEYS["admin"])
THIEF = b"\xee" * 20
FIRST = 1 << 16


class LyingNode(Node):
    """Hands a real node's answers on, each through `lie(method, answer)`."""

    def __init__(self, anvil: ChainNode, lie: Callable[[str, Any], Any]) -> None:
        super().__init__(anvil.url, anvil._transport)
        self._lie = lie

    def batch(self, calls: Sequence[Call], deadline_seconds: float = DEADLINE_SECONDS) -> list[Any]:
        answers = super().batch(calls, deadline_seconds)
        return [self._lie(call.method, answer) for call, answer in zip(calls, answers, strict=True)]


def every(count: int, wanted: int) -> Sequence[int]:
    assert wanted == count
    return range(count)


def proved(platform: ChainPlatform, lie: Callable[[str, Any], Any] = lambda _method, answer: answer) -> Proved:
    chain = current_chain(platform.engine)
    assert chain is not None
    return prove(platform.engine, LyingNode(platform.anvil, lie), chain.id, every)


def whats(found: Proved) -> set[str]:
    return {one.what for one in found.findings}


def forge(text: str, old: bytes, new: bytes) -> str:
    return text.replace(old.hex(), new.hex())


def test_a_lying_node_is_found_by_its_proofs(engine: Engine, anvil: ChainNode) -> None:
    platform = start_platform(engine, anvil, policy="open")
    platform.sell(3, int.from_bytes(HOLDER.address))
    platform.until(lambda: platform.minted() == 3, "the tickets")
    move = selector("transferFrom(address,address,uint256)")
    words = HOLDER.address.rjust(32, b"\0") + (7).to_bytes(32) + FIRST.to_bytes(32)
    platform.send(HOLDER, move + words)
    platform.send(OPERATOR, mark_calldata(Status.SUSPENDED, [FIRST + 1]))
    platform.until(lambda: _has_moved(engine), "the move in the index")

    honest = proved(platform)
    assert (honest.tokens, honest.findings, honest.root_bound) == (3, (), True)

    def leaf_changed(method: str, answer: Any) -> Any:
        """The moved ticket's owner in its storage leaf."""
        if method == "eth_getProof":
            for entry in answer["storageProof"]:
                entry["proof"] = [forge(node, (7).to_bytes(20), THIEF) for node in entry["proof"]]
        return answer

    def code_changed(method: str, answer: Any) -> Any:
        """Other owners in the batch's code."""
        return forge(answer, HOLDER.address, THIEF) if method == "eth_getCode" else answer

    def root_changed(method: str, answer: Any) -> Any:
        return {**answer, "stateRoot": "0x" + "11" * 32} if method == "eth_getBlockByHash" else answer

    def proof_missing(method: str, answer: Any) -> Any:
        return {**answer, "storageProof": []} if method == "eth_getProof" and answer["storageProof"] else answer

    found = proved(platform, leaf_changed)
    assert [(one.token_id, one.what) for one in found.findings] == [(FIRST, "storage")]
    found = proved(platform, code_changed)
    assert [(one.token_id, one.what) for one in found.findings] == [(FIRST + 1, "code"), (FIRST + 2, "code")]
    found = proved(platform, root_changed)
    assert (whats(found), found.root_bound) == ({"account"}, False)
    assert whats(proved(platform, proof_missing)) == {"storage"}

    # An index that was tampered with, and a node whose plain answers say the same: only the proof tells.
    with engine.begin() as connection:
        connection.execute(update(Token).where(Token.token_id == FIRST + 2).values(owner=THIEF))

    def same_lie(method: str, answer: Any) -> Any:
        return forge(answer, HOLDER.address, THIEF) if method == "eth_call" else answer

    nobody = Node("http://127.0.0.1:1", anvil._transport)
    assert verify_by_any(engine, [nobody], 1) is None
    of_the_newest = verify_by_any(engine, [nobody, anvil.node], 1)
    assert of_the_newest is not None
    assert [one.token_id for one in of_the_newest.differences] == [FIRST + 2], "a report says so"

    chain = current_chain(engine)
    assert chain is not None
    said = verify(engine, LyingNode(anvil, same_lie), chain.id)
    assert FIRST + 2 not in {one.token_id for one in said.differences}
    found = proved(platform, same_lie)
    assert [(one.token_id, one.what) for one in found.findings] == [(FIRST + 2, "state")]
    assert found.findings[0].chain is not None
    assert (found.findings[0].index.owner, found.findings[0].chain.owner) == (THIEF, HOLDER.address)


def _has_moved(engine: Engine) -> bool:
    with engine.connect() as connection:
        query = Token.__table__.select().order_by(Token.token_id)
        rows = connection.execute(query).all()
    return (rows[0].epoch, rows[1].status) == (1, Status.SUSPENDED)

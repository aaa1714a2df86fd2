"""Compare the index with the chain, token by token: `truestub index verify` (SPEC 10.6).

Rows and the index's cursor are read in one statement, and the chain is asked as of that cursor's block: index and chain
may go on meanwhile. Every token of the index is compared; the sizes of the batches show tokens that the index lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, func, select

from backend.chain.rpc import Call, Node, RpcError
from backend.db.engine import read
from backend.db.models import Batch, Chain, ChainContract, Token

TOKENS_AT_ONCE = 500  # rows in memory; three calls each
ASK_SECONDS = 20.0  # deadline of a request for many calls
WORD = 32

_OWNER_OF, _EPOCH_OF, _STATUS_OF, _BATCH_INFO = (
    keccak(signature.encode())[:4].hex()
    for signature in ("ownerOf(uint256)", "epochOf(uint256)", "statusOf(uint256)", "batchInfo(uint256)")
)
_OF_A_TOKEN = (_OWNER_OF, _EPOCH_OF, _STATUS_OF)


@dataclass(frozen=True, slots=True)
class State:
    """What index or chain says of a token."""

    owner: bytes
    epoch: int
    status: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A token about which they disagree. None: it is not there."""

    event_id: UUID
    token_id: int
    index: State | None
    chain: State | None


@dataclass(frozen=True, slots=True)
class Verified:
    """How many tokens were compared, and those that differ."""

    tokens: int
    differences: tuple[Difference, ...]


def verify(engine: Engine, node: Node, chain: int) -> Verified:
    """Compare every token of the chain instance; raises `NodeError` if the node can't be asked."""
    with read(engine) as connection:
        mine = (ChainContract.chain == chain) & (ChainContract.kind == "event")
        born = mine & ChainContract.block_number.is_not(None)
        events = connection.execute(select(ChainContract.address, ChainContract.event_id).where(born)).all()
    compared = 0
    differences: list[Difference] = []
    for address, event_id in events:
        if event_id is None:
            continue
        ask = _Asker(node, "0x" + address.hex())
        for rows in _chunks(engine, chain, event_id):
            compared += len(rows)
            differences += _compare(ask, event_id, rows)
        differences += _missing(engine, ask, chain, event_id)
    return Verified(compared, tuple(differences))


@dataclass(frozen=True, slots=True)
class _Asker:
    node: Node
    address: str

    def words(self, block: bytes, calls: Sequence[tuple[str, int]], word: int = 0) -> list[int | None]:
        """That word of each call's answer as of a block; None where the call reverts."""
        at = {"blockHash": "0x" + block.hex()}
        batch = [
            Call("eth_call", ({"to": self.address, "data": f"0x{selector}{argument:064x}"}, at))
            for selector, argument in calls
        ]
        return [_word(answer, word) for answer in self.node.batch(batch, ASK_SECONDS)]

    def states(self, block: bytes, tokens: Sequence[int]) -> list[State | None]:
        """What the chain says of each token."""
        answers = self.words(block, [(selector, token) for token in tokens for selector in _OF_A_TOKEN])
        return [_state(answers[3 * place : 3 * place + 3]) for place in range(len(tokens))]


def _compare(ask: _Asker, event_id: UUID, rows: Sequence[Any]) -> Iterator[Difference]:
    theirs = ask.states(rows[0].cursor_hash, [row.token_id for row in rows])
    for row, said in zip(rows, theirs, strict=True):
        ours = State(row.owner, row.epoch, row.status)
        if ours != said:
            yield Difference(event_id, row.token_id, ours, said)


def _missing(engine: Engine, ask: _Asker, chain: int, event_id: UUID) -> Iterator[Difference]:
    """Tokens that the chain has and the index lacks: batches that are larger there."""
    with read(engine) as connection:
        closed = connection.scalar(select(func.max(Batch.number)).where(Batch.event_id == event_id)) or 0
    for number in range(1, closed + 2):  # one further, in case somebody else minted
        with read(engine) as connection:
            block, have = _batch_tokens(connection, chain, event_id, number)
        count = ask.words(block, [(_BATCH_INFO, number)], word=1)[0] or 0
        lacking = [token for token in range(number << 16, (number << 16) + count) if token not in have]
        for token, said in zip(lacking, ask.states(block, lacking), strict=True):
            yield Difference(event_id, token, None, said)


def _batch_tokens(connection: Connection, chain: int, event_id: UUID, number: int) -> tuple[bytes, set[int]]:
    first = number << 16
    query = (
        select(Chain.cursor_hash, Token.token_id)
        .outerjoin(
            Token, (Token.event_id == event_id) & (Token.token_id >= first) & (Token.token_id < first + (1 << 16))
        )
        .where(Chain.id == chain)
    )
    rows = connection.execute(query).all()
    return rows[0].cursor_hash, {row.token_id for row in rows if row.token_id is not None}


def _chunks(engine: Engine, chain: int, event_id: UUID) -> Iterator[list[Any]]:
    """Some hundred tokens at a time, each row with the cursor it goes with."""
    last = -1
    while True:
        query = (
            select(Chain.cursor_hash, Token.token_id, Token.owner, Token.epoch, Token.status)
            .join(Token, Token.event_id == event_id)
            .where(Chain.id == chain, Token.token_id > last)
            .order_by(Token.token_id)
            .limit(TOKENS_AT_ONCE)
        )
        with read(engine) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return
        yield list(rows)
        last = rows[-1].token_id


def _state(answers: Sequence[int | None]) -> State | None:
    owner, epoch, status = answers
    if owner is None or epoch is None or status is None:
        return None
    return State(owner.to_bytes(WORD)[12:], epoch, status)


def _word(answer: object, word: int) -> int | None:
    if isinstance(answer, RpcError):
        if "revert" in answer.message.lower():
            return None
        raise answer
    text = str(answer)[2 + 2 * WORD * word :][: 2 * WORD]
    return int(text, 16) if len(text) == 2 * WORD else None

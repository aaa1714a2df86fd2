"""Compare the index with the chain, token by token: `truestub index verify` (SPEC 10.6).

Rows and the index's cursor are read in one statement, and the chain is asked as of that cursor's block: index and chain
may go on meanwhile. Every token of the index is compared; the sizes of all batches up to the highest number that the
contract has, whoever minted it, show tokens that the index lacks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, Select, func, select

from backend.chain.follow import current_chain
from backend.chain.rpc import Call, Node, NodeError, RpcError
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainContract, Token

TOKENS_AT_ONCE = 500  # rows in memory; three calls each
BATCHES_AT_ONCE = 500
ASK_SECONDS = 20.0  # deadline of a request for many calls
WORD = 32

_OWNER_OF, _EPOCH_OF, _STATUS_OF, _BATCH_INFO, _EVENT_INFO = (
    keccak(signature.encode())[:4].hex()
    for signature in ("ownerOf(uint256)", "epochOf(uint256)", "statusOf(uint256)", "batchInfo(uint256)", "eventInfo()")
)
_COUNT, _HIGHEST = 1, 10  # the words of a batch's size, and of the highest batch (behind the struct's offset)
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


def verify(engine: Engine, node: Node, chain: int, newest: int | None = None) -> Verified:
    """Compare every token of the chain instance; raises `NodeError` if the node can't be asked.

    `newest`: of each event's tokens in the index only about so many, those of its last batches.
    """
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
        first = 1 if newest is None else _batch_of_newest(engine, event_id, newest)
        for rows in _chunks(engine, chain, event_id, first):
            compared += len(rows)
            differences += _compare(ask, event_id, rows)
        differences += _missing(engine, ask, chain, event_id)
    return Verified(compared, tuple(differences))


def verify_by_any(engine: Engine, nodes: Sequence[Node], newest: int) -> Verified | None:
    """`verify` by the first node that can be asked; none if none can, or no chain was seen yet."""
    chain = current_chain(engine)
    if chain is None:
        return None
    for node in nodes:
        try:
            return verify(engine, node, chain.id, newest)
        except NodeError:
            continue
    return None


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


def _batch_of_newest(engine: Engine, event_id: UUID, newest: int) -> int:
    """The batch where the last `newest` tokens begin."""
    query = select(Token.token_id).where(Token.event_id == event_id).order_by(Token.token_id.desc())
    with read(engine) as connection:
        token = connection.scalar(query.offset(newest - 1).limit(1))
    return 1 if token is None else token >> 16


def _missing(engine: Engine, ask: _Asker, chain: int, event_id: UUID) -> Iterator[Difference]:
    """Tokens that the chain has and the index lacks: batches that are larger there, under whatever number."""
    with read(engine) as connection:
        block = connection.execute(select(Chain.cursor_hash).where(Chain.id == chain)).scalar_one()
    highest = ask.words(block, [(_EVENT_INFO, 0)], _HIGHEST)[0] or 0
    for first in range(1, highest + 1, BATCHES_AT_ONCE):
        numbers = range(first, min(first + BATCHES_AT_ONCE, highest + 1))
        with read(engine) as connection:
            block, have = _sizes(connection, chain, event_id, numbers)
        counts = ask.words(block, [(_BATCH_INFO, number) for number in numbers], _COUNT)
        for number, count in zip(numbers, counts, strict=True):
            if (count or 0) > have.get(number, 0):
                yield from _lacking(engine, ask, chain, event_id, number)


def _lacking(engine: Engine, ask: _Asker, chain: int, event_id: UUID, number: int) -> Iterator[Difference]:
    with read(engine) as connection:
        rows = connection.execute(_tokens_of(chain, event_id, range(number, number + 1), Token.token_id)).all()
    block, have = rows[0].cursor_hash, {row.token_id for row in rows}
    count = ask.words(block, [(_BATCH_INFO, number)], _COUNT)[0] or 0
    lacking = [token for token in range(number << 16, (number << 16) + count) if token not in have]
    for token, said in zip(lacking, ask.states(block, lacking), strict=True):
        yield Difference(event_id, token, None, said)


def _sizes(connection: Connection, chain: int, event_id: UUID, numbers: range) -> tuple[bytes, dict[int, int]]:
    """How many tokens of these batches the index has, and the cursor that goes with it."""
    number = (Token.token_id // (1 << 16)).label("number")
    query = _tokens_of(chain, event_id, numbers, number, func.count(Token.token_id).label("tokens"))
    rows = connection.execute(query.group_by(Chain.cursor_hash, number)).all()
    return rows[0].cursor_hash, {row.number: row.tokens for row in rows}


def _tokens_of(chain: int, event_id: UUID, numbers: range, *columns: Any) -> Select[Any]:  # noqa: ANN401 - as of `select`
    """With the cursor, which is there also when there is no token."""
    mine = (Token.event_id == event_id) & Token.token_id.between(numbers[0] << 16, (numbers[-1] + 1 << 16) - 1)
    return select(Chain.cursor_hash, *columns).outerjoin(Token, mine).where(Chain.id == chain)


def _chunks(engine: Engine, chain: int, event_id: UUID, first: int) -> Iterator[list[Any]]:
    """Some hundred tokens at a time from a batch on, each row with the cursor it goes with."""
    last = (first << 16) - 1
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

"""Prove a sample of the index against the chain's state root: `truestub index verify --sample N` (SPEC 10.6).

A node may answer `ownerOf` with anything; it can't make up a Merkle proof (EIP-1186). From the block whose hash we
stored comes the state root, from it the event's account, from its storage root the words of batch, token and status
(SPEC 8.3), and for a ticket that never moved the code of its batch, by the code hash that its account proves. What is
proven is compared with the index. A header that we can hash ourselves binds the root to the hash that we stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import rlp
from eth_hash.auto import keccak
from sqlalchemy import Engine, func, select
from trie.exceptions import BadTrieProof
from trie.hexary import HexaryTrie

from backend.chain.calldata import contract_class
from backend.chain.logs import TICKETS_OF_A_WORD, WORD
from backend.chain.rpc import Call, Node, one
from backend.chain.verify import ASK_SECONDS, State
from backend.db.engine import read
from backend.db.tables.chain import Batch, Chain, ChainContract, Token

BATCH_SLOT = 266  # of the compiler's storage layout; the arrays follow one another (SPEC 8.3)
TOKEN_SLOT = BATCH_SLOT + (1 << 24)
STATUS_SLOT = TOKEN_SLOT + (1 << 40)
SAMPLE = 200  # tokens unless told otherwise
INDEX_BITS = 16
MAX_IN_BATCH = 1 << INDEX_BITS

# A header's fields in their order; the later ones came with forks and are there from then on.
_HEADER = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)
_NUMBERS = {
    *("difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas"),
}


class Unproven(Exception):  # noqa: N818 - named for what it is
    """The node's words don't fit together. `what`: block | account | contract | storage | code."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Finding:
    """A token whose proof is false (`what` says where), or true and other than the index (`what` is state)."""

    event_id: UUID
    token_id: int
    what: str
    index: State
    chain: State | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """How many tokens were looked at, what was found, and whether the state root is bound to the block's hash."""

    tokens: int
    findings: tuple[Finding, ...] = field(default=())
    root_bound: bool = True


def prove(
    engine: Engine, node: Node, chain: int, choose: Callable[[int, int], Sequence[int]], sample: int = SAMPLE
) -> Proved:
    """Prove a sample of the tokens. `choose(n, k)`: k places below n, by chance. Raises `NodeError`."""
    rows, cursor = _sampled(engine, chain, choose, sample)
    if not rows:
        return Proved(0)
    try:
        there = _Block.of(node, cursor)
    except Unproven as unproven:
        return Proved(len(rows), tuple(Finding(row.event_id, row.token_id, unproven.what, _state(row)) for row in rows))
    findings = []
    for row in rows:
        try:
            proven = there.token(row)
        except Unproven as unproven:
            findings.append(Finding(row.event_id, row.token_id, unproven.what, _state(row)))
            continue
        if proven != _state(row):
            findings.append(Finding(row.event_id, row.token_id, "state", _state(row), proven))
    return Proved(len(rows), tuple(findings), there.bound)


def read_proof(root: bytes, key: bytes, nodes: Sequence[str]) -> bytes:
    """What a Merkle-Patricia trie has under a key (hashed here), proven by its nodes; empty if nothing. `Unproven`."""
    try:
        decoded = tuple(rlp.decode(bytes.fromhex(one_node[2:])) for one_node in nodes)
        return bytes(HexaryTrie.get_from_proof(root, keccak(key), decoded))  # type: ignore[no-untyped-call]
    except (BadTrieProof, rlp.DecodingError, ValueError, TypeError, KeyError, AssertionError):
        raise Unproven("storage") from None


def header_hash(block: dict[str, Any]) -> bytes:
    """The hash of a block's header as Ethereum makes it (Yellow Paper 4.4; EIP-1559, 4895, 4844, 4788, 7685)."""
    fields = [block[name] for name in _HEADER if name in block]
    numbers = [name in _NUMBERS for name in _HEADER if name in block]
    raw = [_minimal(text) if number else bytes.fromhex(text[2:]) for text, number in zip(fields, numbers, strict=True)]
    return keccak(rlp.encode(raw))


# --- what is compared -------------------------------------------------------------------------------------------------


def _sampled(
    engine: Engine, chain: int, choose: Callable[[int, int], Sequence[int]], sample: int
) -> tuple[list[Any], tuple[int, bytes]]:
    """Tokens of the index by chance, with the cursor that they go with."""
    with read(engine) as connection:
        count = connection.scalar(select(func.count()).select_from(Token)) or 0
        places = sorted(choose(count, min(sample, count)))
        cursor = connection.execute(select(Chain.cursor_number, Chain.cursor_hash).where(Chain.id == chain)).one()
        mine = (ChainContract.chain == chain) & (ChainContract.kind == "event")
        query = (
            select(Token, ChainContract.address, ChainContract.code_hash, Batch.class_number)
            .join(ChainContract, (ChainContract.event_id == Token.event_id) & mine)
            .outerjoin(
                Batch, (Batch.event_id == Token.event_id) & (Batch.number == Token.token_id // (1 << INDEX_BITS))
            )
            .order_by(Token.event_id, Token.token_id)
        )
        rows = [connection.execute(query.offset(place).limit(1)).one_or_none() for place in places]
    return [row for row in rows if row is not None], (cursor.cursor_number, cursor.cursor_hash)


def _state(row: Any) -> State:  # noqa: ANN401 - a row of tokens
    return State(row.owner, row.epoch, row.status)


# --- what the node proves ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    """One block's state, as far as it was proven."""

    node: Node
    number: int
    root: bytes
    bound: bool
    codes: dict[bytes, bytes] = field(default_factory=dict)  # of batches, by address

    @classmethod
    def of(cls, node: Node, cursor: tuple[int, bytes]) -> "_Block":
        number, hash_ = cursor
        block = node.call("eth_getBlockByHash", "0x" + hash_.hex(), False)
        if block is None or int(block["number"], 16) != number:
            raise Unproven("block")
        return cls(node, number, bytes.fromhex(block["stateRoot"][2:]), header_hash(block) == hash_)

    def token(self, row: Any) -> State:  # noqa: ANN401 - a row of `_sampled`
        """What the state root proves of a token; raises `Unproven`."""
        batch, index = row.token_id >> INDEX_BITS, row.token_id & (1 << INDEX_BITS) - 1
        slots = (BATCH_SLOT + batch, TOKEN_SLOT + row.token_id, STATUS_SLOT + row.token_id // TICKETS_OF_A_WORD)
        code_hash, words = self._account(row.address, slots)
        if code_hash != row.code_hash:
            raise Unproven("contract")
        batch_word, token_word, status_word = words
        status = status_word >> 2 * (row.token_id % TICKETS_OF_A_WORD) & 3
        if token_word:
            return State((token_word & (1 << 160) - 1).to_bytes(20), token_word >> 160 & 0xFFFFFF, status)
        if row.class_number is not None and batch_word >> 176 & 0xFF != contract_class(row.class_number):
            raise Unproven("storage")
        if index >= batch_word >> 160 & 0xFFFF:
            return State(bytes(20), 0, status)  # the chain has no such token
        code = self._code((batch_word & (1 << 160) - 1).to_bytes(20))
        return State(code[1 + 20 * index : 21 + 20 * index], 0, status)

    def _code(self, address: bytes) -> bytes:
        """The code of a batch's contract, by the code hash that its account proves."""
        known = self.codes.get(address)
        if known is None:
            code_hash, _words = self._account(address, ())
            text = self.node.call("eth_getCode", "0x" + address.hex(), hex(self.number), deadline_seconds=ASK_SECONDS)
            known = bytes.fromhex(text[2:])
            if keccak(known) != code_hash:
                raise Unproven("code")
            self.codes[address] = known
        return known

    def _account(self, address: bytes, slots: Sequence[int]) -> tuple[bytes, list[int]]:
        """Code hash and words of an account, proven from the state root."""
        keys = [f"0x{slot:064x}" for slot in slots]
        call = Call("eth_getProof", ("0x" + address.hex(), keys, hex(self.number)))
        told = one(self.node.batch([call], ASK_SECONDS)[0])
        try:
            account = rlp.decode(read_proof(self.root, address, told["accountProof"]))
            _nonce, _balance, storage_root, code_hash = account
            proofs = [entry["proof"] for entry in told["storageProof"]]
        except (Unproven, rlp.DecodingError, ValueError, TypeError, KeyError):
            raise Unproven("account") from None
        if len(proofs) != len(slots):
            raise Unproven("storage")
        leaves = [
            read_proof(storage_root, slot.to_bytes(WORD), proof) for slot, proof in zip(slots, proofs, strict=True)
        ]
        return code_hash, [int.from_bytes(rlp.decode(leaf)) if leaf else 0 for leaf in leaves]


def _minimal(text: str) -> bytes:
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8)

"""Look at a node: what it says where we know better, in as few requests as the answer allows (SPEC 10.5).

Usually one batch tells that the node has the block of our cursor. Only when it has not are more of our stored blocks
compared, a few heights at a time, until the highest common one is found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, Row, select

from backend.chain.diagnosis import Diagnosis, Known, Seen, diagnose
from backend.chain.rpc import Call, Node, NodeError, one
from backend.db.engine import read
from backend.db.tables.chain import ChainBlock, ChainContract

PROBES = 16  # heights compared in one request


@dataclass(frozen=True, slots=True)
class FirstLook:
    """A node we know nothing of."""

    chain_id: int
    genesis_hash: bytes
    head_number: int


@dataclass(frozen=True, slots=True)
class Sight:
    """What a node is to us, and how far it is."""

    diagnosis: Diagnosis
    head_number: int


def examine(engine: Engine, node: Node, chain: Row[Any]) -> Sight:
    """Compare the node with what we stored of `chain` (a row of `chains`); raises `NodeError` if it does not answer."""
    with read(engine) as connection:
        known = _known(connection, chain)
    try:
        seen = _look(node, known)
        if seen.genesis_hash == known.genesis_hash and seen.blocks.get(chain.cursor_number) != chain.cursor_hash:
            with read(engine) as connection:
                known = replace(known, blocks=_stored_blocks(connection, chain))
            seen = replace(seen, blocks=_compare(node, known.blocks, seen))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NodeError(f"{node.name}: its answer makes no sense: {error!r}") from error
    return Sight(diagnose(known, seen), seen.head_number)


def first_look(node: Node) -> FirstLook:
    """Chain id, genesis and head; raises `NodeError`."""
    answers = [one(answer) for answer in node.batch([Call("eth_chainId"), _block_call(0), Call("eth_blockNumber")])]
    try:
        return FirstLook(int(answers[0], 16), _hash(answers[1]), int(answers[2], 16))
    except (KeyError, TypeError, ValueError) as error:
        raise NodeError(f"{node.name}: its answer makes no sense: {error!r}") from error


def block_hash(node: Node, number: int) -> bytes:
    """The hash of the node's block; raises `NodeError` if it has none."""
    block = node.call("eth_getBlockByNumber", hex(number), False)
    if block is None:
        raise NodeError(f"{node.name}: it has no block {number}")
    return _hash(block)


def _known(connection: Connection, chain: Row[Any]) -> Known:
    born = ChainContract.block_number.is_not(None) & ChainContract.code_hash.is_not(None)
    contracts = connection.execute(
        select(ChainContract.address, ChainContract.block_number, ChainContract.code_hash).where(
            ChainContract.chain == chain.id, born
        )
    )
    return Known(
        chain_id=chain.chain_id,
        genesis_hash=chain.genesis_hash,
        cursor_number=chain.cursor_number,
        final_number=chain.final_number,
        blocks={chain.cursor_number: chain.cursor_hash},
        contracts={row.address: (row.block_number or 0, row.code_hash or b"") for row in contracts},
    )


def _look(node: Node, known: Known) -> Seen:
    """The node's word on itself, on the cursor's block and on our contracts' code."""
    fixed = [Call("eth_chainId"), _block_call(0), Call("eth_blockNumber"), _block_call(known.cursor_number)]
    code = [Call("eth_getCode", ("0x" + address.hex(), "latest")) for address in known.contracts]
    answers = [one(answer) for answer in node.batch([*fixed, *code])]
    chain_id, genesis, head, cursor = answers[:4]
    return Seen(
        chain_id=int(chain_id, 16),
        genesis_hash=_hash(genesis),
        head_number=int(head, 16),
        blocks=_hashes([known.cursor_number], [cursor]),
        code_hashes={address: _code_hash(text) for address, text in zip(known.contracts, answers[4:], strict=True)},
    )


def _stored_blocks(connection: Connection, chain: Row[Any]) -> dict[int, bytes]:
    rows = connection.execute(select(ChainBlock.number, ChainBlock.hash).where(ChainBlock.chain == chain.id))
    stored = {number: hash_ for number, hash_ in rows}  # noqa: C416 - rows, not pairs
    return {0: chain.genesis_hash, **stored, chain.cursor_number: chain.cursor_hash}


def _compare(node: Node, stored: Mapping[int, bytes], seen: Seen) -> dict[int, bytes]:
    """The node's hashes at enough heights to tell the highest block it shares with us.

    Blocks name their parents, so what is shared at one height is shared below: each round looks at heights evenly
    spread between the highest known to be shared and the lowest known not to be.
    """
    heights = [number for number in sorted(stored) if number <= seen.head_number]
    found = {0: seen.genesis_hash}
    low, high = 0, len(heights)
    while high - low > 1:
        step = -(-(high - low) // (PROBES + 1))
        places = range(low + step, high, step) if step > 1 else range(low + 1, high)
        numbers = [heights[place] for place in places]
        found |= _hashes(numbers, [one(answer) for answer in node.batch([_block_call(number) for number in numbers])])
        shared = [place for place in places if found.get(heights[place]) == stored[heights[place]]]
        other = [place for place in places if place not in shared]
        low, high = max(shared, default=low), min(other, default=high)
    return found


def _block_call(number: int) -> Call:
    return Call("eth_getBlockByNumber", (hex(number), False))


def _hashes(numbers: Sequence[int], blocks: Sequence[Any]) -> dict[int, bytes]:
    return {number: _hash(block) for number, block in zip(numbers, blocks, strict=True) if block is not None}


def _hash(block: dict[str, Any]) -> bytes:
    return bytes.fromhex(block["hash"][2:])


def _code_hash(text: str) -> bytes | None:
    code = bytes.fromhex(text[2:])
    return keccak(code) if code else None

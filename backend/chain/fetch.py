"""Fetch a run of blocks with what concerns us in them: logs of our contracts, and the fate of our transactions.

Network only; nothing is written. Blocks are taken by number, held together by their parents' hashes, and their logs are
asked for by block hash: a node that lags answers a range with an empty list, but not a hash it does not know.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from backend.chain.logs import RawLog
from backend.chain.rpc import Call, Node, NodeError, one

Ours = Callable[[Iterable[bytes]], set[bytes]]  # which of these transaction hashes are attempts of ours

BLOCKS_AT_ONCE = 64  # of a run; bounds memory and a transaction's length
_QUESTIONS = ("eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getRawTransactionByHash")


class BrokenRunError(NodeError):
    """The node's blocks do not hang together, or changed while we asked; ask again later."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block's head. Hashes are 32 bytes, `timestamp` Unix seconds."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    transactions: tuple[bytes, ...]  # hashes, in order


@dataclass(frozen=True, slots=True)
class Touching:
    """A transaction that left logs in our contracts, or is one of our own. `raw` if the node gave it."""

    hash: bytes
    block_number: int
    position: int
    timestamp: int
    sender: bytes
    nonce: int
    raw: bytes | None
    succeeded: bool
    created: bytes | None  # the contract it made


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive blocks, upwards, with the logs of our contracts and the transactions that concern us."""

    blocks: tuple[Block, ...]
    logs: tuple[RawLog, ...]
    transactions: tuple[Touching, ...]


def fetch_run(node: Node, after: int, after_hash: bytes, to: int, addresses: Collection[bytes], ours: Ours) -> Run:
    """The blocks after `after` (whose hash is `after_hash`) up to `to`, at most `BLOCKS_AT_ONCE` of them.

    Raises `BrokenRunError` if the first does not follow `after_hash` or the answers make no sense, else `NodeError`.
    """
    try:
        return _fetch(node, after, after_hash, to, addresses, ours)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise BrokenRunError(f"the node's answer makes no sense: {error!r}") from error


def _fetch(node: Node, after: int, after_hash: bytes, to: int, addresses: Collection[bytes], ours: Ours) -> Run:
    numbers = range(after + 1, min(to, after + BLOCKS_AT_ONCE) + 1)
    answers = node.batch([Call("eth_getBlockByNumber", (hex(number), False)) for number in numbers])
    blocks = [_block(one(answer)) for answer in answers]
    parent = after_hash
    for block in blocks:
        if block.parent_hash != parent:
            raise BrokenRunError(f"block {block.number} does not follow the one before it")
        parent = block.hash
    logs = _logs(node, blocks, addresses)
    mine = ours(hash_ for block in blocks for hash_ in block.transactions)
    wanted = {log.tx_hash for log in logs} | mine
    return Run(tuple(blocks), tuple(logs), tuple(_transactions(node, blocks, wanted)))


def _logs(node: Node, blocks: Sequence[Block], addresses: Collection[bytes]) -> list[RawLog]:
    if not addresses:
        return []
    wanted = sorted("0x" + address.hex() for address in addresses)
    calls = [Call("eth_getLogs", ({"blockHash": "0x" + block.hash.hex(), "address": wanted},)) for block in blocks]
    logs: list[RawLog] = []
    for block, answer in zip(blocks, node.batch(calls), strict=True):
        found = [_log(said) for said in one(answer)]
        if any(log.block_hash != block.hash for log in found):
            raise BrokenRunError(f"the node gave logs of another block than {block.number}")
        logs += sorted(found, key=lambda log: log.log_index)
    return logs


def _transactions(node: Node, blocks: Sequence[Block], wanted: set[bytes]) -> list[Touching]:
    places = {
        hash_: (block, position)
        for block in blocks
        for position, hash_ in enumerate(block.transactions)
        if hash_ in wanted
    }
    hashes = sorted(places, key=lambda hash_: (places[hash_][0].number, places[hash_][1]))
    text = ["0x" + hash_.hex() for hash_ in hashes]
    answers = node.batch([Call(method, (hash_,)) for hash_ in text for method in _QUESTIONS])
    found = []
    for at, hash_ in enumerate(hashes):
        block, position = places[hash_]
        receipt, transaction, raw = one(answers[3 * at]), one(answers[3 * at + 1]), answers[3 * at + 2]
        if receipt is None or transaction is None or _bytes(receipt["blockHash"]) != block.hash:
            raise BrokenRunError(f"the node forgot a transaction of block {block.number}")
        created = receipt.get("contractAddress")
        found.append(
            Touching(
                hash=hash_,
                block_number=block.number,
                position=position,
                timestamp=block.timestamp,
                sender=_bytes(transaction["from"]),
                nonce=int(transaction["nonce"], 16),
                raw=_bytes(raw) if isinstance(raw, str) else None,
                succeeded=int(receipt["status"], 16) == 1,
                created=_bytes(created) if created else None,
            )
        )
    return found


def _block(said: Any) -> Block:  # noqa: ANN401 - JSON
    if said is None:
        raise BrokenRunError("the node has fewer blocks than it said")
    return Block(
        number=int(said["number"], 16),
        hash=_bytes(said["hash"]),
        parent_hash=_bytes(said["parentHash"]),
        timestamp=int(said["timestamp"], 16),
        transactions=tuple(_bytes(hash_) for hash_ in said["transactions"]),
    )


def _log(said: dict[str, Any]) -> RawLog:
    return RawLog(
        block_number=int(said["blockNumber"], 16),
        log_index=int(said["logIndex"], 16),
        block_hash=_bytes(said["blockHash"]),
        tx_hash=_bytes(said["transactionHash"]),
        address=_bytes(said["address"]),
        topics=b"".join(_bytes(topic) for topic in said["topics"]),
        data=_bytes(said["data"]),
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])

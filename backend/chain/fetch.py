"""Fetch a run of blocks with what concerns us in them: logs of our contracts, and the fate of our transactions.

Network only; nothing is written. Blocks are taken by number, held together by their parents' hashes, and their logs are
asked for by block hash: a node that lags answers a range with an empty list, but not a hash it does not know.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.chain.logs import TRANSFER, WORD, RawLog
from backend.chain.rpc import Call, Node, NodeError, one

BLOCKS_AT_ONCE = 64  # of a run
EVENTS_AT_ONCE = 5_000  # logs asked for in one request, about; 700 bytes of JSON each
EVENTS_OF_A_RUN = 20_000  # after which a run ends; bounds memory and a transaction's length
GAS_OF_A_LOG = 6_000  # of a ticket in a batch; hardly a transaction leaves more logs for its gas
ASK_SECONDS = 5.0  # deadline of a request for logs; a node that hangs in the midst of one is noticed after it
_TRANSFER, _ZERO = "0x" + TRANSFER.hex(), "0x" + bytes(WORD).hex()


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
    gas_used: int = 0


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
class Known:
    """What we know of a transaction of our own."""

    sender: bytes
    nonce: int
    raw: bytes
    creates: bool = False  # a contract, whose address is to be learnt


# Which of these transaction hashes are attempts of ours.
Ours = Callable[[Iterable[bytes]], Mapping[bytes, Known]]


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
    logs, count = _logs(node, blocks, addresses)
    blocks = blocks[:count]
    mine = ours(hash_ for block in blocks for hash_ in block.transactions)
    return Run(tuple(blocks), tuple(logs), tuple(_transactions(node, blocks, logs, mine)))


def _logs(node: Node, blocks: Sequence[Block], addresses: Collection[bytes]) -> tuple[list[RawLog], int]:
    """The logs of the first blocks, as many blocks as give about `EVENTS_OF_A_RUN`; and how many blocks that are."""
    if not addresses:
        return [], len(blocks)
    wanted = sorted("0x" + address.hex() for address in addresses)
    logs: list[RawLog] = []
    done = events = 0
    while done < len(blocks) and events < EVENTS_OF_A_RUN:
        part = _bearable(blocks[done:])
        calls = [Call("eth_getLogs", ({"blockHash": "0x" + block.hash.hex(), "address": wanted},)) for block in part]
        for block, answer in zip(part, node.batch(calls, ASK_SECONDS), strict=True):
            said = one(answer)
            events += len(said)
            logs += _of_block(block, said)
        done += len(part)
    return logs, done


def _bearable(blocks: Sequence[Block]) -> Sequence[Block]:
    """The first blocks whose logs may be asked for in one request: judged by their gas, before a log is seen."""
    room, count = EVENTS_AT_ONCE * GAS_OF_A_LOG, 0
    for block in blocks:
        room -= block.gas_used
        if room < 0:
            break
        count += 1
    return blocks[: max(1, count)]


def _of_block(block: Block, said: list[dict[str, Any]]) -> list[RawLog]:
    """A block's logs in their order; the Transfers of a mint as one (SPEC 10.4)."""
    expected = "0x" + block.hash.hex()
    logs: list[RawLog] = []
    first: dict[str, Any] | None = None  # of a run of mints
    owners: list[str] = []
    token = index = 0
    for log in sorted(said, key=lambda one: int(one["logIndex"], 16)):
        if log["blockHash"] != expected:
            raise BrokenRunError(f"the node gave logs of another block than {block.number}")
        topics = log["topics"]
        if len(topics) == 4 and topics[0] == _TRANSFER and topics[1] == _ZERO:
            here, at = int(topics[3], 16), int(log["logIndex"], 16)
            if first is not None and (here, at) == (token + len(owners), index + len(owners)) and _same(first, log):
                owners.append(topics[2][-40:])
                continue
            _end(logs, first, owners)
            first, owners, token, index = log, [topics[2][-40:]], here, at
            continue
        _end(logs, first, owners)
        first = None
        logs.append(_log(log))
    _end(logs, first, owners)
    return logs


def _same(first: dict[str, Any], log: dict[str, Any]) -> bool:
    return bool(first["transactionHash"] == log["transactionHash"] and first["address"] == log["address"])


def _end(logs: list[RawLog], first: dict[str, Any] | None, owners: list[str]) -> None:
    """Write down a run of mints; one alone is a log like any other."""
    if first is None:
        return
    alone = _log(first)
    if len(owners) == 1:
        logs.append(alone)
        return
    topics = alone.topics[: 2 * WORD] + alone.topics[3 * WORD :]
    logs.append(replace(alone, topics=topics, data=bytes.fromhex("".join(owners)), count=len(owners)))


def _transactions(
    node: Node, blocks: Sequence[Block], logs: Sequence[RawLog], mine: Mapping[bytes, Known]
) -> list[Touching]:
    """What concerns us, in the chain's order. The node is asked only for what our rows and the logs don't say."""
    made = {hash_ for hash_, known in mine.items() if known.creates}
    told = {log.tx_hash for log in logs} - made  # a transaction that left logs succeeded
    places = [
        (block, position, hash_)
        for block in blocks
        for position, hash_ in enumerate(block.transactions)
        if hash_ in told or hash_ in mine
    ]
    receipts = _ask(node, "eth_getTransactionReceipt", [place for place in places if place[2] not in told])
    theirs = [place for place in places if place[2] not in mine]
    bodies = _ask(node, "eth_getTransactionByHash", theirs)
    raws = _ask(node, "eth_getRawTransactionByHash", theirs)
    found = []
    for block, position, hash_ in places:
        receipt, body, raw = receipts.get(hash_), bodies.get(hash_), raws.get(hash_)
        for said, asked in ((receipt, hash_ not in told), (body, hash_ not in mine)):
            if asked and (not isinstance(said, dict) or _bytes(said["blockHash"]) != block.hash):
                raise BrokenRunError(f"the node forgot a transaction of block {block.number}")
        known = mine.get(hash_) or _known(body, raw)
        created = receipt.get("contractAddress") if receipt else None
        found.append(
            Touching(
                hash=hash_,
                block_number=block.number,
                position=position,
                timestamp=block.timestamp,
                sender=known.sender,
                nonce=known.nonce,
                raw=known.raw or None,
                succeeded=receipt is None or int(receipt["status"], 16) == 1,
                created=_bytes(created) if created else None,
            )
        )
    return found


def _known(body: Any, raw: Any) -> Known:  # noqa: ANN401 - JSON
    return Known(_bytes(body["from"]), int(body["nonce"], 16), _bytes(raw) if isinstance(raw, str) else b"")


def _ask(node: Node, method: str, places: Sequence[tuple[Block, int, bytes]]) -> dict[bytes, Any]:
    answers = node.batch([Call(method, ("0x" + hash_.hex(),)) for _block, _position, hash_ in places], ASK_SECONDS)
    return {place[2]: answer for place, answer in zip(places, answers, strict=True)}


def _block(said: Any) -> Block:  # noqa: ANN401 - JSON
    if said is None:
        raise BrokenRunError("the node has fewer blocks than it said")
    return Block(
        number=int(said["number"], 16),
        hash=_bytes(said["hash"]),
        parent_hash=_bytes(said["parentHash"]),
        timestamp=int(said["timestamp"], 16),
        transactions=tuple(_bytes(hash_) for hash_ in said["transactions"]),
        gas_used=int(said["gasUsed"], 16),
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

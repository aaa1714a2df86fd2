"""Look at a node, to say what it is: what `diagnosis` decides from (SPEC 10.5)."""

from eth_hash.auto import keccak
from sqlalchemy import Connection, select

from backend.chain.diagnosis import Known, Seen
from backend.chain.rpc import Call, Node, NodeError, one
from backend.db.models import Chain, ChainBlock, ChainContract


def known_of(connection: Connection, chain: int) -> Known:
    """What we stored of a chain instance."""
    row = connection.execute(select(Chain.__table__).where(Chain.id == chain)).one()
    blocks = connection.execute(select(ChainBlock.number, ChainBlock.hash).where(ChainBlock.chain == chain))
    contracts = connection.execute(
        select(ChainContract.address, ChainContract.block_number, ChainContract.code_hash).where(
            ChainContract.chain == chain,
            ChainContract.block_number.is_not(None),
            ChainContract.code_hash.is_not(None),
        )
    )
    return Known(
        chain_id=row.chain_id,
        genesis_hash=row.genesis_hash,
        cursor_number=row.cursor_number,
        final_number=row.final_number,
        blocks={row.cursor_number: row.cursor_hash, **{number: hash_ for number, hash_ in blocks}},  # noqa: C416 - rows
        contracts={address: (birth or 0, code_hash or b"") for address, birth, code_hash in contracts},
    )


def look(node: Node, known: Known) -> Seen:
    """Ask the node; raises `NodeError`. Blocks are only compared one by one when the newest do not agree."""
    try:
        return _look(node, known)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NodeError(f"the node's answer makes no sense: {error!r}") from error


def _look(node: Node, known: Known) -> Seen:
    head = int(node.call("eth_blockNumber"), 16)
    top = min(head, known.cursor_number)
    addresses = sorted(address for address, (birth, _) in known.contracts.items() if birth <= head)
    answers = node.batch(
        [
            Call("eth_chainId"),
            _block_call(0),
            _block_call(top),
            *(Call("eth_getCode", ("0x" + address.hex(), "latest")) for address in addresses),
        ]
    )
    hashes = {top: _hash(one(answers[2]))}
    if hashes[top] != known.blocks.get(top):
        hashes = _hashes(node, [number for number in sorted(known.blocks) if number <= head])
    codes = [bytes.fromhex(one(answer)[2:]) for answer in answers[3:]]
    return Seen(
        chain_id=int(one(answers[0]), 16),
        genesis_hash=_hash(one(answers[1])) or b"",
        head_number=head,
        blocks={number: hash_ for number, hash_ in hashes.items() if hash_ is not None},
        code_hashes={address: keccak(code) if code else None for address, code in zip(addresses, codes, strict=True)},
    )


def first_look(node: Node) -> tuple[int, bytes, int, bytes]:
    """Chain id, genesis hash, head number and head hash of a node we know nothing of."""
    answers = node.batch([Call("eth_chainId"), _block_call(0), Call("eth_getBlockByNumber", ("latest", False))])
    head = one(answers[2])
    genesis, top = _hash(one(answers[1])), _hash(head)
    return int(one(answers[0]), 16), genesis or b"", int(head["number"], 16), top or b""


def _hashes(node: Node, numbers: list[int]) -> dict[int, bytes | None]:
    answers = node.batch([_block_call(number) for number in numbers])
    return {number: _hash(one(answer)) for number, answer in zip(numbers, answers, strict=True)}


def _block_call(number: int) -> Call:
    return Call("eth_getBlockByNumber", (hex(number), False))


def _hash(block: dict[str, str] | None) -> bytes | None:
    return bytes.fromhex(block["hash"][2:]) if block else None

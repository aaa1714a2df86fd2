"""The index says of every token what the logs say, and can be taken back and made again from them."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from uuid import UUID, uuid4

import pytest
from eth_typing import BlockNumber
from hexbytes import HexBytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, select
from web3 import Web3
from web3.types import LogReceipt

from backend.chain.apply import apply_logs, derive, take_back
from backend.chain.fetch import Block, BrokenRunError, _of_block
from backend.chain.logs import (
    TICKETS_REDEEMED,
    TRANSFER,
    Marked,
    Minted,
    Moved,
    RawLog,
    decode,
    redeemed_tokens,
    topic,
)
from backend.db.tables.chain import Chain, ChainLog, Token
from contracts import load_artifact
from credential.tickets import Status

CONTRACT = b"\xc0" * 20
ZERO, CHAIN = bytes(20), 1
WORDS = (topic("TicketSuspended(uint256)"), topic("TicketReinstated(uint256)"), topic("TicketRevoked(uint256)"))


def word(value: int | bytes) -> bytes:
    return (value if isinstance(value, bytes) else value.to_bytes(32)).rjust(32, b"\0")


def log(block: int, index: int, topics: Sequence[bytes], data: bytes = b"") -> RawLog:
    return RawLog(block, index, word(block), word(index), CONTRACT, b"".join(topics), data)


def transfer(block: int, sender: bytes, receiver: bytes, token: int, index: int = 0) -> RawLog:
    return log(block, index, [TRANSFER, word(sender), word(receiver), word(token)])


def redeemed(block: int, status_word: int, mask: int, index: int = 0) -> RawLog:
    arrays = [word(64), word(128), word(1), word(status_word), word(1), word(mask)]
    return log(block, index, [TICKETS_REDEEMED], b"".join(arrays))


def owner(number: int) -> bytes:
    return number.to_bytes(20)


def test_our_decoding_is_web3s() -> None:
    contract = Web3().eth.contract(abi=load_artifact("EventTickets").abi)
    raw = transfer(5, owner(3), owner(9), 1 << 16 | 7)
    receipt: LogReceipt = {
        "address": Web3.to_checksum_address(CONTRACT),
        "topics": [HexBytes(raw.topics[at : at + 32]) for at in range(0, 128, 32)],
        "data": HexBytes(raw.data),
        "blockNumber": BlockNumber(5),
        "blockHash": HexBytes(raw.block_hash),
        "transactionHash": HexBytes(raw.tx_hash),
        "transactionIndex": 0,
        "logIndex": 0,
        "removed": False,
    }
    args = contract.events.Transfer().process_log(receipt)["args"]
    assert decode(raw) == Moved(args["tokenId"], bytes.fromhex(args["to"][2:]))
    burn = redeemed(5, 512, 0b010001)
    receipt = {**receipt, "topics": [HexBytes(TICKETS_REDEEMED)], "data": HexBytes(burn.data)}
    args = contract.events.TicketsRedeemed().process_log(receipt)["args"]
    assert decode(burn) == Marked(redeemed_tokens(args["words"], args["masks"]), Status.REDEEMED)
    assert redeemed_tokens([512, 513], [0b010001, 1]) == (512 * 128, 512 * 128 + 2, 513 * 128)


def test_logs_with_our_topic_but_another_shape_change_nothing() -> None:
    assert decode(log(1, 0, [TRANSFER, word(ZERO), word(owner(1))])) is None  # ERC-20's Transfer
    assert decode(log(1, 0, [TRANSFER, word(ZERO), word(owner(1)), b"\xff" * 32])) is None
    assert decode(log(1, 0, [TICKETS_REDEEMED], word(1))) is None
    assert decode(log(1, 0, [TICKETS_REDEEMED], word(64) + word(1 << 255) + word(1 << 60))) is None
    assert decode(log(1, 0, [])) is None


@given(st.binary(max_size=200), st.binary(max_size=100))
def test_whatever_a_node_says_decoding_never_raises(topics: bytes, data: bytes) -> None:
    decode(RawLog(1, 0, bytes(32), bytes(32), CONTRACT, topics, data))
    decode(RawLog(1, 0, bytes(32), bytes(32), CONTRACT, TRANSFER + topics, data))
    decode(RawLog(1, 0, bytes(32), bytes(32), CONTRACT, TICKETS_REDEEMED, data))


class Model:
    """What the contract would say, in the plainest way."""

    def __init__(self) -> None:
        self.tokens: dict[int, tuple[bytes, int, int]] = {}

    def run(self, logs: Sequence[RawLog]) -> dict[int, tuple[bytes, int, int]]:
        for one in logs:
            change = decode(one)
            if isinstance(change, Minted):
                self.tokens[change.token_id] = (change.owner, 0, 0)
            elif isinstance(change, Moved):
                _, epoch, status = self.tokens[change.token_id]
                self.tokens[change.token_id] = (change.owner, epoch + 1, status)
            elif isinstance(change, Marked):
                for token in change.token_ids:
                    if token in self.tokens:
                        owner_, epoch, _ = self.tokens[token]
                        self.tokens[token] = (owner_, epoch, int(change.status))
        return self.tokens


@st.composite
def histories(draw: st.DrawFn) -> list[RawLog]:
    logs: list[RawLog] = []
    minted: list[int] = []
    for block in range(1, draw(st.integers(1, 25))):
        for index in range(draw(st.integers(0, 3))):
            kind = draw(st.sampled_from(["mint", "move", "mark", "redeem"]))
            if kind == "mint" or not minted:
                token = 1 << 16 | len(minted)
                minted.append(token)
                logs.append(transfer(block, ZERO, owner(draw(st.integers(1, 3))), token, index))
                continue
            token = draw(st.sampled_from(minted))
            if kind == "move":
                logs.append(transfer(block, owner(1), owner(draw(st.integers(1, 3))), token, index))
            elif kind == "mark":
                logs.append(log(block, index, [draw(st.sampled_from(WORDS)), word(token)]))
            else:
                logs.append(redeemed(block, token // 128, 1 << 2 * (token % 128), index))
    return logs


def tokens_in(engine: Engine, event_id: UUID) -> dict[int, tuple[bytes, int, int]]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(Token.token_id, Token.owner, Token.epoch, Token.status).where(Token.event_id == event_id)
        )
        return {token: (owner_, epoch, status) for token, owner_, epoch, status in rows}


def store(engine: Engine, logs: Sequence[RawLog]) -> None:
    names = ("block_number", "log_index", "block_hash", "tx_hash", "address", "topics", "data", "count")
    with engine.begin() as connection:
        connection.execute(delete(ChainLog))
        if connection.scalar(select(Chain.id)) is None:
            zero = dict.fromkeys(("start_block", "cursor_number", "final_number", "seen_ms", "created_ms"), 0)
            hashes = {"genesis_hash": bytes(32), "cursor_hash": bytes(32)}
            connection.execute(insert(Chain).values(id=CHAIN, chain_id=1, state="active", **zero, **hashes))
        if logs:
            connection.execute(
                insert(ChainLog), [{"chain": CHAIN, **dict(zip(names, astuple(one), strict=True))} for one in logs]
            )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories(), st.integers(0, 25), st.integers(1, 9))
def test_any_history_applied_in_pieces_taken_back_and_made_again_is_the_chains(
    engine: Engine, logs: list[RawLog], ancestor: int, piece: int
) -> None:
    event_id = uuid4()
    store(engine, logs)
    for start in range(0, len(logs), piece):
        with engine.begin() as connection:
            apply_logs(connection, event_id, logs[start : start + piece])
    expected = Model().run(logs)
    assert tokens_in(engine, event_id) == expected

    before = [one for one in logs if one.block_number <= ancestor]
    earlier = dict(Model().run(before))
    with engine.begin() as connection:
        gone = take_back(connection, CHAIN, CONTRACT, event_id, ancestor)
    assert gone == sorted(set(expected) - set(earlier))
    assert tokens_in(engine, event_id) == earlier

    with engine.begin() as connection:
        connection.execute(delete(Token).where(Token.event_id == event_id))
        derive(connection, CHAIN, CONTRACT, event_id, up_to=1000)
    assert tokens_in(engine, event_id) == expected


def said(log: RawLog) -> dict[str, object]:
    """A log as a node gives it."""
    return {
        "blockNumber": hex(log.block_number),
        "logIndex": hex(log.log_index),
        "blockHash": "0x" + log.block_hash.hex(),
        "transactionHash": "0x" + log.tx_hash.hex(),
        "address": "0x" + log.address.hex(),
        "topics": ["0x" + log.topics[at : at + 32].hex() for at in range(0, len(log.topics), 32)],
        "data": "0x" + log.data.hex(),
    }


def test_a_mints_transfers_kept_as_one_row_mean_what_each_of_them_means(engine: Engine) -> None:
    transaction = word(7)
    mints = [transfer(3, ZERO, owner(2 + place // 2), (1 << 16) + place, place) for place in range(6)]
    gap = transfer(3, ZERO, owner(9), (1 << 16) + 8, 6)
    moved = transfer(3, owner(2), owner(8), 1 << 16, 7)
    logs = [replace(log_, tx_hash=transaction) for log_ in (*mints, gap, moved)]
    block = Block(3, word(3), word(2), 1000, (transaction,))
    packed = _of_block(block, [said(log_) for log_ in reversed(logs)])
    assert [log_.count for log_ in packed] == [6, 1, 1]
    assert len(packed[0].data) == 6 * 20
    one_by_one, together = uuid4(), uuid4()
    with engine.begin() as connection:
        apply_logs(connection, one_by_one, logs)
        apply_logs(connection, together, packed)
    assert tokens_in(engine, together) == tokens_in(engine, one_by_one) == Model().run(logs)
    store(engine, packed)
    again = uuid4()
    with engine.begin() as connection:
        derive(connection, CHAIN, CONTRACT, again, up_to=3)
    assert tokens_in(engine, again) == Model().run(logs)
    with pytest.raises(BrokenRunError):
        _of_block(replace(block, hash=word(4)), [said(mints[0])])

"""Send again what a rolled-back chain lost, ours and other people's, in order and at its blocks' times (design 8).

`plan_replay` says beforehand what can't be brought back: a transaction whose bytes the node never gave us, one whose
sender did something else in between, one that needs a foreign contract or money that is not there. Tickets that such a
transaction concerned are suspended until somebody has settled them; the diagnosis names both.

On a development chain the blocks are made again at their times, so that deadlines and freezes hold; identical bytes get
identical hashes. Elsewhere the transactions are sent in their order and the chain decides about the time. Killed in the
middle, it begins again: on a development chain from the common block, elsewhere with bytes that the node knows already.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any
from uuid import UUID

import rlp
from sqlalchemy import Connection, Engine, Row, select, update

from backend.chain.logs import RawLog, decode, tokens_of
from backend.chain.rpc import Call, Node, RpcError, one
from backend.db.engine import read
from backend.db.tables.chain import ChainAttempt, ChainContract, ChainLog, ChainTransaction
from backend.db.tables.orders import Ticket

STEP_SECONDS = 60.0  # deadline of a block that is made again; it may hold hundreds of batches
MIN_RAW_BYTES = 2
NAMED = 1_000  # tokens and transactions that a diagnosis lists one by one


@dataclass(frozen=True, slots=True)
class Sent:
    """A stored transaction. `to` None makes a contract; `cost` is the most it may take from its sender, in wei."""

    hash: bytes
    raw: bytes
    sender: bytes
    to: bytes | None
    cost: int


@dataclass(frozen=True, slots=True)
class Step:
    """A block to be made again, at its time (Unix seconds) and base fee."""

    number: int
    timestamp: int
    transactions: tuple[Sent, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """A transaction that can't be brought back, why, and the tokens (event, id) it concerned."""

    hash: bytes
    sender: bytes
    reason: str  # raw_missing | nonce_gap | nonce_used | no_balance | foreign_contract | refused | reverted
    tokens: tuple[tuple[UUID, int], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent again above the common block, with the ids of the tokens it concerns, and what can't be."""

    ancestor: int
    steps: tuple[Step, ...]
    lost: tuple[Lost, ...] = field(default=())
    tokens: tuple[int, ...] = field(default=())

    @property
    def count(self) -> int:
        return sum(len(step.transactions) for step in self.steps)


def plan_replay(engine: Engine, node: Node, chain: int, ancestor: int) -> Plan:
    """What of the transactions above the block `ancestor` the node can be given again; raises `NodeError`."""
    with read(engine) as connection:
        rows = _stored(connection, chain, ancestor)
        tokens = _tokens_by_hash(connection, chain, ancestor)
        ours = set(connection.scalars(select(ChainContract.address).where(ChainContract.chain == chain)))
        signed = set(connection.scalars(select(ChainAttempt.hash).where(ChainAttempt.chain == chain)))
    there = _Accounts(node, ancestor)
    there.look({row.sender for row in rows}, {to for row in rows if (to := _target(row.raw)) and to not in ours})
    sound: list[tuple[Row[Any], Sent]] = []
    lost: list[Lost] = []
    for row in rows:
        reason = there.why_not(row, ours)
        if reason is None:
            sound.append((row, _sent(row)))
        elif row.hash not in signed:  # the relayer looks after our own
            lost.append(Lost(row.hash, row.sender, reason, tokens.get(row.hash, ())))
    steps = [
        Step(number, pairs[0][0].timestamp, tuple(sent for _row, sent in pairs))
        for number, group in groupby(sound, key=lambda pair: pair[0].block_number)
        if (pairs := list(group))
    ]
    concerned = {token for _row, sent in sound for _event_id, token in tokens.get(sent.hash, ())}
    return Plan(ancestor, tuple(steps), tuple(lost), tuple(sorted(concerned)))


def play(node: Node, plan: Plan, keep: Callable[[], object]) -> list[tuple[bytes, str]]:
    """Send it; hash and reason of each that was refused or reverted. `keep` is called between blocks."""
    rewinds = not isinstance(node.batch([Call("anvil_nodeInfo")])[0], RpcError)
    failed: list[tuple[bytes, str]] = []
    if not rewinds:
        for step in plan.steps:
            keep()
            failed += _send(node, step)
        return failed
    interval = node.call("anvil_getIntervalMining") or 0
    node.call("evm_setIntervalMining", 0)
    try:
        head = int(node.call("eth_blockNumber"), 16)
        if head > plan.ancestor:
            node.call("anvil_rollback", head - plan.ancestor, deadline_seconds=STEP_SECONDS)
        for step in plan.steps:
            keep()
            failed += _make_again(node, step)
    finally:
        node.call("evm_setTime", hex(_now(node)))
        node.call("evm_setIntervalMining", interval)
    return failed


def with_failed(engine: Engine, chain: int, plan: Plan, failed: Sequence[tuple[bytes, str]]) -> Plan:
    """The plan with what turned out not to work among what is lost."""
    with read(engine) as connection:
        tokens = _tokens_by_hash(connection, chain, plan.ancestor)
        signed = set(connection.scalars(select(ChainAttempt.hash).where(ChainAttempt.chain == chain)))
    senders = {sent.hash: sent.sender for step in plan.steps for sent in step.transactions}
    more = [
        Lost(hash_, senders[hash_], reason, tokens[hash_])
        for hash_, reason in failed
        if hash_ in tokens and hash_ not in signed
    ]
    return replace(plan, lost=(*plan.lost, *more))


def settle_lost(connection: Connection, chain: int, lost: Sequence[Lost]) -> None:
    """Give up what can't be sent again, and suspend the tickets it concerned until they are settled."""
    for one_lost in lost:
        mine = (ChainTransaction.chain == chain) & (ChainTransaction.hash == one_lost.hash)
        connection.execute(update(ChainTransaction).where(mine).values(given_up=one_lost.reason))
        for event_id, token in one_lost.tokens:
            ticket = (Ticket.event_id == event_id) & (Ticket.token_id == token) & (Ticket.state == "valid")
            connection.execute(update(Ticket).where(ticket).values(state="suspended"))


def as_detail(plan: Plan) -> dict[str, Any]:
    """For the diagnosis's row and the report."""
    return {
        "replayed": plan.count,
        "tokens_replayed": list(plan.tokens[:NAMED]),
        "hashes_replayed": ["0x" + sent.hash.hex() for step in plan.steps for sent in step.transactions][:NAMED],
        "not_reproduced": [
            {
                "hash": "0x" + lost.hash.hex(),
                "sender": "0x" + lost.sender.hex(),
                "reason": lost.reason,
                "tokens": [{"event": str(event_id), "token_id": token} for event_id, token in lost.tokens],
            }
            for lost in plan.lost
        ],
    }


# --- what is stored ---------------------------------------------------------------------------------------------------


def _stored(connection: Connection, chain: int, ancestor: int) -> Sequence[Row[Any]]:
    """Transactions above the common block, still there or lost before and not given up, in the chain's order."""
    query = (
        select(ChainTransaction.__table__)
        .where(ChainTransaction.chain == chain, ChainTransaction.block_number > ancestor)
        .where(ChainTransaction.given_up.is_(None))
        .order_by(ChainTransaction.block_number, ChainTransaction.position)
    )
    return connection.execute(query).all()


def _tokens_by_hash(connection: Connection, chain: int, ancestor: int) -> Mapping[bytes, tuple[tuple[UUID, int], ...]]:
    """The tokens that each transaction above the block changed."""
    columns = (
        *(ChainLog.block_number, ChainLog.log_index, ChainLog.block_hash, ChainLog.tx_hash),
        *(ChainLog.address, ChainLog.topics, ChainLog.data, ChainLog.count),
    )
    query = (
        select(*columns, ChainContract.event_id)
        .join(ChainContract, (ChainContract.chain == ChainLog.chain) & (ChainContract.address == ChainLog.address))
        .where(ChainLog.chain == chain, ChainLog.block_number > ancestor)
    )
    found: dict[bytes, tuple[tuple[UUID, int], ...]] = {}
    for row in connection.execute(query):
        raw, event_id = RawLog(*row[:-1]), row.event_id
        more = () if event_id is None else tuple((event_id, token) for token in tokens_of(decode(raw)))
        found[raw.tx_hash] = (*found.get(raw.tx_hash, ()), *more)
    return found


def _sent(row: Row[Any]) -> Sent:
    return Sent(row.hash, row.raw, row.sender, _target(row.raw), _cost(row.raw))


def _fields(raw: bytes) -> tuple[int, list[Any]]:
    """Type and fields of a signed transaction (EIP-2718); legacy ones are type 0."""
    return (0, rlp.decode(raw)) if raw[0] >= 0xC0 else (raw[0], rlp.decode(raw[1:]))


def _target(raw: bytes | None) -> bytes | None:
    if raw is None or len(raw) < MIN_RAW_BYTES:
        return None
    kind, fields = _fields(raw)
    return bytes(fields[{0: 3, 1: 4}.get(kind, 5)]) or None


def _cost(raw: bytes) -> int:
    kind, fields = _fields(raw)
    price, gas, value = {0: (1, 2, 4), 1: (2, 3, 5)}.get(kind, (3, 4, 6))
    return sum((_int(fields[price]) * _int(fields[gas]), _int(fields[value])))


def _int(data: bytes) -> int:
    return int.from_bytes(data)


# --- what the node has ------------------------------------------------------------------------------------------------


class _Accounts:
    """Accounts as of the common block, brought forward along the plan."""

    def __init__(self, node: Node, ancestor: int) -> None:
        self._node, self._at = node, hex(ancestor)
        self._nonces: dict[bytes, int] = {}
        self._balances: dict[bytes, int] = {}
        self._code: set[bytes] = set()

    def look(self, senders: set[bytes], targets: set[bytes]) -> None:
        """Ask for all that `why_not` needs."""
        people, contracts = sorted(senders), sorted(targets)
        self._nonces = dict(zip(people, map(_number, self._ask("eth_getTransactionCount", people)), strict=True))
        self._balances = dict(zip(people, map(_number, self._ask("eth_getBalance", people)), strict=True))
        codes = self._ask("eth_getCode", contracts)
        self._code = {address for address, code in zip(contracts, codes, strict=True) if code not in ("0x", None)}

    def why_not(self, row: Row[Any], ours: set[bytes]) -> str | None:
        """Why this transaction can't follow those before it; None if it can."""
        if row.raw is None:
            return "raw_missing"
        if row.nonce != self._nonces[row.sender]:
            return "nonce_gap" if row.nonce > self._nonces[row.sender] else "nonce_used"
        sent = _sent(row)
        if sent.to is not None and sent.to not in ours and sent.to not in self._code and sent.to != row.sender:
            return "foreign_contract"
        if sent.cost > self._balances[row.sender]:
            return "no_balance"
        self._nonces[row.sender] += 1
        return None

    def _ask(self, method: str, addresses: Sequence[bytes]) -> list[Any]:
        """As of the common block, or as of now where the node has forgotten that state."""
        answers = self._node.batch([Call(method, ("0x" + address.hex(), self._at)) for address in addresses])
        if any(isinstance(answer, RpcError) for answer in answers):
            answers = self._node.batch([Call(method, ("0x" + address.hex(), "latest")) for address in addresses])
        return [one(answer) for answer in answers]


def _number(text: str) -> int:
    return int(text, 16)


# --- send -------------------------------------------------------------------------------------------------------------


def _make_again(node: Node, step: Step) -> list[tuple[bytes, str]]:
    """One block of a development chain, at its time."""
    node.batch([Call("evm_setNextBlockTimestamp", (hex(step.timestamp),))])  # before the last block: it stays as it is
    node.call("anvil_setNextBlockBaseFeePerGas", hex(1))  # so that no offer of then is too low now
    failed = _send(node, step)
    node.call("evm_mine", deadline_seconds=STEP_SECONDS)
    gone = {hash_ for hash_, _reason in failed}
    asked = [sent for sent in step.transactions if sent.hash not in gone]
    receipts = node.batch([Call("eth_getTransactionReceipt", ("0x" + sent.hash.hex(),)) for sent in asked])
    for sent, receipt in zip(asked, map(one, receipts), strict=True):
        if receipt is None:
            failed.append((sent.hash, "refused"))
        elif int(receipt["status"], 16) != 1:
            failed.append((sent.hash, "reverted"))
    return failed


def _send(node: Node, step: Step) -> list[tuple[bytes, str]]:
    calls = [Call("eth_sendRawTransaction", ("0x" + sent.raw.hex(),)) for sent in step.transactions]
    answers = node.batch(calls, STEP_SECONDS)
    return [
        (sent.hash, "refused")
        for sent, answer in zip(step.transactions, answers, strict=True)
        if isinstance(answer, RpcError) and "already" not in answer.message.lower()
    ]


def _now(node: Node) -> int:
    """The node's time goes on from ours, and never back."""
    latest = node.call("eth_getBlockByNumber", "latest", False)
    return max(int(time.time()), int(latest["timestamp"], 16) + 1)

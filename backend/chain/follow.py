"""Follow the chain: look, diagnose, answer. One round of `follow` is all there is, on a good day and after any fault.

Of several endpoints the first that has our blocks is followed; one that lags, forks or does not answer is passed over
as long as another is well. What is found of the chosen one is told in `chain_diagnoses`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, Row, insert, select, update

from backend.chain import diagnoses, indexer, replay
from backend.chain.deploy import is_our_code
from backend.chain.diagnosis import Diagnosis, Kind
from backend.chain.leases import HeldLease, LeaseLostError, require_held, take
from backend.chain.observe import FirstLook, Sight, block_hash, examine, first_look
from backend.chain.rewind import rewind
from backend.chain.rpc import Call, Node, NodeError, one
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainBlock, ChainContract
from backend.killpoints import reach

GONE_SECONDS = 20.0  # a node that stays this long below our blocks, and makes none, has lost them
STUCK_SECONDS = 15.0  # after which another endpoint's higher head is preferred
SEEN_MS = 3_000  # how old "last heard" may become while nothing else is written


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found, what it did, and the node that can be relayed through, if any."""

    diagnosis: Diagnosis
    blocks: int = 0
    node: Node | None = None


class Follower:
    """Follows one chain instance. Not for use by several threads at once."""

    def __init__(
        self,
        engine: Engine,
        chain_id: int,
        finality_blocks: int,
        rewinds_by_itself: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._chain_id, self._finality = engine, chain_id, finality_blocks
        self._rewinds_by_itself = rewinds_by_itself  # beyond finality
        self._monotonic = monotonic
        self._heads: dict[str, tuple[int, float]] = {}  # endpoint -> its head, and since when it is that

    def follow(self, nodes: Sequence[Node], held: HeldLease) -> Round:
        """Choose a node and do what its state asks for. Node failures are a diagnosis, not an exception."""
        failures: dict[str, str] = {}
        chosen = self._choose(nodes, held, failures)
        if chosen is None:
            silent = min((node.silent_seconds for node in nodes), default=0.0)
            self._note(held, Kind.UNREACHABLE, {"endpoints": failures}, silent)
            return Round(Diagnosis(Kind.UNREACHABLE))
        node, sight = chosen
        try:
            return self._answer(node, held, sight)
        except NodeError as error:  # it went away between two questions
            self._note(held, Kind.UNREACHABLE, {"endpoints": {node.name: str(error)}}, node.silent_seconds)
            return Round(Diagnosis(Kind.UNREACHABLE))

    # --- choose -------------------------------------------------------------------------------------------------------

    def _choose(self, nodes: Sequence[Node], held: HeldLease, failures: dict[str, str]) -> tuple[Node, Sight] | None:
        """The first node that is well; if it makes no blocks, one that does; else the first that answers at all."""
        seen: list[tuple[Node, Sight]] = []
        for node in nodes:
            try:
                sight = self._look(node, held)
            except NodeError as error:
                failures[node.name] = getattr(error, "reason", str(error))
                continue
            seen.append((node, sight))
            if sight.diagnosis.kind is Kind.OK and not self._is_stuck(node):
                break
        well = [pair for pair in seen if pair[1].diagnosis.kind is Kind.OK]
        if well:
            return max(well, key=lambda pair: pair[1].head_number)
        return seen[0] if seen else None

    def _look(self, node: Node, held: HeldLease) -> Sight:
        chain = current_chain(self._engine)
        if chain is None:
            first = first_look(node)
            if first.chain_id != self._chain_id:
                return Sight(Diagnosis(Kind.WIPED, reason="chain_id"), first.head_number)
            self._take_up(node, held, first)
            return Sight(Diagnosis(Kind.OK), first.head_number)
        sight = examine(self._engine, node, chain)
        head, since = self._heads.get(node.name, (-1, 0.0))
        if head != sight.head_number:
            self._heads[node.name] = (sight.head_number, self._monotonic())
        elif sight.diagnosis.kind is Kind.BEHIND and self._rewinds_by_itself and self._since(since) > GONE_SECONDS:
            return Sight(Diagnosis(Kind.ROLLED_BACK, sight.diagnosis.ancestor, "gone"), sight.head_number)
        return sight

    def _is_stuck(self, node: Node) -> bool:
        return self._since(self._heads.get(node.name, (0, self._monotonic()))[1]) > STUCK_SECONDS

    def _since(self, moment: float) -> float:
        return self._monotonic() - moment

    def _take_up(self, node: Node, held: HeldLease, first: FirstLook) -> None:
        """Follow this chain from its last final block on: nothing of ours can be below."""
        start = max(0, first.head_number - self._finality)
        hash_ = block_hash(node, start)
        with self._engine.begin() as connection:
            require_held(connection, held)
            now = now_ms(connection)
            numbers = {"start_block": start, "cursor_number": start, "final_number": start}
            hashes = {"genesis_hash": first.genesis_hash, "cursor_hash": hash_}
            made = connection.execute(
                insert(Chain)
                .values(chain_id=first.chain_id, state="active", seen_ms=now, created_ms=now, **numbers, **hashes)
                .returning(Chain.id)
            ).scalar_one()
            row = {"chain": made, "number": start, "hash": hash_, "parent_hash": bytes(32), "timestamp": 0}
            connection.execute(insert(ChainBlock).values(row))

    # --- answer -------------------------------------------------------------------------------------------------------

    def _answer(self, node: Node, held: HeldLease, sight: Sight) -> Round:
        found, chain = sight.diagnosis, current_chain(self._engine)
        if found.kind is Kind.WIPED or chain is None:
            self._freeze(held)
            self._note(held, Kind.WIPED, {"reason": found.reason})
            return Round(found)
        if found.kind is Kind.OK:
            blocks = indexer.advance(self._engine, node, held, chain.id, sight.head_number, self._finality)
            if not self._pin(node, held, chain):
                self._note(held, Kind.WIPED, {"reason": "code"})
                return Round(Diagnosis(Kind.WIPED, reason="code"), blocks)
            self._note(held, Kind.OK, {})
            return Round(found, blocks, node)
        self._note(held, found.kind, {"head": sight.head_number, "ancestor": found.ancestor, "reason": found.reason})
        if found.kind is not Kind.BEHIND and found.ancestor is not None and self._may_rewind(found.kind):
            if found.kind is Kind.ROLLED_BACK and not self._is_replayed(found.ancestor):
                self._replay(node, held, chain.id, found.ancestor)
                return Round(found, 1)  # the next look finds the branch that was made
            rewound = rewind(
                self._engine, node, held, chain.id, found.ancestor, sight.head_number, self._finality, found.kind
            )
            return Round(found, len(rewound.jobs) + 1)
        return Round(found)

    def _may_rewind(self, kind: Kind) -> bool:
        """Within finality always; beyond it on a development chain, else once an operator has allowed it."""
        if kind is Kind.REORGANISED or self._rewinds_by_itself:
            return True
        with read(self._engine) as connection:
            return any(row.detail.get("allowed") for row in diagnoses.open_rows(connection, kind))

    def _is_replayed(self, ancestor: int) -> bool:
        with read(self._engine) as connection:
            rows = diagnoses.open_rows(connection, Kind.ROLLED_BACK)
        return any(row.detail.get("replayed_from") == ancestor for row in rows)

    def _replay(self, node: Node, held: HeldLease, chain: int, ancestor: int) -> None:
        """Give the node back what it lost, and tell what it can't be given; then swap (SPEC 10.5)."""

        def keep() -> None:
            if take(self._engine, held.name, held.holder) != held:
                raise LeaseLostError(held.name)

        plan = replay.plan_replay(self._engine, node, chain, ancestor)
        failed = replay.play(node, plan, keep)
        plan = replay.with_failed(self._engine, chain, plan, failed)
        reach("replay.played")
        with self._engine.begin() as connection:
            require_held(connection, held)
            replay.settle_lost(connection, chain, plan.lost)
            detail = {**replay.as_detail(plan), "replayed_from": ancestor}
            diagnoses.add_detail(connection, Kind.ROLLED_BACK, detail)

    def _pin(self, node: Node, held: HeldLease, chain: Row[Any]) -> bool:
        """Write down the code of contracts of ours that were just born; False if it is not the code we deployed.

        Also thaws a chain that was frozen and is itself again.
        """
        with read(self._engine) as connection:
            born = unpinned(connection, chain.id)
        if not born and chain.state == "active":
            return True
        answers = node.batch([Call("eth_getCode", ("0x" + row.address.hex(), "latest")) for row in born])
        codes = [bytes.fromhex(one(answer)[2:]) for answer in answers]
        with self._engine.begin() as connection:
            require_held(connection, held)
            connection.execute(update(Chain).where(Chain.id == chain.id).values(state="active"))
            for row, code in zip(born, codes, strict=True):
                if not is_our_code(connection, chain.id, row, code):
                    connection.execute(update(Chain).where(Chain.id == chain.id).values(state="frozen"))
                    return False
                mine = (ChainContract.chain == chain.id) & (ChainContract.address == row.address)
                connection.execute(update(ChainContract).where(mine).values(code_hash=keccak(code)))
        return True

    def _freeze(self, held: HeldLease) -> None:
        chain = current_chain(self._engine)
        if chain is not None and chain.state == "active":
            with self._engine.begin() as connection:
                require_held(connection, held)
                connection.execute(update(Chain).where(Chain.id == chain.id).values(state="frozen"))

    def _note(self, held: HeldLease, kind: Kind, detail: dict[str, Any], silent_seconds: float = 0.0) -> None:
        """Tell what was found, and that the node was heard; writes only what changed.

        A node that hangs was silent for as long as we waited: the trouble began then, and people hear of it sooner.
        """
        chain = current_chain(self._engine)
        with read(self._engine) as connection:
            heard = kind is Kind.UNREACHABLE or chain is None or now_ms(connection) - chain.seen_ms < SEEN_MS
            if heard and not diagnoses.changes(connection, kind):
                return
        with self._engine.begin() as connection:
            require_held(connection, held)
            now = now_ms(connection)
            since = now - round(1000 * silent_seconds)
            diagnoses.note(connection, None if chain is None else chain.id, kind, detail, since)
            if chain is not None and kind is not Kind.UNREACHABLE:
                connection.execute(update(Chain).where(Chain.id == chain.id).values(seen_ms=now))


def current_chain(engine: Engine) -> Row[Any] | None:
    """The chain instance we follow, active or frozen; none before the first contact with a node."""
    query = select(Chain.__table__).where(Chain.state != "retired").order_by(Chain.id.desc()).limit(1)
    with read(engine) as connection:
        return connection.execute(query).one_or_none()


def unpinned(connection: Connection, chain: int) -> Sequence[Row[Any]]:
    """Contracts of ours that were born, but whose code hash is not pinned yet."""
    born = ChainContract.block_number.is_not(None) & ChainContract.code_hash.is_(None)
    return connection.execute(select(ChainContract.__table__).where(ChainContract.chain == chain, born)).all()

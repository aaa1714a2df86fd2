"""Follow the chain: look, diagnose, answer. One round of `follow` is all there is, on a good day and after any fault.

What was found is told in `chain_diagnoses`: a row opens when a state begins and closes when it has passed, so that
status pages and operators see what is wrong since when, and what was done about it.
"""

from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak
from sqlalchemy import Connection, Engine, func, insert, select, update

from backend.chain import indexer
from backend.chain.diagnosis import Diagnosis, Kind, diagnose
from backend.chain.leases import HeldLease, require_held
from backend.chain.observe import first_look, known_of, look
from backend.chain.rewind import rewind
from backend.chain.rpc import Call, Node, NodeError, one
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Chain, ChainContract, ChainJob
from backend.db.models import Diagnosis as DiagnosisRow

_PASSING = (Kind.UNREACHABLE, Kind.BEHIND)  # over as soon as they are not found again


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found and did."""

    diagnosis: Diagnosis
    blocks: int = 0


class Follower:
    """Follows one chain instance through one node at a time. Not for use by several threads at once."""

    def __init__(self, engine: Engine, chain_id: int, finality_blocks: int, rewinds_by_itself: bool) -> None:
        self._engine = engine
        self._chain_id = chain_id
        self._finality = finality_blocks
        self._rewinds_by_itself = rewinds_by_itself  # beyond finality

    def follow(self, node: Node, held: HeldLease) -> Round:
        """Look at the node and do what its state asks for. Node failures are a diagnosis, not an exception."""
        try:
            chain = self.chain(node, held)
            with read(self._engine) as connection:
                known = known_of(connection, chain)
            seen = look(node, known)
            diagnosis = diagnose(known, seen)
            return Round(diagnosis, self._answer(node, held, chain, diagnosis, seen.head_number))
        except NodeError as error:
            diagnosis = diagnose_unreachable()
            self._note(held, current_chain(self._engine, self._chain_id), diagnosis, {"reason": str(error)})
            return Round(diagnosis)

    def chain(self, node: Node, held: HeldLease) -> int:
        """The chain instance we follow; made at the first contact with a chain of this id."""
        known = current_chain(self._engine, self._chain_id)
        if known is not None:
            return known
        chain_id, genesis, number, hash_ = first_look(node)
        if chain_id != self._chain_id:
            raise NodeError(f"the node is on chain {chain_id}, we are on chain {self._chain_id}")
        with self._engine.begin() as connection:
            require_held(connection, held)
            now = now_ms(connection)
            made = connection.execute(
                insert(Chain)
                .values(
                    chain_id=chain_id,
                    genesis_hash=genesis,
                    state="active",
                    start_block=number,
                    cursor_number=number,
                    cursor_hash=hash_,
                    final_number=max(0, number - self._finality),
                    seen_ms=now,
                    created_ms=now,
                )
                .returning(Chain.id)
            )
            return int(made.scalar_one())

    def _answer(self, node: Node, held: HeldLease, chain: int, diagnosis: Diagnosis, head: int) -> int:
        if diagnosis.kind is Kind.OK:
            blocks = indexer.advance(self._engine, node, held, chain, head, self._finality)
            self._pin(node, held, chain)
            self._note(held, chain, diagnosis, {})
            return blocks
        if diagnosis.kind is Kind.WIPED:
            self._freeze(held, chain)
            self._note(held, chain, diagnosis, {"reason": diagnosis.reason})
            return 0
        may = diagnosis.kind is Kind.REORGANISED or self._rewinds_by_itself
        if diagnosis.kind is Kind.BEHIND or not may or diagnosis.ancestor is None:
            self._note(held, chain, diagnosis, {"head": head, "ancestor": diagnosis.ancestor})
            return 0
        rewound = rewind(self._engine, node, held, chain, diagnosis.ancestor, head, self._finality)
        self._note(held, chain, diagnosis, rewound.as_detail())
        return 0

    def _pin(self, node: Node, held: HeldLease, chain: int) -> None:
        """Write down the code of contracts of ours that were just born, and thaw a chain that is itself again."""
        with read(self._engine) as connection:
            addresses = unpinned(connection, chain)
            frozen = connection.scalar(select(Chain.state).where(Chain.id == chain)) == "frozen"
        if not addresses and not frozen:
            return
        answers = node.batch([Call("eth_getCode", ("0x" + address.hex(), "latest")) for address in addresses])
        codes = [bytes.fromhex(one(answer)[2:]) for answer in answers]
        with self._engine.begin() as connection:
            require_held(connection, held)
            connection.execute(update(Chain).where(Chain.id == chain, Chain.state == "frozen").values(state="active"))
            for address, code in zip(addresses, codes, strict=True):
                if code:
                    row = (ChainContract.chain == chain) & (ChainContract.address == address)
                    connection.execute(update(ChainContract).where(row).values(code_hash=keccak(code)))

    def _freeze(self, held: HeldLease, chain: int) -> None:
        with self._engine.begin() as connection:
            require_held(connection, held)
            connection.execute(update(Chain).where(Chain.id == chain).values(state="frozen"))

    def _note(self, held: HeldLease, chain: int | None, found: Diagnosis, detail: dict[str, Any]) -> None:
        """Open what begins, close what has passed."""
        with self._engine.begin() as connection:
            require_held(connection, held)
            now = now_ms(connection)
            if found.kind is not Kind.UNREACHABLE and chain is not None:
                connection.execute(update(Chain).where(Chain.id == chain).values(seen_ms=now))
            rows = connection.execute(select(DiagnosisRow.__table__).where(DiagnosisRow.closed_ms.is_(None))).all()
            for row in rows:
                if row.kind != found.kind and _has_passed(connection, row, found.kind):
                    connection.execute(update(DiagnosisRow).where(DiagnosisRow.id == row.id).values(closed_ms=now))
            rewound = found.kind in (Kind.REORGANISED, Kind.ROLLED_BACK) and "jobs" in detail
            if found.kind is not Kind.OK and (rewound or found.kind not in {row.kind for row in rows}):
                connection.execute(
                    insert(DiagnosisRow).values(chain=chain, kind=found.kind.value, detail=detail, opened_ms=now)
                )


def current_chain(engine: Engine, chain_id: int) -> int | None:
    """The chain instance that counts: the newest one that is not retired."""
    with read(engine) as connection:
        query = select(func.max(Chain.id)).where(Chain.chain_id == chain_id, Chain.state != "retired")
        return connection.scalar(query)


def unpinned(connection: Connection, chain: int) -> list[bytes]:
    """Contracts of ours that were born, but whose code hash is not pinned yet."""
    return list(
        connection.scalars(
            select(ChainContract.address).where(
                ChainContract.chain == chain,
                ChainContract.block_number.is_not(None),
                ChainContract.code_hash.is_(None),
            )
        )
    )


def diagnose_unreachable() -> Diagnosis:
    """The diagnosis of a node that gave no proper answer."""
    return Diagnosis(Kind.UNREACHABLE)


def _has_passed(connection: Connection, row: Any, now_found: Kind) -> bool:  # noqa: ANN401 - a row
    """Whether an open diagnosis is over, given what was found now."""
    if row.kind in _PASSING:
        return True
    if now_found is not Kind.OK:
        return False
    jobs = row.detail.get("jobs", [])
    waiting = select(func.count()).where(ChainJob.id.in_(jobs), ChainJob.state.in_(("queued", "signed", "sent")))
    return not jobs or connection.scalar(waiting) == 0

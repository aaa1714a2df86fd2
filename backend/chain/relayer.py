"""T2: take queued jobs, allot nonces, sign, store, and only then send what is stored (design 8, SPEC 10.3).

Promises: nothing is sent that was not committed before; a nonce is the row that names it, never a counter; retries send
identical bytes; a higher fee is a further attempt on the same nonce. Every transaction checks the lease, so that a
leader that stalled and woke writes nothing; what it may still send are bytes that its successor would send as well.

`step` is the only way work is done, after a crash as well: it looks at the rows and at the node's own count of our
transactions, and does what is missing. A node that forgot transactions, or was rolled back, gets them again by this
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.orm import aliased

from backend.chain.deploy import Slot
from backend.chain.fees import bumped_fees, first_fees
from backend.chain.keys import Fees, RelayerKey
from backend.chain.leases import HeldLease, require_held
from backend.chain.rpc import Call, Node, RpcError, one
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.models import Chain, ChainAttempt, ChainJob, ChainNonce
from backend.killpoints import reach

MAX_IN_FLIGHT = 16  # transactions signed and not yet mined; more would only age in the node's pool
RESEND_SECONDS = 10  # a node that took a transaction and did not mine it gets it again
BUMP_SECONDS = 30  # then it is offered more

# (to address, calldata) of a job that is to get this slot; None while it can't be said yet.
Complete = Callable[[Connection, Slot, Row[Any]], tuple[bytes | None, bytes] | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step did."""

    signed: int
    sent: int
    refused: int


class Relayer:
    """Relays for one chain instance with one key. Not for use by several threads at once."""

    def __init__(self, engine: Engine, node: Node, key: RelayerKey, chain: int, complete: Complete) -> None:
        self._engine = engine
        self._node = node
        self._key = key
        self._chain = chain
        self._complete = complete

    def step(self, held: HeldLease) -> Progress:
        """Sign what is queued and send what the node lacks. Raises `NodeError`, `LeaseLostError`, database errors."""
        account = "0x" + self._key.address.hex()
        answers = self._node.batch(
            [Call("eth_getTransactionCount", (account, "latest")), Call("eth_getBlockByNumber", ("latest", False))]
        )
        mined, base_fee = int(one(answers[0]), 16), int(one(answers[1]).get("baseFeePerGas") or "0x0", 16)
        signed = self._sign_queued(held, mined, base_fee)
        self._bump_stuck(held, mined, base_fee)
        sent, refused = self._send_missing(held, mined)
        return Progress(signed, sent, refused)

    def requeue_displaced(self, held: HeldLease, final_number: int) -> int:
        """Queue again what never happened although its nonce is used up for good; how many.

        Somebody else used our key, or a job reverted: the index, which has applied every block up to `final_number`
        (the caller's word), knows no success for a nonce that is spent there. A mint done twice changes nothing.
        """
        account = "0x" + self._key.address.hex()
        spent = int(self._node.call("eth_getTransactionCount", account, hex(final_number)), 16)
        with self._engine.begin() as connection:
            require_held(connection, held)
            jobs = select(ChainNonce.job_id).where(
                ChainNonce.chain == self._chain, ChainNonce.signer == self._key.address, ChainNonce.nonce < spent
            )
            lost = update(ChainJob).where(ChainJob.id.in_(jobs), ChainJob.state.in_(("signed", "sent")))
            return connection.execute(lost.values(state="queued", changed_ms=now_ms(connection))).rowcount

    # --- allot, sign, store -------------------------------------------------------------------------------------------

    def _sign_queued(self, held: HeldLease, mined: int, base_fee: int) -> int:
        with self._engine.begin() as connection:
            require_held(connection, held)
            chain = _active(connection, self._chain)
            if chain is None:
                return 0
            nonce = max(mined, self._next_nonce(connection))
            signed = 0
            while fresh := self._sign_some(connection, nonce + signed, mined, first_fees(base_fee), chain.chain_id):
                signed += fresh  # what was just signed may be what others waited for
            reach("relayer.signed")
        if signed:
            reach("relayer.stored")
        return signed

    def _sign_some(self, connection: Connection, nonce: int, mined: int, fees: Fees, chain_id: int) -> int:
        signed = 0
        for job in self._signable(connection, limit=max(0, MAX_IN_FLIGHT - (nonce - mined))):
            target = self._complete(connection, Slot(self._chain, self._key.address, nonce + signed), job)
            if target is not None:
                self._store(connection, job, target, nonce + signed, fees, chain_id)
                signed += 1
        return signed

    def _next_nonce(self, connection: Connection) -> int:
        mine = (ChainNonce.chain == self._chain) & (ChainNonce.signer == self._key.address)
        highest = connection.scalar(select(func.max(ChainNonce.nonce)).where(mine))
        return 0 if highest is None else highest + 1

    def _signable(self, connection: Connection, limit: int) -> Sequence[Row[Any]]:
        """Queued jobs whose parent has a lower nonce already: the chain keeps their order."""
        parent = aliased(ChainJob)
        query = (
            select(ChainJob.__table__)
            .outerjoin(parent, ChainJob.depends_on == parent.id)
            .where(ChainJob.state == "queued")
            .where(parent.id.is_(None) | parent.state.in_(("signed", "sent", "included", "final")))
            .order_by(ChainJob.id)
            .limit(limit)
        )
        return connection.execute(query).all()

    def _store(
        self,
        connection: Connection,
        job: Row[Any],
        target: tuple[bytes | None, bytes],
        nonce: int,
        fees: Fees,
        chain_id: int,
    ) -> None:
        to_address, calldata = target
        now = now_ms(connection)
        connection.execute(
            insert(ChainNonce).values(chain=self._chain, signer=self._key.address, nonce=nonce, job_id=job.id)
        )
        connection.execute(
            update(ChainJob)
            .where(ChainJob.id == job.id)
            .values(state="signed", chain=self._chain, to_address=to_address, calldata=calldata, changed_ms=now)
        )
        self._attempt(connection, nonce, fees, chain_id, job.gas_limit, target, now)

    def _attempt(
        self,
        connection: Connection,
        nonce: int,
        fees: Fees,
        chain_id: int,
        gas_limit: int,
        target: tuple[bytes | None, bytes],
        now: int,
    ) -> None:
        made = self._key.sign(chain_id, nonce, fees, gas_limit, *target)
        connection.execute(
            insert(ChainAttempt).values(
                hash=made.hash,
                chain=self._chain,
                signer=self._key.address,
                nonce=nonce,
                raw=made.raw,
                max_fee=fees.max_fee,
                priority_fee=fees.priority_fee,
                signed_ms=now,
                sends=0,
            )
        )

    def _bump_stuck(self, held: HeldLease, mined: int, base_fee: int) -> None:
        """Offer more for the next transaction to be mined, if it has waited too long; all others wait behind it."""
        with self._engine.begin() as connection:
            require_held(connection, held)
            chain = _active(connection, self._chain)
            stuck = next(iter(self._newest_attempts(connection, mined, limit=1)), None)
            if chain is None or stuck is None or stuck.nonce != mined or stuck.accepted_ms is None:
                return
            now = now_ms(connection)
            if now - stuck.signed_ms < BUMP_SECONDS * 1000:
                return
            fees = bumped_fees(Fees(stuck.max_fee, stuck.priority_fee), base_fee)
            job = connection.execute(
                select(ChainJob.__table__)
                .join(ChainNonce, ChainNonce.job_id == ChainJob.id)
                .where(ChainNonce.chain == self._chain, ChainNonce.signer == self._key.address)
                .where(ChainNonce.nonce == mined)
            ).one()
            if fees is None:
                return
            target = (job.to_address, job.calldata)
            self._attempt(connection, mined, fees, chain.chain_id, job.gas_limit, target, now)
        reach("relayer.bumped")

    # --- send ---------------------------------------------------------------------------------------------------------

    def _send_missing(self, held: HeldLease, mined: int) -> tuple[int, int]:
        with read(self._engine) as connection:
            if _active(connection, self._chain) is None:
                return 0, 0
            now = now_ms(connection)
            due = [
                attempt
                for attempt in self._newest_attempts(connection, mined)
                if attempt.accepted_ms is None or now - attempt.accepted_ms >= RESEND_SECONDS * 1000
            ]
        if not due:
            return 0, 0
        reach("relayer.sending")
        answers = self._node.batch([Call("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),)) for attempt in due])
        reach("relayer.sent")
        verdicts = [_verdict(answer) for answer in answers]
        with self._engine.begin() as connection:
            require_held(connection, held)
            for attempt, verdict in zip(due, verdicts, strict=True):
                self._note(connection, attempt, verdict)
        accepted = sum(verdict is None for verdict in verdicts)
        return accepted, len(due) - accepted

    def _newest_attempts(self, connection: Connection, from_nonce: int, limit: int = 1000) -> Sequence[Row[Any]]:
        """The highest-paying attempt of each nonce from one on, in order of nonces."""
        newest = (
            select(ChainAttempt.nonce, func.max(ChainAttempt.max_fee).label("fee"))
            .where(ChainAttempt.chain == self._chain, ChainAttempt.signer == self._key.address)
            .where(ChainAttempt.nonce >= from_nonce)
            .group_by(ChainAttempt.nonce)
            .subquery()
        )
        query = (
            select(ChainAttempt.__table__)
            .join(newest, (ChainAttempt.nonce == newest.c.nonce) & (ChainAttempt.max_fee == newest.c.fee))
            .where(ChainAttempt.chain == self._chain, ChainAttempt.signer == self._key.address)
            .order_by(ChainAttempt.nonce)
            .limit(limit)
        )
        return connection.execute(query).all()

    def _note(self, connection: Connection, attempt: Row[Any], error: str | None) -> None:
        values: dict[str, Any] = {"sends": ChainAttempt.sends + 1, "error": error}
        if error is None:
            now = now_ms(connection)
            values["accepted_ms"] = now
            mine = select(ChainNonce.job_id).where(
                ChainNonce.chain == self._chain,
                ChainNonce.signer == self._key.address,
                ChainNonce.nonce == attempt.nonce,
            )
            connection.execute(
                update(ChainJob)
                .where(ChainJob.id.in_(mine), ChainJob.state == "signed")
                .values(state="sent", changed_ms=now)
            )
        connection.execute(update(ChainAttempt).where(ChainAttempt.hash == attempt.hash).values(values))


def _active(connection: Connection, chain: int) -> Row[Any] | None:
    """The chain instance, unless it is frozen or retired: then nothing is signed and nothing is sent."""
    return connection.execute(select(Chain.__table__).where(Chain.id == chain, Chain.state == "active")).one_or_none()


def _verdict(answer: object) -> str | None:
    """None if the node has the transaction now; else what it said, for the operator."""
    if not isinstance(answer, RpcError):
        return None
    said = answer.message.lower()
    if any(words in said for words in ("already known", "already imported", "known transaction", "nonce too low")):
        return None  # "too low": mined meanwhile; the indexer sees which of our attempts it was
    return answer.message[:500]

"""T2: take queued jobs, allot nonces, sign, store, and only then send what is stored (design 8, SPEC 10.3).

Promises: nothing is sent that was not committed before; a nonce is the row that names it, never a counter; retries send
identical bytes; a higher fee is a further attempt on the same nonce. Every transaction checks the lease, so that a
leader that stalled and woke writes nothing; what it may still send are bytes that its successor would send as well.

`step` is the only way work is done, after a crash as well: it looks at the rows and at the node's own count of our
transactions, and does what is missing. A node that forgot transactions, or was rolled back, gets them again by this
alone.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, or_, select, update
from sqlalchemy.orm import aliased

from backend.chain import attempts
from backend.chain.attempts import Account
from backend.chain.deploy import Slot, target_of
from backend.chain.fees import bumped_fees, first_fees
from backend.chain.jobs import NewJob, enqueue, put_off
from backend.chain.key_jobs import KEY_JOBS
from backend.chain.keys import Fees, RelayerKey
from backend.chain.leases import HeldLease, require_held
from backend.chain.market import MARKET_JOBS
from backend.chain.marks import MARKS
from backend.chain.repair import repair
from backend.chain.rpc import Call, Node, one
from backend.chain.simulate import simulate
from backend.chain.verdicts import Verdict, verdict
from backend.db.clock import is_due, now_ms
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainAttempt, ChainContract, ChainJob
from backend.killpoints import reach

_log = logging.getLogger(__name__)
_SENTENCES = {
    Verdict.UNFUNDED: "the account can't pay for it: send it funds",
    Verdict.REFUSED: "the node refuses it",
}

MAX_IN_FLIGHT = 64  # transactions signed and not yet mined; more would only age in the node's pool
SENT_AT_ONCE = 64
RESEND_SECONDS = 10  # a node that took a transaction and did not mine it gets it again
BUMP_SECONDS = 30  # then it is offered more
REBID_SECONDS = 5  # and sooner where it is refused as underpriced, but not at every refusal
DISPLACED_SECONDS = 30  # after which a nonce that is used up without us is taken to be somebody else's
FILL_GAS = 21_000

# Kinds of jobs by the account that signs them (SPEC 8.4).
ISSUED = ("deploy", "create_event", "mint", "fill")
OPERATED = ("move", *MARKS, *KEY_JOBS, *MARKET_JOBS)
ADDRESS_MADE = ("deploy", "create_event", "fill")  # not simulated: what they need may be made in the same block

# (to address, calldata) of a job that is to get this slot; None while it can't be said yet.
Complete = Callable[[Connection, Slot, Row[Any]], tuple[bytes | None, bytes] | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step did."""

    signed: int
    sent: int
    refused: int


class Relayer:
    """Relays for one chain instance with one account. Not for use by several threads at once."""

    def __init__(
        self,
        engine: Engine,
        node: Node,
        key: RelayerKey,
        chain: int,
        complete: Complete,
        kinds: Collection[str] = ISSUED,
    ) -> None:
        self._engine, self._node, self._key = engine, node, key
        self._chain, self._complete, self._kinds = chain, complete, kinds

    def step(self, held: HeldLease) -> Progress:
        """Sign what is queued and send what the node lacks. Raises `NodeError`, `LeaseLostError`, database errors."""
        with read(self._engine) as connection:
            chain = attempts.active(connection, self._chain)
        if chain is None:
            return Progress(0, 0, 0)
        account = Account(self._chain, chain.chain_id, self._key)
        address = "0x" + account.address.hex()
        answers = self._node.batch(
            [Call("eth_getTransactionCount", (address, "latest")), Call("eth_getBlockByNumber", ("latest", False))]
        )
        mined, head = int(one(answers[0]), 16), one(answers[1])
        base_fee = int(head.get("baseFeePerGas") or "0x0", 16)
        self._put_off_failing(held, account)
        signed = self._sign_queued(held, account, mined, first_fees(base_fee))
        self._fill_gaps(held, account, mined, first_fees(base_fee))
        self._bump_stuck(held, account, mined, base_fee)
        sent, refused = self._send_missing(held, account, mined)
        self._requeue_displaced(held, account, mined, int(head["number"], 16))
        return Progress(signed, sent, refused)

    # --- simulate -----------------------------------------------------------------------------------------------------

    def _put_off_failing(self, held: HeldLease, account: Account) -> None:
        """Jobs that would revert now are repaired, or tried later, so that they block nobody.

        Asked for the first job of each kind and contract, and for every one that failed before; where the first fails,
        for all of them.
        """
        with read(self._engine) as connection:
            groups = self._askable(connection)
        first = [job for jobs in groups.values() for place, job in enumerate(jobs) if place == 0 or job.tries]
        failing = self._failing(account, first)
        known = {job.id for job in first}
        suspect = {_group(job) for job, _reason in failing}
        rest = [job for group in suspect for job in groups[group] if job.id not in known]
        failing += self._failing(account, rest)
        if not failing:
            return
        with self._engine.begin() as connection:
            require_held(connection, held)
            for job, reason in failing:
                if repair(connection, job, reason):
                    said = self._said(connection, account, job) if reason == "missing_role" else None
                    put_off(connection, job.id, reason, said)  # simulated again before it is signed, mended or not

    def _said(self, connection: Connection, account: Account, job: Row[Any]) -> str:
        contract = (target_of(connection, self._chain, job) or b"").hex()
        here = f"account 0x{account.address.hex()} has no role for it in contract 0x{contract}"
        return f"{here}; have the admin grant it, and it goes on by itself"

    def _failing(self, account: Account, jobs: Sequence[Row[Any]]) -> list[tuple[Row[Any], str]]:
        if not jobs:
            return []
        with read(self._engine) as connection:
            calls = [(target_of(connection, self._chain, job), job.calldata, job.gas_limit) for job in jobs]
        reasons = simulate(self._node, account.address, calls)
        return [(job, reason) for job, reason in zip(jobs, reasons, strict=True) if reason is not None]

    def _askable(self, connection: Connection) -> dict[tuple[str, Any], list[Row[Any]]]:
        """What could be signed now and whose contract exists, by kind and event."""
        born = ChainContract.block_number.is_not(None) & (ChainContract.chain == self._chain)
        there = set(connection.scalars(select(ChainContract.address).where(born)))
        groups: dict[tuple[str, Any], list[Row[Any]]] = defaultdict(list)
        for job in self._signable(connection, MAX_IN_FLIGHT):
            if job.kind not in ADDRESS_MADE and target_of(connection, self._chain, job) in there:
                groups[_group(job)].append(job)
        return groups

    # --- allot, sign, store -------------------------------------------------------------------------------------------

    def _sign_queued(self, held: HeldLease, account: Account, mined: int, fees: Fees) -> int:
        with read(self._engine) as connection:
            if not self._signable(connection, 1):
                return 0
        with self._engine.begin() as connection:
            require_held(connection, held)
            if attempts.active(connection, self._chain) is None:
                return 0
            first = nonce = max(mined, attempts.next_nonce(connection, account))
            while fresh := self._sign_some(connection, account, nonce, mined, fees):
                nonce += fresh  # what was just signed may be what others waited for
            reach("relayer.signed")
        if nonce > first:
            reach("relayer.stored")
        return nonce - first

    def _sign_some(self, connection: Connection, account: Account, nonce: int, mined: int, fees: Fees) -> int:
        signed = 0
        for job in self._signable(connection, limit=max(0, MAX_IN_FLIGHT - (nonce - mined))):
            target = self._complete(connection, Slot(self._chain, account.address, nonce + signed), job)
            if target is not None:
                attempts.allot(connection, account, nonce + signed, job, target, fees)
                signed += 1
        return signed

    def _signable(self, connection: Connection, limit: int) -> Sequence[Row[Any]]:
        """Queued jobs that are due, and whose parent is on the chain, or before them in the same account's order."""
        parent = aliased(ChainJob)
        ready = or_(
            parent.id.is_(None),
            parent.state.in_(("included", "final")),
            parent.state.in_(attempts.UNDER_WAY) & parent.kind.in_(self._kinds),
        )
        query = (
            select(ChainJob.__table__)
            .outerjoin(parent, ChainJob.depends_on == parent.id)
            .where(ChainJob.state == "queued", ChainJob.kind.in_(self._kinds))
            .where(is_due(ChainJob.due_ms, now_ms(connection)), ready)
            .order_by(ChainJob.id)
            .limit(limit)
        )
        return connection.execute(query).all()

    def _fill_gaps(self, held: HeldLease, account: Account, mined: int, fees: Fees) -> None:
        """A nonce that nobody allotted, below one that we did, is used up with an empty transaction to ourselves."""
        with read(self._engine) as connection:
            missing = attempts.missing_nonces(connection, account, mined)[:MAX_IN_FLIGHT]
        if not missing:
            return
        with self._engine.begin() as connection:
            require_held(connection, held)
            for nonce in missing:
                key = f"fill:{self._chain}:{account.address.hex()}:{nonce}"
                made = enqueue(connection, NewJob("fill", key, None, FILL_GAS))
                job = connection.execute(select(ChainJob.__table__).where(ChainJob.id == made)).one()
                attempts.allot(connection, account, nonce, job, (account.address, b""), fees)
        reach("relayer.filled")

    def _bump_stuck(self, held: HeldLease, account: Account, mined: int, base_fee: int) -> None:
        """Offer more for the next transaction to be mined, if it has waited too long; all others wait behind it."""
        with read(self._engine) as connection:
            stuck = next(iter(attempts.best_attempts(connection, account, mined, limit=1)), None)
            if stuck is None or stuck.nonce != mined:
                return
            # Counted from when a node took it, anew after a rewind: what was lost is sent again as it was.
            job = attempts.job_at(connection, account, mined)
            now = now_ms(connection)
            waited = now - max(job.changed_ms, stuck.signed_ms) if job.state == "sent" else 0
        refused = stuck.error == Verdict.UNDERPRICED.value and now - stuck.signed_ms >= REBID_SECONDS * 1000
        if waited < BUMP_SECONDS * 1000 and not refused:
            return
        fees = bumped_fees(Fees(stuck.max_fee, stuck.priority_fee), base_fee)
        if fees is None:
            return
        with self._engine.begin() as connection:
            require_held(connection, held)
            attempts.add_attempt(connection, account, mined, fees, job.gas_limit, (job.to_address, job.calldata))
        reach("relayer.bumped")

    # --- send ---------------------------------------------------------------------------------------------------------

    def _send_missing(self, held: HeldLease, account: Account, mined: int) -> tuple[int, int]:
        with read(self._engine) as connection:
            now = now_ms(connection)
            due = [
                attempt
                for attempt in attempts.best_attempts(connection, account, mined, SENT_AT_ONCE)
                if attempt.accepted_ms is None or now - attempt.accepted_ms >= RESEND_SECONDS * 1000
            ]
        if not due:
            return 0, 0
        reach("relayer.sending")
        answers = self._node.batch([Call("eth_sendRawTransaction", ("0x" + attempt.raw.hex(),)) for attempt in due])
        reach("relayer.sent")
        verdicts = [verdict(answer) for answer in answers]
        taken = [
            attempt.nonce
            for attempt, said in zip(due, verdicts, strict=True)
            if said in (Verdict.ACCEPTED, Verdict.SPENT)
        ]
        with self._engine.begin() as connection:
            require_held(connection, held)
            for attempt, said in zip(due, verdicts, strict=True):
                _note(connection, attempt, said, now)
            attempts.mark_sent(connection, account, taken)
        return len(taken), len(due) - len(taken)

    def _requeue_displaced(self, held: HeldLease, account: Account, mined: int, head: int) -> None:
        """Queue again what never happened although its nonce is used up: somebody else has used our account.

        The index must have seen every block up to the head, or it could lie ahead. A mint done twice changes nothing.
        """
        with read(self._engine) as connection:
            cursor = connection.scalar(select(Chain.cursor_number).where(Chain.id == self._chain)) or 0
            since = now_ms(connection) - DISPLACED_SECONDS * 1000
            jobs = attempts.displaced_jobs(connection, account, mined, since) if cursor >= head - 1 else []
        if jobs:
            with self._engine.begin() as connection:
                require_held(connection, held)
                for job in jobs:
                    put_off(connection, job, "nonce_taken")


def _group(job: Row[Any]) -> tuple[str, Any]:
    return job.kind, job.event_id


def _note(connection: Connection, attempt: Row[Any], said: Verdict, now: int) -> None:
    values: dict[str, Any] = {"sends": ChainAttempt.sends + 1, "error": None}
    if said in (Verdict.ACCEPTED, Verdict.SPENT):
        values["accepted_ms"] = now
    else:
        values["error"] = said.value
        if said in _SENTENCES and attempt.error != said.value:  # once, not at every try
            account, why = attempt.signer.hex(), _SENTENCES[said]
            _log.warning("transaction %d of account 0x%s waits (%s): %s", attempt.nonce, account, said.value, why)
    connection.execute(update(ChainAttempt).where(ChainAttempt.hash == attempt.hash).values(values))

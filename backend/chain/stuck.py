"""Why what we want on the chain does not get there although the node answers, read from our own rows."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, and_, func, select

from backend.chain.verdicts import Verdict
from backend.db.tables.chain import ChainAttempt, ChainJob, ChainNonce

Cause = Literal["unfunded", "underpriced", "refused", "stuck"]

REFUSED_MS = 3_000  # the node refuses a transaction for longer; a higher bid is made meanwhile
NO_BLOCK_MS = 6_000  # a transaction of ours waits in the node for longer, and none of ours gets into a block
NO_BLOCK_BLOCKS = 3  # or for longer than so many blocks, where blocks are slow
REFUSED_TRIES = 2  # of a simulated job, seconds apart: the first may be the moment's
DONE = ("included", "final")


@dataclass(frozen=True, slots=True)
class Stuck:
    """The cause, and since when (ms)."""

    cause: Cause
    since_ms: int


def what_is_stuck(connection: Connection, now: int, block_ms: int, not_before: int) -> Stuck | None:
    """The reason that a person can do most about. Nothing counts from before `not_before`: the node was away then."""
    return (
        _not_taken(connection, now, not_before)
        or _not_mined(connection, now, block_ms, not_before)
        or _not_allowed(connection)
    )


def _not_taken(connection: Connection, now: int, not_before: int) -> Stuck | None:
    """The node refuses the newest transaction of a job."""
    mine = and_(
        ChainAttempt.chain == ChainNonce.chain,
        ChainAttempt.signer == ChainNonce.signer,
        ChainAttempt.nonce == ChainNonce.nonce,
    )
    query = (
        select(ChainJob.changed_ms, ChainAttempt.error)
        .join(ChainNonce, ChainNonce.job_id == ChainJob.id)
        .join(ChainAttempt, mine)
        .where(ChainJob.state == "signed")
        .order_by(ChainJob.id, ChainAttempt.signed_ms.desc())
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    if found is None or found.error is None:
        return None
    since = max(found.changed_ms, not_before)
    causes: dict[str, Cause] = {Verdict.UNFUNDED.value: "unfunded", Verdict.UNDERPRICED.value: "underpriced"}
    return Stuck(causes.get(found.error, "refused"), since) if now - since > REFUSED_MS else None


def _not_mined(connection: Connection, now: int, block_ms: int, not_before: int) -> Stuck | None:
    """A node has a transaction, and for long none of ours got into a block."""
    latest = now - max(NO_BLOCK_MS, NO_BLOCK_BLOCKS * block_ms)
    oldest = connection.scalar(select(func.min(ChainJob.changed_ms)).where(ChainJob.state == "sent"))
    if oldest is None or max(oldest, not_before) >= latest:
        return None
    done = select(func.max(ChainJob.changed_ms)).where(ChainJob.state.in_(DONE))
    since = max(oldest, connection.scalar(done) or 0, not_before)
    return Stuck("stuck", since) if since < latest else None


def _not_allowed(connection: Connection) -> Stuck | None:
    """What would revert is not sent: a role or a capacity is missing, or the contract is stopped."""
    kinds = ChainJob.kind.in_(("deploy", "create_event", "mint"))
    refused = kinds & (ChainJob.state == "queued") & (ChainJob.tries >= REFUSED_TRIES)
    since = connection.scalar(select(func.min(ChainJob.changed_ms)).where(refused))
    return None if since is None else Stuck("refused", since)

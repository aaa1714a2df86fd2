"""What we want done on the chain: rows written in the transaction that decided it, found again by their keys.

A job's `key` names its effect, so that asking twice is asking once. Addresses, and calldata that holds them, depend on
the chain instance; such jobs are completed when the relayer allots their nonce (SPEC 10.3).
"""

import logging
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from backend.db.clock import now_ms
from backend.db.tables.chain import ChainJob
from backend.killpoints import reach

_log = logging.getLogger(__name__)

FIRST_PAUSE_MS = 2_000  # before a job that came to nothing is tried again; doubles each time
LONGEST_PAUSE_MS = 600_000
CREATE_EVENT_GAS = 6_000_000  # a clone with dozens of classes; measured by the contracts' gas snapshot


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be. `tickets` is how many tickets wait for it; empty calldata is filled in when it is signed."""

    kind: str
    key: str
    event_id: UUID | None
    gas_limit: int
    calldata: bytes = b""
    batch_number: int | None = None
    tickets: int = 0
    depends_on: int | None = None


def enqueue(connection: Connection, job: NewJob) -> int:
    """The id of the job with this key, made now if there is none."""
    known = job_id(connection, job.key)
    if known is not None:
        return known
    now = now_ms(connection)
    row = {
        "kind": job.kind,
        "key": job.key,
        "event_id": job.event_id,
        "batch_number": job.batch_number,
        "tickets": job.tickets,
        "calldata": job.calldata,
        "gas_limit": job.gas_limit,
        "depends_on": job.depends_on,
        "state": "queued",
        "created_ms": now,
        "changed_ms": now,
    }
    made = connection.execute(insert(ChainJob).values(row).returning(ChainJob.id)).scalar_one()
    reach(f"jobs.{job.kind}")
    return int(made)


def job_id(connection: Connection, key: str) -> int | None:
    """The id of the job with this key."""
    found = connection.scalar(select(ChainJob.id).where(ChainJob.key == key))
    return None if found is None else int(found)


def put_off(connection: Connection, job: int, reason: str, said: str | None = None) -> None:
    """A try came to nothing: the job is queued again, and due later each time, so that it blocks nobody.

    `said`: what the log says of this reason; it is a sentence and holds no secret.
    """
    before = connection.execute(select(ChainJob.kind, ChainJob.tries, ChainJob.error).where(ChainJob.id == job)).one()
    tries = before.tries + 1
    if before.error != reason:  # once for each reason, not at every try
        # A code can't hold a secret; a node's own words might.
        why = said or (reason if reason.isidentifier() else "the node's own words are stored with it")
        _log.warning("job %d (%s) came to nothing and is tried again later: %s", job, before.kind, why)
    now = now_ms(connection)
    pause = min(FIRST_PAUSE_MS * 2 ** min(tries - 1, 20), LONGEST_PAUSE_MS)
    values = {"state": "queued", "error": reason, "tries": tries, "due_ms": now + pause, "changed_ms": now}
    connection.execute(update(ChainJob).where(ChainJob.id == job).values(block_number=None, tx_hash=None, **values))


def create_event_key(event_id: UUID) -> str:
    """The key of the job that makes an event's contract."""
    return f"create_event:{event_id}"


def enqueue_create_event(connection: Connection, event_id: UUID) -> int:
    """Ask for the event's contract; every mint of the event depends on this job."""
    return enqueue(connection, NewJob("create_event", create_event_key(event_id), event_id, CREATE_EVENT_GAS))

"""The key registry kept like the root-signed key list, through the same outbox (SPEC 8.10).

Gates never wait for it: it is a mirror, so that a key nobody announced can't go unseen.
"""

from sqlalchemy import Connection, Engine

from backend.chain import abi
from backend.chain.jobs import NewJob, enqueue, job_id
from backend.credentials.published import newest_key_list
from backend.db.engine import read
from credential.ids import EVENT_TAG_BYTES
from credential.keylist import KeyEntry, Reason

ED25519 = 1
ADD_GAS, REVOKE_GAS = 300_000, 150_000  # measured: 141,000 and 60,000 (SPEC 8, gas table)
KEY_JOBS = ("add_key", "revoke_key")


def mirror_keys(engine: Engine) -> int:
    """Ask for what the newest key list says and the registry was not asked for yet; how many jobs."""
    with read(engine) as connection:
        newest = newest_key_list(connection)
        lacking = [] if newest is None else [one for one in newest.entries if _lacks(connection, one)]
    if not lacking:
        return 0
    with engine.begin() as connection:
        return sum(enqueue_key(connection, entry) for entry in lacking)


def enqueue_key(connection: Connection, entry: KeyEntry) -> int:
    """Ask for this entry, in the caller's transaction: added, and revoked if it is; how many jobs that made."""
    asked = 0
    added = job_id(connection, _add_key(entry))
    if added is None:
        calldata = abi.call(
            "KeyRegistry",
            "addKey",
            *(ED25519, int(entry.role), entry.event_tag or bytes(EVENT_TAG_BYTES)),
            *(entry.public_key, entry.not_before, entry.not_after),
        )
        added = enqueue(connection, NewJob("add_key", _add_key(entry), None, ADD_GAS, calldata))
        asked += 1
    if entry.reason is not Reason.NONE and job_id(connection, _revoke_key(entry)) is None:
        calldata = abi.call("KeyRegistry", "revokeKey", entry.key_id, int(entry.reason))
        job = NewJob("revoke_key", _revoke_key(entry), None, REVOKE_GAS, calldata, depends_on=added)
        enqueue(connection, job)
        asked += 1
    return asked


def _lacks(connection: Connection, entry: KeyEntry) -> bool:
    revoked = entry.reason is Reason.NONE or job_id(connection, _revoke_key(entry)) is not None
    return not revoked or job_id(connection, _add_key(entry)) is None


def _add_key(entry: KeyEntry) -> str:
    return f"add_key:{entry.key_id.hex()}"


def _revoke_key(entry: KeyEntry) -> str:
    return f"revoke_key:{entry.key_id.hex()}:{entry.reason.name.lower()}"

"""What a passkey signs to show that it is here now: random, named for its use, short-lived, taken once.

A challenge proves itself (a keyed hash), so that showing the sign-in page to strangers writes nothing; only an answered
one is written down.
"""

from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from sqlalchemy import Connection, delete

from backend.db.tables.desk import DeskChallenge
from backend.db.upsert import insert_missing

CHALLENGE_SECONDS = 600
NONCE_BYTES = 16
TIME_BYTES = 8
MAC_BYTES = 16
CHALLENGE_BYTES = NONCE_BYTES + TIME_BYTES + MAC_BYTES


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a challenge is for: `use` is "sign_in" or "register", `account` the account's id, empty if not known yet."""

    use: str
    account: str = ""


def challenge(secret: bytes, purpose: Purpose, nonce: bytes, now_ms: int) -> bytes:
    """`CHALLENGE_BYTES` bytes: nonce (16 random bytes), the time in milliseconds, and a keyed hash of both."""
    stated = nonce + now_ms.to_bytes(TIME_BYTES, "big")
    return stated + _mac(secret, purpose, stated)


def is_good(secret: bytes, purpose: Purpose, shown: bytes, now_ms: int) -> bool:
    """Whether it is ours, for this purpose, and not too old."""
    if len(shown) != CHALLENGE_BYTES:
        return False
    stated, mac = shown[:-MAC_BYTES], shown[-MAC_BYTES:]
    made = int.from_bytes(stated[NONCE_BYTES:], "big")
    return compare_digest(mac, _mac(secret, purpose, stated)) and 0 <= now_ms - made <= CHALLENGE_SECONDS * 1000


def use_up(connection: Connection, shown: bytes, now_ms: int) -> bool:
    """Take a good challenge for the first and last time; no if it was taken already."""
    old = now_ms - 2 * CHALLENGE_SECONDS * 1000
    connection.execute(delete(DeskChallenge).where(DeskChallenge.used_ms < old))
    row = {"nonce": shown[:NONCE_BYTES], "used_ms": now_ms}
    return insert_missing(connection, DeskChallenge, [row]) == 1


def _mac(secret: bytes, purpose: Purpose, stated: bytes) -> bytes:
    named = f"{purpose.use}\0{purpose.account}\0".encode() + stated
    return blake2b(named, key=secret, person=b"desk passkeys", digest_size=MAC_BYTES).digest()

"""Short names for long things (SPEC 1.1)."""

import hashlib
import uuid

from credential.wire import exact

PLATFORM_ID_BYTES = 16  # random, made once at installation
KEY_ID_BYTES = 4
EVENT_TAG_BYTES = 8
INDEX_BITS = 16  # of a token id: the place within its batch
MAX_COMPACT_TOKEN_ID = (1 << 40) - 1  # five bytes in a compact code


def key_id(public_key: bytes) -> bytes:
    """First 4 bytes of the SHA-256 of a 32-byte public key. Unique within a key list, not in the world."""
    return hashlib.sha256(exact(public_key, 32, "public_key")).digest()[:KEY_ID_BYTES]


def event_tag(platform_id: bytes, event_id: uuid.UUID) -> bytes:
    """8 bytes that name an event of a platform without naming a chain: they survive a redeployment."""
    platform = exact(platform_id, PLATFORM_ID_BYTES, "platform_id")
    return hashlib.sha256(platform + event_id.bytes).digest()[:EVENT_TAG_BYTES]


def token_id(batch: int, index: int) -> int:
    """The token's number on the chain: batch << 16 | index (SPEC 8)."""
    if batch < 1 or not 0 <= index < 1 << INDEX_BITS:
        raise ValueError(f"no such place: batch {batch}, index {index}")
    return batch << INDEX_BITS | index

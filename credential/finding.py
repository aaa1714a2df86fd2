"""Who may find an owner's orders again: who signs this with the owner's key, as a restored wallet can (SPEC 4.9)."""

from typing import Any

from credential.ids import EVENT_TAG_BYTES
from credential.typed_data import to_hex, typed_data
from credential.wire import exact, uint

MAX_FINDING_SECONDS = 900  # how far ahead `expiry` may be
ADDRESS_BYTES = 20

_FIELDS = {"eventTag": "bytes8", "owner": "address", "expiry": "uint64"}


def finding_typed_data(platform_id: bytes, event_tag: bytes, owner: bytes, expiry: int) -> dict[str, Any]:
    """The EIP-712 message `FindOrders`. `expiry` is Unix seconds: refused from then on."""
    exact(event_tag, EVENT_TAG_BYTES, "event_tag")
    exact(owner, ADDRESS_BYTES, "owner")
    uint(expiry, 8, "expiry")
    message = {"eventTag": to_hex(event_tag), "owner": to_hex(owner), "expiry": expiry}
    return typed_data(platform_id, "FindOrders", _FIELDS, message)

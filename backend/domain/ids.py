"""Identifiers that sort by time: UUID version 7 (RFC 9562, section 5.7), so that new rows lie side by side on disk."""

import secrets
from uuid import UUID

_MAX_MS = (1 << 48) - 1


def new_id(now_ms: int) -> UUID:
    """48 bits of milliseconds, then 74 random bits around version and variant."""
    random = secrets.randbits(74)
    value = (now_ms & _MAX_MS) << 80 | 7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return UUID(int=value)


def ticket_id(order_id: UUID, position: int) -> UUID:
    """The id of an order's ticket: the same on every retry, and stored beside its order. Positions count from 0."""
    return UUID(int=order_id.int + 1 + position)

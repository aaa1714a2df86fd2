"""Passes of a waiting room, as the room gives them to those whose turn it is."""

import secrets

from backend.waiting_room.rules import ENTRY_MINUTES, NONCE_BYTES
from backend.waiting_room.tokens import Pass, pass_token
from backend.wiring import Services


def give_pass(services: Services, slug: str = "gig") -> str:
    """A new visitor's pass, good for the usual minutes."""
    event_id = services.tills.event_id(slug)
    assert event_id is not None
    until = int(services.clock() * 1000) + ENTRY_MINUTES * 60_000
    return pass_token(services.secret, Pass(event_id, until, secrets.token_bytes(NONCE_BYTES)))

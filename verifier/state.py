"""What the check must be told besides the code: what this gate remembers, and which gate it is (SPEC 6.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from verifier.verdict import Admission


class Memory(Protocol):
    """What was admitted and seen. Keyed by event and token, never by the text that was scanned."""

    def admission(self, event_tag: bytes, token_id: int) -> Admission | None:
        """The admission of this ticket, if there was one."""

    def seen_serials(self, event_tag: bytes, token_id: int) -> Mapping[bytes, int]:
        """The highest serial whose signatures verified here, by the issuing key's id."""


@dataclass(frozen=True, slots=True)
class OpenChallenge:
    """The challenge on the gate's screen: six digits as a number, and how long it has been there."""

    digits: int
    age_seconds: float


@dataclass(frozen=True, slots=True)
class GateView:
    """The gate that checks. `connected` is True while it can claim tickets at its peers."""

    number: int
    connected: bool = False
    challenge: OpenChallenge | None = None

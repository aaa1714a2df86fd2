"""What a check answers: a stable code, and what the gate's staff need to know beside it (SPEC 6.2)."""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Code(StrEnum):
    """Verdict codes. They are part of the format: never renamed, never given another meaning."""

    ADMIT = "admit"
    # read
    MALFORMED = "malformed"
    UNSUPPORTED_VERSION = "unsupported_version"
    # authentic?
    UNKNOWN_KEY = "unknown_key"
    TRUST_EXPIRED = "trust_expired"
    KEY_NOT_VALID = "key_not_valid"
    FORGED = "forged"
    WRONG_EVENT = "wrong_event"
    WRONG_PLATFORM = "wrong_platform"
    SHOW_FULL = "show_full"
    # entitled?
    GATE_CLOCK = "gate_clock"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    STALE = "stale"
    EARLY = "early"
    WRONG_CHALLENGE = "wrong_challenge"
    CHALLENGE_EXPIRED = "challenge_expired"
    UNKNOWN_TICKET = "unknown_ticket"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    SUPERSEDED = "superseded"
    ALREADY_USED = "already_used"
    # may this gate?
    NOT_ENROLLED = "not_enrolled"
    OTHER_GATE = "other_gate"
    CUT_OFF = "cut_off"
    # could this gate? (never from `check`: the shell around it)
    NO_DATA = "no_data"
    NOT_RECORDED = "not_recorded"


class Kind(Enum):
    """How the ticket was shown."""

    FULL = 1
    COMPACT = 2
    ANSWER = 3


@dataclass(frozen=True, slots=True)
class Admission:
    """A ticket let in, as the log keeps it. `at` is the gate's clock, Unix seconds."""

    event_tag: bytes
    token_id: int
    serial: int
    key_id: bytes  # of the issuing key; zeros for a compact code
    kind: Kind
    at: int
    gate_number: int
    bundle_version: int
    evidence: bytes  # the code as shown: it carries the holder's signature


@dataclass(frozen=True, slots=True)
class SeenSerial:
    """A credential both of whose signatures verified, newer than any known before: it supersedes older ones."""

    event_tag: bytes
    token_id: int
    serial: int
    key_id: bytes
    at: int
    evidence: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """The ticket on the gate's screen; only ever made from what was authentic."""

    token_id: int
    serial: int
    class_number: int
    class_name: str  # "" if the bundle has no name for it
    zone_name: str
    seat: int  # 0: unseated


@dataclass(frozen=True, slots=True)
class Verdict:
    """`moment` belongs to the code: when it was used, when it becomes valid, when it ended. Unix seconds."""

    code: Code
    ticket: Shown | None = None
    moment: int | None = None
    gate: str | None = None  # the gate that used it, or that it must go to
    admission: Admission | None = None  # to be made durable before anyone is let in
    seen: SeenSerial | None = None  # to be remembered, whatever the code
    met_challenge: bool = False  # the open challenge is used up

    @property
    def admitted(self) -> bool:
        return self.code is Code.ADMIT

"""What the decoders and verifiers answer when the answer is no. Values, not exceptions: bad bytes are expected."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Malformed:
    """The bytes are not in the format. `reason` is a snake_case code (SPEC 1.4); nothing was verified."""

    reason: str


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Well formed, but a signature, a version or a date does not hold. `reason` is a code (SPEC 5)."""

    reason: str

"""The steps of a check, one function each, in the order of SPEC 6.3-6.5.

A step answers with the code of its refusal, or None to go on. What a step reads is in `Scan`; it changes nothing.
"""

import hashlib
from dataclasses import dataclass
from typing import Generic, TypeVar

from credential.bundle import Bundle, OfflinePolicy, Status, Ticket, TicketClass
from credential.codes import Answer, CompactCode, FullCode
from credential.keylist import KeyEntry, KeyList, Reason, Role
from verifier.state import GateView, Memory
from verifier.verdict import Code

MAX_AGE_SECONDS = 30  # of a full or compact code
MAX_AHEAD_SECONDS = 10  # of a phone's clock before the gate's, and of a bundle's
CHALLENGE_SECONDS = 60
UNLISTED_GRACE_SECONDS = 60  # between issuing a credential and its ticket's row in a bundle

Signed = FullCode | Answer
Rotating = FullCode | CompactCode
AnyCode = FullCode | CompactCode | Answer
Code_co = TypeVar("Code_co", bound=AnyCode, covariant=True)


@dataclass(frozen=True, slots=True)
class Scan(Generic[Code_co]):
    """Everything one check looks at. `now` is the gate's clock, Unix seconds."""

    code: Code_co
    payload: bytes
    now: int
    key_list: KeyList
    bundle: Bundle
    memory: Memory
    gate: GateView


# 6.3 Is it authentic? Full codes and answers.


def key_known(scan: Scan[Signed]) -> Code | None:
    """The key id names an issuing key, and the list that says so has not expired."""
    if _issuer(scan) is None:
        return Code.UNKNOWN_KEY
    return Code.TRUST_EXPIRED if time_of(scan) >= scan.key_list.expires else None


def issuer_signed(scan: Scan[Signed]) -> Code | None:
    issuer = _issuer(scan)
    good = issuer is not None and scan.code.credential.is_signed_by(issuer.public_key)
    return None if good else Code.FORGED


def key_valid(scan: Scan[Signed]) -> Code | None:
    """The issuing key's word at the time of issue holds, for that event."""
    issuer, body = _issuer(scan), scan.code.credential.body
    good = issuer is not None and issuer.may_sign_at(body.issued_at) and issuer.covers(body.event_tag)
    return None if good else Code.KEY_NOT_VALID


def holder_signed(scan: Scan[Signed]) -> Code | None:
    return None if scan.code.is_signed_by_holder() else Code.FORGED


def right_event(scan: Scan[Signed]) -> Code | None:
    """Another event of the platform is told from another platform by the tags the key list names."""
    event_tag = scan.code.credential.body.event_tag
    if event_tag == scan.bundle.event_tag:
        return None
    known = any(entry.event_tag == event_tag for entry in scan.key_list.entries)
    return Code.WRONG_EVENT if known else Code.WRONG_PLATFORM


# 6.4 Is it authentic? Compact codes.


def right_index(scan: Scan[CompactCode]) -> Code | None:
    return None if scan.code.event_index == scan.bundle.event_index else Code.WRONG_EVENT


def listed_with_key(scan: Scan[CompactCode]) -> Code | None:
    row = row_of(scan)
    return Code.SHOW_FULL if row is None or row.holder_key is None else None


def compact_serial_current(scan: Scan[CompactCode]) -> Code | None:
    """Equal to the newest serial known. A higher one has a holder key the bundle does not know yet."""
    row = row_of(scan)
    listed = row.serial if row else 0
    if scan.code.serial < max(listed, _seen_serial(scan)):
        return Code.SUPERSEDED
    return Code.SHOW_FULL if scan.code.serial > listed else None


def compact_holder_signed(scan: Scan[CompactCode]) -> Code | None:
    row = row_of(scan)
    key = row.holder_key if row else None
    good = key is not None and scan.code.is_signed_by_holder(scan.bundle.event_tag, key)
    return None if good else Code.FORGED


# 6.5 May its holder enter, here and now?


def clock_above_floor(scan: Scan[Rotating]) -> Code | None:
    """A gate whose clock is behind its own bundle can't judge freshness; it can still ask for an answer."""
    return Code.GATE_CLOCK if scan.now + MAX_AHEAD_SECONDS < scan.bundle.issued_at else None


def in_window(scan: Scan[Signed]) -> Code | None:
    body = scan.code.credential.body
    return _within(time_of(scan), body.not_before, body.not_after)


def in_class_window(scan: Scan[CompactCode]) -> Code | None:
    """A compact code has no window of its own: its class has one in the bundle."""
    ticket_class = class_of(scan)
    return Code.SHOW_FULL if ticket_class is None else _within(scan.now, ticket_class.opens, ticket_class.closes)


def fresh(scan: Scan[Rotating]) -> Code | None:
    if scan.now - scan.code.timestamp > MAX_AGE_SECONDS:
        return Code.STALE
    return Code.EARLY if scan.code.timestamp - scan.now > MAX_AHEAD_SECONDS else None


def answers_challenge(scan: Scan[Answer]) -> Code | None:
    """It answers the very challenge this gate has open, within 60 s by the gate's own timer."""
    if not meets_challenge(scan.code, scan.gate):
        return Code.WRONG_CHALLENGE
    late = scan.gate.challenge is None or scan.gate.challenge.age_seconds > CHALLENGE_SECONDS
    return Code.CHALLENGE_EXPIRED if late else None


def status_allows(scan: Scan[AnyCode]) -> Code | None:
    """The platform's word on the ticket, or none because it was sold after the bundle was made."""
    row = row_of(scan)
    if row is not None:
        return _REFUSED_STATUS.get(row.status)
    if not scan.bundle.is_of_later_batch(token_of(scan.code)):
        return Code.UNKNOWN_TICKET
    return _unlisted(scan)


def serial_current(scan: Scan[Signed]) -> Code | None:
    """Not below the newest serial known; a higher one is newer than the bundle, and good."""
    row = row_of(scan)
    newest = max(row.serial if row else 0, _seen_serial(scan))
    return Code.SUPERSEDED if scan.code.credential.body.serial < newest else None


def not_used(scan: Scan[AnyCode]) -> Code | None:
    used = scan.memory.admission(scan.bundle.event_tag, token_of(scan.code))
    return None if used is None else Code.ALREADY_USED


def gate_enrolled(scan: Scan[AnyCode]) -> Code | None:
    return None if any(gate.number == scan.gate.number for gate in scan.bundle.gates) else Code.NOT_ENROLLED


def policy_allows(scan: Scan[AnyCode]) -> Code | None:
    """Connected gates, and the only gate of an event, know of every admission; others follow the event's policy."""
    if scan.gate.connected or len(scan.bundle.gates) == 1 or scan.bundle.offline_policy is OfflinePolicy.LOCAL:
        return None
    if scan.bundle.offline_policy is OfflinePolicy.REFUSE:
        return Code.CUT_OFF
    return None if owner_gate(scan.bundle, token_of(scan.code)) == scan.gate.number else Code.OTHER_GATE


# What the steps share.


def meets_challenge(code: AnyCode, gate: GateView) -> bool:
    """It is an answer to what stands on this gate's screen, in time or not."""
    if not isinstance(code, Answer) or gate.challenge is None:
        return False
    return (code.gate_number, code.challenge) == (gate.number, gate.challenge.digits)


def owner_gate(bundle: Bundle, token_id: int) -> int:
    """The number of the gate that owns a ticket: the enrolled gate of the highest rendezvous hash (SPEC 6.6)."""
    ticket = bundle.event_tag + token_id.to_bytes(8)
    return max(bundle.gates, key=lambda gate: hashlib.sha256(gate.number.to_bytes(2) + ticket).digest()).number


def time_of(scan: Scan[AnyCode]) -> int:
    """The gate's clock, but never below the bundle's floor: only answers get this far on a clock that is behind."""
    return max(scan.now, scan.bundle.issued_at)


def token_of(code: AnyCode) -> int:
    return code.token_id if isinstance(code, CompactCode) else code.credential.body.token_id


def serial_of(code: AnyCode) -> int:
    return code.serial if isinstance(code, CompactCode) else code.credential.body.serial


def row_of(scan: Scan[AnyCode]) -> Ticket | None:
    """The ticket's row in the bundle; None if it has none."""
    rank = scan.bundle.rank(token_of(scan.code))
    return None if rank is None else scan.bundle.tickets[rank]


def class_of(scan: Scan[AnyCode]) -> TicketClass | None:
    rank = scan.bundle.rank(token_of(scan.code))
    return None if rank is None else scan.bundle.class_of_rank(rank)


_REFUSED_STATUS = {
    Status.REDEEMED: Code.ALREADY_USED,
    Status.REVOKED: Code.REVOKED,
    Status.SUSPENDED: Code.SUSPENDED,
}


def _issuer(scan: Scan[Signed]) -> KeyEntry | None:
    return scan.key_list.find(scan.code.credential.body.key_id, Role.ISSUING)


def _seen_serial(scan: Scan[AnyCode]) -> int:
    """The highest serial seen here, but for those a compromised key vouched for."""
    seen = scan.memory.seen_serials(scan.bundle.event_tag, token_of(scan.code))
    void = {entry.key_id for entry in scan.key_list.entries if entry.reason is Reason.COMPROMISED}
    return max((serial for key_id, serial in seen.items() if key_id not in void), default=0)


def _unlisted(scan: Scan[AnyCode]) -> Code | None:
    """A ticket sold after the bundle was made. One issued well before should have been in it."""
    if isinstance(scan.code, CompactCode):
        return Code.SHOW_FULL
    issued_at = scan.code.credential.body.issued_at
    return Code.UNKNOWN_TICKET if issued_at + UNLISTED_GRACE_SECONDS < scan.bundle.rows_through else None


def _within(now: int, opens: int, closes: int) -> Code | None:
    if now < opens:
        return Code.NOT_YET_VALID
    return Code.EXPIRED if now >= closes else None

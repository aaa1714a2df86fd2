"""The decision of a gate: a pure function of what was scanned and what the gate knows (SPEC 6)."""

from collections.abc import Callable
from typing import Any

from credential.bundle import Bundle
from credential.codes import Answer, CompactCode, FullCode, decode_code
from credential.digits import from_digits
from credential.keylist import KeyList
from credential.results import Malformed
from verifier import steps
from verifier.state import GateView, Memory
from verifier.steps import AnyCode, Scan
from verifier.verdict import Admission, Code, Kind, SeenSerial, Shown, Verdict

Step = Callable[[Scan[Any]], Code | None]

# SPEC 6.3 and 6.4. Only once all of these passed is anything the code says shown or remembered.
AUTHENTIC: dict[type[AnyCode], tuple[Step, ...]] = {
    FullCode: (steps.key_known, steps.issuer_signed, steps.key_valid, steps.holder_signed, steps.right_event),
    Answer: (steps.key_known, steps.issuer_signed, steps.key_valid, steps.holder_signed, steps.right_event),
    CompactCode: (
        steps.right_index,
        steps.listed_with_key,
        steps.compact_serial_current,
        steps.compact_holder_signed,
    ),
}

# SPEC 6.5.
ENTITLED: dict[type[AnyCode], tuple[Step, ...]] = {
    FullCode: (
        steps.clock_above_floor,
        steps.in_window,
        steps.fresh,
        steps.status_allows,
        steps.serial_current,
        steps.not_used,
        steps.gate_enrolled,
        steps.policy_allows,
    ),
    Answer: (
        steps.in_window,
        steps.answers_challenge,
        steps.status_allows,
        steps.serial_current,
        steps.not_used,
        steps.gate_enrolled,
        steps.policy_allows,
    ),
    CompactCode: (
        steps.clock_above_floor,
        steps.in_class_window,
        steps.fresh,
        steps.status_allows,
        steps.not_used,
        steps.gate_enrolled,
        steps.policy_allows,
    ),
}

_KINDS = {FullCode: Kind.FULL, CompactCode: Kind.COMPACT, Answer: Kind.ANSWER}
_NO_KEY_ID = bytes(4)
MAX_TIME = (1 << 32) - 1  # 2106


def check(text: str, now: int, key_list: KeyList, bundle: Bundle, memory: Memory, gate: GateView) -> Verdict:
    """Whether the holder of this text may enter. Never raises, whatever the text.

    `text` is one scan without its line ending; `now` the gate's clock in Unix seconds. The caller makes
    `verdict.admission` durable before it lets anyone in, and remembers `verdict.seen` and `verdict.met_challenge`.
    """
    payload = from_digits(text)
    if isinstance(payload, Malformed):
        return Verdict(Code.MALFORMED)
    code = decode_code(payload)
    if isinstance(code, Malformed):
        return Verdict(Code.UNSUPPORTED_VERSION if code.reason == "unknown_version" else Code.MALFORMED)
    scan = Scan(code, payload, now, key_list, bundle, memory, gate)
    refusal = _first_refusal(AUTHENTIC[type(code)], scan)
    if refusal is not None:
        return Verdict(refusal)
    return _verdict(scan, _first_refusal(ENTITLED[type(code)], scan))


def _first_refusal(path: tuple[Step, ...], scan: Scan[AnyCode]) -> Code | None:
    return next((refusal for step in path if (refusal := step(scan)) is not None), None)


def _verdict(scan: Scan[AnyCode], refusal: Code | None) -> Verdict:
    code = refusal or Code.ADMIT
    moment, gate = _circumstance(scan, code)
    return Verdict(
        code=code,
        ticket=_shown(scan),
        moment=moment,
        gate=gate,
        admission=_admission(scan) if refusal is None else None,
        seen=_newly_seen(scan),
        met_challenge=steps.meets_challenge(scan.code, scan.gate),
    )


def _shown(scan: Scan[AnyCode]) -> Shown:
    """A credential speaks for itself; of a compact code's ticket the bundle knows class, zone and seat."""
    row, listed_class = steps.row_of(scan), steps.class_of(scan)
    if isinstance(scan.code, CompactCode):
        number = listed_class.number if listed_class else 0
        zone, seat = (row.zone, row.seat) if row else (0, 0)
    else:
        body = scan.code.credential.body
        number, zone, seat = body.class_number, body.zone, body.seat
    return Shown(
        token_id=steps.token_of(scan.code),
        serial=steps.serial_of(scan.code),
        class_number=number,
        class_name=next((one.name for one in scan.bundle.classes if one.number == number), ""),
        zone_name=next((one.name for one in scan.bundle.zones if one.number == zone), ""),
        seat=seat,
    )


def _circumstance(scan: Scan[AnyCode], code: Code) -> tuple[int | None, str | None]:
    """When, and at which gate, where the code calls for it."""
    if code is Code.ALREADY_USED:
        used = scan.memory.admission(scan.bundle.event_tag, steps.token_of(scan.code))
        return (used.at, _gate_name(scan.bundle, used.gate_number)) if used else (None, None)
    if code is Code.OTHER_GATE:
        return None, _gate_name(scan.bundle, steps.owner_gate(scan.bundle, steps.token_of(scan.code)))
    if code in {Code.NOT_YET_VALID, Code.EXPIRED}:
        opens, closes = _window(scan)
        return (opens if code is Code.NOT_YET_VALID else closes), None
    return None, None


def _window(scan: Scan[AnyCode]) -> tuple[int | None, int | None]:
    if isinstance(scan.code, CompactCode):
        listed_class = steps.class_of(scan)
        return (listed_class.opens, listed_class.closes) if listed_class else (None, None)
    body = scan.code.credential.body
    return body.not_before, body.not_after


def _gate_name(bundle: Bundle, number: int) -> str:
    return next((gate.name for gate in bundle.gates if gate.number == number), str(number))


def _admission(scan: Scan[AnyCode]) -> Admission:
    return Admission(
        event_tag=scan.bundle.event_tag,
        token_id=steps.token_of(scan.code),
        serial=steps.serial_of(scan.code),
        key_id=_issuing_key_id(scan),
        kind=_KINDS[type(scan.code)],
        at=_recorded_time(scan),
        gate_number=scan.gate.number,
        bundle_version=scan.bundle.version,
        evidence=scan.payload,
    )


def _newly_seen(scan: Scan[AnyCode]) -> SeenSerial | None:
    """A credential newer than the bundle's row and than what this gate has seen of the same key."""
    if isinstance(scan.code, CompactCode):
        return None
    row, key_id, token = steps.row_of(scan), _issuing_key_id(scan), steps.token_of(scan.code)
    known = scan.memory.seen_serials(scan.bundle.event_tag, token).get(key_id, 0)
    serial = steps.serial_of(scan.code)
    if serial <= max(row.serial if row else 0, known):
        return None
    return SeenSerial(scan.bundle.event_tag, token, serial, key_id, _recorded_time(scan), scan.payload)


def _recorded_time(scan: Scan[AnyCode]) -> int:
    """The gate's clock, within what four bytes hold: a clock set to another century must not lose an admission."""
    return min(max(scan.now, 0), MAX_TIME)


def _issuing_key_id(scan: Scan[AnyCode]) -> bytes:
    return _NO_KEY_ID if isinstance(scan.code, CompactCode) else scan.code.credential.body.key_id

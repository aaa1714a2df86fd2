"""The cases of `credential.json`: what is scanned, under which settings, and the verdict SPEC 6 demands."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from credential import domains
from credential.body import encode_body
from credential.codes import answer_challenge, present_compact, present_full
from credential.digits import DIGITS_OF, to_digits
from credential.ids import MAX_COMPACT_TOKEN_ID, key_id, token_id
from credential.signing import sign
from tests.vectors import curve
from tests.vectors.world import (
    BUNDLE,
    EVENT_INDEX,
    FIRST,
    FOREIGN_TAG,
    GATE,
    ISSUED,
    KEYLESS,
    LATER,
    NOW,
    OTHER_TAG,
    REDEEMED,
    REVOKED,
    ROWS_THROUGH,
    SECOND,
    SUSPENDED,
    TAG,
    UNISSUED,
    body,
    credential,
    key,
    public,
)

CHALLENGE = 123_456
ASKED = {"digits": CHALLENGE, "age_seconds": 5}
ASKING = {"number": GATE, "connected": False, "challenge": ASKED}


@dataclass(frozen=True)
class Case:
    """`settings` override the file's defaults: now, key_list, bundle, gate, admitted, seen."""

    name: str
    text: str
    code: str
    settings: dict[str, Any] = field(default_factory=dict)


def full(cred: bytes | None = None, at: int = NOW, device: str = "alice") -> bytes:
    return present_full(cred or credential(), at, key(device))


def compact(token: int = FIRST, serial: int = 1, at: int = NOW, device: str = "alice", **other: Any) -> bytes:
    index, tag = other.get("index", EVENT_INDEX), other.get("tag", TAG)
    return present_compact(index, tag, token, serial, at, key(device))


def answer(cred: bytes | None = None, gate: int = GATE, challenge: int = CHALLENGE, at: int = NOW) -> bytes:
    return answer_challenge(cred or credential(), gate, challenge, at, key("alice"))


def all_cases() -> Iterator[Case]:
    for group in (good, unreadable_text, unreadable_payload, issuers, issuer_signatures, holder_signatures):
        yield from group()
    for group in (small_orders, events, windows, freshness, challenges, statuses, serials, replays, policies):
        yield from group()


def case(name: str, payload: bytes, code: str, **settings: Any) -> Case:
    return Case(name, to_digits(payload), code, settings)


def asked(name: str, payload: bytes, code: str, **settings: Any) -> Case:
    return case(name, payload, code, gate=ASKING, **settings)


def good() -> Iterator[Case]:
    yield case("full code", full(), "admit")
    yield case("compact code", compact(), "admit")
    yield asked("answer", answer(), "admit")
    yield case("full code of the second holder", full(_of_bob(), device="bob"), "admit")
    yield case("compact code of the second holder", compact(SECOND, 3, device="bob"), "admit")
    yield case("full code, holder key not listed", full(credential(token_id=KEYLESS)), "admit")
    yield case("full code, serial 0 listed", full(credential(token_id=UNISSUED)), "admit")
    yield case("full code, ticket younger than the bundle", full(_later(NOW - 60)), "admit")
    yield asked("answer, ticket younger than the bundle", answer(_later(NOW - 60)), "admit")
    yield case("full code by a key for every event", full(credential(issuer="issuer any")), "admit")
    yield case("full code by a key rotated after it signed", full(credential(issuer="issuer rotated")), "admit")
    yield case("full code, highest numbers", full(_highest()), "admit")


def unreadable_text() -> Iterator[Case]:
    texts = {"full": to_digits(full()), "compact": to_digits(compact()), "answer": to_digits(answer())}
    for kind, text in texts.items():
        for less in (1, 2, 10, 100):
            yield Case(f"{kind} code, {less} digits cut off its end", text[:-less], "malformed")
        yield Case(f"{kind} code, first digit cut off", text[1:], "malformed")
        yield Case(f"{kind} code, one digit more", text + "0", "malformed")
        yield Case(f"{kind} code, a leading zero more", "0" + text, "malformed")
        yield Case(f"{kind} code twice", text + text, "malformed")
        yield Case(f"{kind} code, space before", " " + text, "malformed")
        yield Case(f"{kind} code, space for the last digit", text[:-1] + " ", "malformed")
        yield Case(f"{kind} code, space for the first digit", " " + text[1:], "malformed")
        yield Case(f"{kind} code, line ending kept", text + "\n", "malformed")
        yield Case(f"{kind} code, newline for the last digit", text[:-1] + "\n", "malformed")
        yield Case(f"{kind} code, underscore between digits", text[:5] + "_" + text[6:], "malformed")
        yield Case(f"{kind} code, plus sign for the first digit", "+" + text[1:], "malformed")
        yield Case(f"{kind} code, minus sign for the first digit", "-" + text[1:], "malformed")
        yield Case(f"{kind} code, letter O for a digit", text[:7] + "O" + text[8:], "malformed")
        yield Case(f"{kind} code, zero byte for a digit", text[:7] + "\0" + text[8:], "malformed")
        for script, zero in _SCRIPTS.items():
            other = "".join(chr(ord(zero) + int(digit)) for digit in text)
            yield Case(f"{kind} code in {script} digits", other, "malformed")
            yield Case(f"{kind} code, last digit in {script}", text[:-1] + other[-1], "malformed")
        yield Case(f"{kind} code, superscript two for a digit", text[:7] + "\u00b2" + text[8:], "malformed")
    for size, digits in DIGITS_OF.items():
        yield Case(f"{digits} nines", "9" * digits, "malformed")
        yield Case(f"the first number too large for {size} bytes", str(1 << 8 * size).zfill(digits), "malformed")
        yield Case(f"{digits} digits that end at an overflow of 1", str((1 << 8 * size) + 1), "malformed")
        yield Case(f"no digits but {digits} letters", "a" * digits, "malformed")
    yield Case("nothing", "", "malformed")
    yield Case("one digit", "0", "malformed")
    yield Case("a web address", "https://example.org/ticket/1", "malformed")
    yield Case("a surrogate", "\ud800" * 186, "malformed")
    yield Case("a thousand digits", "1" * 1000, "malformed")
    yield Case("full code as hexadecimal", full().hex(), "malformed")


def unreadable_payload() -> Iterator[Case]:
    for version in (1, 2, 127, 255):
        raw = bytes([version]) + full()[1:]
        yield case(f"full code of version {version}", raw, "unsupported_version")
    yield asked("answer of version 1", b"\1" + answer()[1:], "unsupported_version")
    for version in (1, 8, 15):
        head = bytes([version << 4 | compact()[0] & 15])
        yield case(f"compact code of version {version}", head + compact()[1:], "unsupported_version")
    for flags in (1, 2, 128, 255):
        yield case(f"full code, signed with flags {flags}", full(_raw_credential(28, bytes([flags]))), "malformed")
    yield case("full code, signed with serial 0", full(_raw_credential(21, bytes(2))), "malformed")
    yield case("full code, signed with lifetime 0", full(_raw_credential(33, bytes(2))), "malformed")
    yield case("compact code with serial 0", compact()[:7] + bytes(2) + compact()[9:], "malformed")
    yield asked("answer for gate 0", _answer_with(0, CHALLENGE), "malformed")
    yield asked("answer for gate 1000", _answer_with(1000, CHALLENGE), "malformed")
    yield asked("answer to a challenge of seven digits", _answer_with(GATE, 1_000_000), "malformed")
    padded = str(int.from_bytes(compact())).zfill(489)
    yield Case("compact code padded to a full code's length", padded, "malformed")
    padded = str(int.from_bytes(full())).zfill(509)
    yield Case("full code padded to an answer's length", padded, "malformed", {"gate": ASKING})
    yield case("all zero bytes, full", bytes(203), "malformed")
    yield case("all zero bytes, compact", bytes(77), "malformed")
    yield case("all one bits, full", b"\xff" * 203, "unsupported_version")
    yield case("all one bits, compact", b"\xff" * 77, "unsupported_version")


def issuers() -> Iterator[Case]:
    for label in ("issuer unknown", "bundle", "gate 1", "root 1", "alice"):
        yield case(f"signed by the {label} key", full(credential(issuer=label)), "unknown_key")
        yield asked(f"answer signed by the {label} key", answer(credential(issuer=label)), "unknown_key")
    for label, why in {
        "issuer young": "before its key was valid",
        "issuer old": "at the second its key ended",
        "issuer stolen": "by a compromised key",
        "issuer b": "for this event by the key of another",
    }.items():
        yield case(f"issued {why}", full(credential(issuer=label)), "key_not_valid")
        yield asked(f"answer, issued {why}", answer(credential(issuer=label)), "key_not_valid")
    late = credential(issuer="issuer rotated", issued_at=ISSUED + 1)
    yield case("issued after its key was rotated", full(late), "key_not_valid")
    expired: dict[str, Any] = {"key_list": "expired", "bundle": "expired list"}
    yield case("full code, key list expired this second", full(), "trust_expired", **expired)
    yield case("full code, key list expires next second", full(at=NOW - 1), "admit", **expired, now=NOW - 1)
    yield asked("answer, key list expired", answer(), "trust_expired", **expired)
    yield case("compact code, key list expired", compact(), "admit", **expired)


def issuer_signatures() -> Iterator[Case]:
    encoded, signature = credential()[:71], credential()[71:]
    wrong = {
        "stripped": bytes(64),
        "of another issuing key": sign(domains.CREDENTIAL, encoded, key("issuer any")),
        "of the holder": sign(domains.CREDENTIAL, encoded, key("alice")),
        "of another credential": credential(seat=12)[71:],
        "malleated, S + L": curve.malleated(signature),
        "malleated, S + 7L": curve.malleated(signature, 7),
        "with R and S swapped": signature[32:] + signature[:32],
        "with torsion in R": curve.signature_with_torsion(domains.CREDENTIAL + encoded, key("issuer")),
        "without a domain": key("issuer").sign(encoded).signature,
    }
    for domain in domains.ALL:
        if domain is not domains.CREDENTIAL:
            wrong[f"under {_name(domain)}"] = sign(domain, encoded, key("issuer"))
    for what, bad in wrong.items():
        yield case(f"full code, issuer's signature {what}", full(encoded + bad), "forged")
        yield asked(f"answer, issuer's signature {what}", answer(encoded + bad), "forged")
    changes: dict[str, dict[str, Any]] = {
        "serial raised": {"serial": 2},
        "seat changed": {"seat": 99},
        "class changed": {"class_number": 2},
        "token changed": {"token_id": SECOND},
        "holder changed": {"holder_key": public("mallory")},
        "window moved": {"not_before": NOW - 1},
        "lifetime raised": {"lifetime_minutes": 65_535},
    }
    for what, change in changes.items():
        altered = encode_body(body(**change)) + signature
        device = "mallory" if "holder_key" in change else "alice"
        yield case(f"full code, {what} after signing", full(altered, device=device), "forged")


def holder_signatures() -> Iterator[Case]:
    digest = hashlib.sha256(credential()).digest()
    shown, asked_for = NOW.to_bytes(4), GATE.to_bytes(4) + CHALLENGE.to_bytes(4) + NOW.to_bytes(4)
    small = b"\0" + TAG + FIRST.to_bytes(8) + (1).to_bytes(2) + shown
    kinds = {
        "full": (credential() + shown, domains.PRESENTATION, digest + shown),
        "compact": (compact()[:13], domains.COMPACT, small),
        "answer": (credential() + asked_for, domains.ANSWER, digest + asked_for),
    }
    for kind, (head, own, message) in kinds.items():
        true = sign(own, message, key("alice"))
        wrong = {
            "stripped": bytes(64),
            "of another device": sign(own, message, key("mallory")),
            "of the issuer": sign(own, message, key("issuer")),
            "malleated, S + L": curve.malleated(true),
            "malleated, S + 15L": curve.malleated(true, 15),
            "with torsion in R": curve.signature_with_torsion(own + message, key("alice")),
            "with R the identity": curve.SMALL_ORDER["identity"] + bytes(32),
            "without a domain": key("alice").sign(message).signature,
        }
        for domain in domains.ALL:
            if domain is not own:
                wrong[f"under {_name(domain)}"] = sign(domain, message, key("alice"))
        for what, bad in wrong.items():
            yield asked(f"{kind} code, holder's signature {what}", head + bad, "forged")
    older = credential(serial=1, issued_at=ISSUED - 1)
    yield case("full code, holder's signature over another credential", credential() + full(older)[135:], "forged")
    yield case(
        "full code, timestamp renewed by a thief", full(at=NOW - 90)[:135] + shown + full(at=NOW - 90)[139:], "forged"
    )
    yield case("compact code, timestamp renewed by a thief", _renewed_compact(), "forged")
    yield case("compact code signed for another event's tag", compact(tag=OTHER_TAG), "forged")
    yield case("compact code of another ticket's holder", compact(device="bob"), "forged")
    yield asked("full code's signature in an answer", credential() + asked_for + full()[139:], "forged")
    yield case("answer's signature in a full code", credential() + shown + answer()[147:], "forged")
    yield asked(
        "answer's challenge changed after signing", _answer_with(GATE, CHALLENGE, signed=CHALLENGE + 1), "forged"
    )


def small_orders() -> Iterator[Case]:
    for name, point in curve.SMALL_ORDER.items():
        cred = _credential_with_holder(point)
        message = hashlib.sha256(cred).digest() + NOW.to_bytes(4)
        signature = curve.universal_signature(domains.PRESENTATION + message, point)
        yield case(f"full code, holder key {name}", cred + NOW.to_bytes(4) + signature, "forged")
        asked_for = GATE.to_bytes(4) + CHALLENGE.to_bytes(4) + NOW.to_bytes(4)
        signature = curve.universal_signature(domains.ANSWER + hashlib.sha256(cred).digest() + asked_for, point)
        yield asked(f"answer, holder key {name}", cred + asked_for + signature, "forged")
    cred = _credential_with_holder(curve.mixed_order_key(key("alice")))
    message = hashlib.sha256(cred).digest() + NOW.to_bytes(4)
    signature = curve.signature_under_mixed_key(domains.PRESENTATION + message, key("alice"))
    yield case("full code, holder key of mixed order", cred + NOW.to_bytes(4) + signature, "forged")
    not_a_point = _credential_with_holder(bytes([2]) + bytes(31))
    yield case("full code, holder key that is no point", not_a_point + NOW.to_bytes(4) + full()[139:], "forged")


def events() -> Iterator[Case]:
    other = credential(issuer="issuer b", event_tag=OTHER_TAG)
    yield case("full code of another event", full(other), "wrong_event")
    yield asked("answer of another event", answer(other), "wrong_event")
    yield case("full code of another event by a key for every event", full(_any(OTHER_TAG)), "wrong_event")
    yield case("full code of another platform", full(_any(FOREIGN_TAG)), "wrong_platform")
    yield asked("answer of another platform", answer(_any(FOREIGN_TAG)), "wrong_platform")
    for index in (0, EVENT_INDEX + 1, 4095):
        yield case(f"compact code of event index {index}", compact(index=index, tag=OTHER_TAG), "wrong_event")


def windows() -> Iterator[Case]:
    for what, start, minutes, code in (
        ("opens this second", NOW, 60, "admit"),
        ("opens next second", NOW + 1, 60, "not_yet_valid"),
        ("opens in a year", NOW + 31_536_000, 60, "not_yet_valid"),
        ("ends next second", NOW - 3599, 60, "admit"),
        ("ended this second", NOW - 3600, 60, "expired"),
        ("ended long ago", 0, 1, "expired"),
    ):
        cred = credential(not_before=start, lifetime_minutes=minutes)
        yield case(f"full code, window {what}", full(cred), code)
        yield asked(f"answer, window {what}", answer(cred), code)
    yield case("compact code, its class opens next second", compact(), "not_yet_valid", bundle="class opens later")
    yield case("compact code, its class ended this second", compact(), "expired", bundle="class is over")


def freshness() -> Iterator[Case]:
    good_ages = {30: "admit", 0: "admit", -10: "admit"}
    bad_ages = {31: "stale", 3600: "stale", NOW: "stale", -11: "early", -3600: "early", NOW - 0xFFFFFFFF: "early"}
    for age, code in (good_ages | bad_ages).items():
        yield case(f"full code, {age} s old", full(at=NOW - age), code)
        yield case(f"compact code, {age} s old", compact(at=NOW - age), code)
        yield asked(f"answer, timestamp {age} s old", answer(at=NOW - age), "admit")
    floor = BUNDLE.issued_at
    for behind, code in ((0, "admit"), (10, "admit"), (11, "gate_clock"), (86_400, "gate_clock")):
        now = floor - behind
        yield case(f"full code, gate {behind} s below its floor", full(at=now), code, now=now)
        yield case(f"compact code, gate {behind} s below its floor", compact(at=now), code, now=now)
        yield asked(f"answer, gate {behind} s below its floor", answer(at=NOW), "admit", now=now)


def challenges() -> Iterator[Case]:
    def gate(number: int = GATE, **challenge: Any) -> dict[str, Any]:
        return {"number": number, "connected": False, "challenge": {**ASKED, **challenge}}

    none_open = {"number": GATE, "connected": False, "challenge": None}
    yield case("answer, no challenge open", answer(), "wrong_challenge", gate=none_open)
    yield case("answer to the challenge before", answer(challenge=1), "wrong_challenge", gate=gate())
    yield case("answer to another gate's challenge", answer(gate=1), "wrong_challenge", gate=gate())
    yield case("answer shown at another gate", answer(), "wrong_challenge", gate=gate(number=1))
    yield case("answer after 60 s", answer(), "admit", gate=gate(age_seconds=60))
    yield case("answer after 61 s", answer(), "challenge_expired", gate=gate(age_seconds=61))
    yield case("answer after an hour", answer(), "challenge_expired", gate=gate(age_seconds=3600))
    lowest, highest = gate(digits=0), gate(digits=999_999)
    yield case("answer to challenge 000000", answer(challenge=0), "admit", gate=lowest)
    yield case("answer to challenge 999999", answer(challenge=999_999), "admit", gate=highest)
    yield case("full code while a challenge is open", full(), "admit", gate=gate())


def statuses() -> Iterator[Case]:
    for token, code in ((REDEEMED, "already_used"), (REVOKED, "revoked"), (SUSPENDED, "suspended")):
        yield case(f"full code, bundle says {code}", full(credential(token_id=token)), code)
        yield asked(f"answer, bundle says {code}", answer(credential(token_id=token)), code)
        yield case(f"compact code, bundle says {code}", compact(token), code)
        newer = credential(token_id=token, serial=2)
        yield case(f"full code with a higher serial, bundle says {code}", full(newer), code)
    for what, token in {
        "index beyond its batch": token_id(1, 4),
        "last index of a batch": token_id(2, 0xFFFF),
        "batch 0": 0,
    }.items():
        yield case(f"full code, {what}", full(credential(token_id=token)), "unknown_ticket")
        yield case(f"compact code, {what}", compact(token), "show_full")
    for what, issued_at, code in (
        ("60 s before rows_through", ROWS_THROUGH - 60, "admit"),
        ("61 s before rows_through", ROWS_THROUGH - 61, "unknown_ticket"),
        ("a day before", ISSUED, "unknown_ticket"),
    ):
        yield case(f"full code, unlisted and issued {what}", full(_later(issued_at)), code)
        yield asked(f"answer, unlisted and issued {what}", answer(_later(issued_at)), code)
    yield case("compact code, unlisted", compact(LATER), "show_full")
    yield case("compact code, highest token id", compact(MAX_COMPACT_TOKEN_ID), "show_full")
    yield case("compact code, holder key not listed", compact(KEYLESS), "show_full")
    yield case("compact code, no credential listed", compact(UNISSUED), "show_full")


def serials() -> Iterator[Case]:
    newest = full(_of_bob(serial=4), device="bob")
    yield case("full code, serial above the listed", newest, "admit")
    yield case("full code, serial far above the listed", full(_of_bob(serial=0xFFFF), device="bob"), "admit")
    for serial in (1, 2):
        yield case(f"full code, serial {serial} of 3", full(_of_bob(serial=serial), device="bob"), "superseded")
        yield case(f"compact code, serial {serial} of 3", compact(SECOND, serial, device="bob"), "superseded")
    yield case("compact code, serial above the listed", compact(SECOND, 4, device="bob"), "show_full")
    seen = [{"token_id": SECOND, "serial": 4, "key_id": key_id(public("issuer")).hex()}]
    yield case("full code, a newer serial was seen", full(_of_bob(), device="bob"), "superseded", seen=seen)
    yield case("full code, the newest serial seen", newest, "admit", seen=seen)
    yield case("compact code, a newer serial was seen", compact(SECOND, 3, device="bob"), "superseded", seen=seen)
    yield case("compact code, the newest serial seen is not listed", compact(SECOND, 4), "show_full", seen=seen)
    stolen = [{"token_id": SECOND, "serial": 9, "key_id": key_id(public("issuer stolen")).hex()}]
    yield case("full code, a compromised key vouched for a newer", full(_of_bob(), device="bob"), "admit", seen=stolen)
    yield case(
        "compact code, a compromised key vouched for a newer", compact(SECOND, 3, device="bob"), "admit", seen=stolen
    )
    both = [*stolen, *seen]
    yield case("full code, a good key vouched for a newer too", full(_of_bob(), device="bob"), "superseded", seen=both)
    others = [{"token_id": FIRST, "serial": 4, "key_id": key_id(public("issuer")).hex()}]
    yield case("full code, another ticket's serial was seen", full(_of_bob(), device="bob"), "admit", seen=others)


def replays() -> Iterator[Case]:
    used: dict[str, Any] = {"admitted": [{"token_id": FIRST, "at": NOW - 12, "gate_number": 3}]}
    yield case("full code, ticket used", full(), "already_used", **used)
    yield case("compact code, ticket used", compact(), "already_used", **used)
    yield asked("answer, ticket used", answer(), "already_used", **used)
    yield case("full code with a higher serial, ticket used", full(credential(serial=2)), "already_used", **used)
    yield case(
        "full code by another issuing key, ticket used", full(credential(issuer="issuer any")), "already_used", **used
    )
    yield case("full code made a second later, ticket used", full(at=NOW + 1), "already_used", **used)
    yield case("forged code of a used ticket", credential() + bytes(68), "forged", **used)
    yield case("old code of a used ticket", full(at=NOW - 31), "stale", **used)
    later: dict[str, Any] = {"admitted": [{"token_id": LATER, "at": NOW - 12, "gate_number": 3}]}
    yield case("full code, unlisted ticket used", full(_later(NOW - 60)), "already_used", **later)
    yield case("full code, another ticket used", full(), "admit", **later)
    elsewhere = [{"token_id": FIRST, "at": NOW - 12, "gate_number": 3, "event_tag": OTHER_TAG.hex()}]
    yield case("full code, same token of another event used", full(), "admit", admitted=elsewhere)


def policies() -> Iterator[Case]:
    def gate(number: int, connected: bool = False) -> dict[str, Any]:
        return {"number": number, "connected": connected, "challenge": None}

    for kind, payload in (("full", full()), ("compact", compact())):
        yield case(f"{kind} code at a gate that is not enrolled", payload, "not_enrolled", gate=gate(9))
        yield case(f"{kind} code, policy refuse, cut off", payload, "cut_off", bundle="refuse")
        yield case(f"{kind} code, policy refuse, connected", payload, "admit", bundle="refuse", gate=gate(GATE, True))
        yield case(f"{kind} code, policy refuse, the only gate", payload, "admit", bundle="refuse, one gate")
    for token in (FIRST, KEYLESS, UNISSUED, LATER):
        payload = full(_later(NOW - 60) if token == LATER else credential(token_id=token))
        for number in (1, 2, 3):
            code = "admit" if number == _owner(token) else "other_gate"
            name = f"full code, policy home, token {token:#x} at gate {number}"
            yield case(name, payload, code, bundle="home", gate=gate(number))
    yield case("full code, policy home, connected", full(), "admit", bundle="home", gate=gate(1, True))
    yield case("revoked ticket, policy refuse", full(credential(token_id=REVOKED)), "revoked", bundle="refuse")


_SCRIPTS = {"Arabic-Indic": "\u0660", "Devanagari": "\u0966", "fullwidth": "\uff10", "mathematical bold": "\U0001d7ce"}


def _owner(token: int) -> int:
    """SPEC 6.6, written out again."""
    return max((1, 2, 3), key=lambda n: hashlib.sha256(n.to_bytes(2) + TAG + token.to_bytes(8)).digest())


def _of_bob(serial: int = 3) -> bytes:
    return credential("bob", token_id=SECOND, serial=serial, seat=12)


def _later(issued_at: int) -> bytes:
    return credential(token_id=LATER, issued_at=issued_at, seat=0, zone=0)


def _any(tag: bytes) -> bytes:
    return credential(issuer="issuer any", event_tag=tag)


def _highest() -> bytes:
    return credential(
        token_id=(1 << 64) - 1, serial=0xFFFF, class_number=255, zone=255, seat=0xFFFFFF, lifetime_minutes=65_535,
        issued_at=NOW,
    )  # fmt: skip


def _raw_credential(offset: int, value: bytes) -> bytes:
    """A credential the issuer would refuse to make: bytes of the body replaced, then signed all the same."""
    encoded = encode_body(body())
    encoded = encoded[:offset] + value + encoded[offset + len(value) :]
    return encoded + sign(domains.CREDENTIAL, encoded, key("issuer"))


def _credential_with_holder(holder: bytes) -> bytes:
    return _raw_credential(39, holder)


def _answer_with(gate: int, challenge: int, signed: int | None = None) -> bytes:
    head = gate.to_bytes(4) + challenge.to_bytes(4)
    signed_head = gate.to_bytes(4) + (challenge if signed is None else signed).to_bytes(4)
    message = hashlib.sha256(credential()).digest() + signed_head + NOW.to_bytes(4)
    return credential() + head + NOW.to_bytes(4) + sign(domains.ANSWER, message, key("alice"))


def _renewed_compact() -> bytes:
    old = compact(at=NOW - 90)
    return old[:9] + NOW.to_bytes(4) + old[13:]


def _name(domain: bytes) -> str:
    return domain.rstrip(b"\0").decode()

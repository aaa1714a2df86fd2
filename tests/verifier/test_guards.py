"""Each guard on entry is needed: the attack it stops is refused with it, and succeeds once it is taken out.

A guard whose removal changed nothing would be one that no test holds to its promise.
"""

import hashlib
from collections.abc import Callable

import pytest
from nacl.bindings import crypto_scalarmult_ed25519_base_noclamp

from credential import codes, domains
from credential.body import encode_body
from credential.codes import Answer, CompactCode, FullCode
from credential.digits import to_digits
from credential.signing import sign, verify
from tests.vectors import world
from tests.vectors.cases import answer, compact, full
from tests.vectors.curve import SMALL_ORDER, universal_signature
from verifier import check as checks
from verifier import steps
from verifier.check import check
from verifier.log import Index
from verifier.state import GateView, OpenChallenge
from verifier.steps import AnyCode
from verifier.verdict import Code

Attack = Callable[[], Code]


def scan(payload: bytes, index: Index | None = None, challenge: OpenChallenge | None = None) -> Code:
    view = GateView(world.GATE, connected=False, challenge=challenge)
    verdict = check(to_digits(payload), world.NOW, world.KEY_LIST, world.BUNDLE, index or Index(), view)
    return verdict.code


def without(monkeypatch: pytest.MonkeyPatch, kind: type[AnyCode], step: checks.Step) -> None:
    for table in ("AUTHENTIC", "ENTITLED"):
        path = getattr(checks, table)
        kept = tuple(one for one in path[kind] if one is not step)
        monkeypatch.setattr(checks, table, {**path, kind: kept})


def screenshot() -> Code:
    return scan(full(at=world.NOW - 3600))


def screenshot_of_compact() -> Code:
    return scan(compact(at=world.NOW - 3600))


def second_visit() -> Code:
    return _twice(full())


def second_visit_compact() -> Code:
    return _twice(compact())


def stolen_credential() -> Code:
    """Someone who knows the credential, but does not have the phone."""
    return scan(full(device="mallory"))


def stolen_compact() -> Code:
    return scan(compact(device="mallory"))


def seller_after_the_sale() -> Code:
    """The old holder's code, after the ticket moved on."""
    return scan(full(world.credential("bob", token_id=world.SECOND, serial=2), device="bob"))


def seller_after_the_sale_compact() -> Code:
    return scan(compact(world.SECOND, 2, device="bob"))


def made_up_ticket() -> Code:
    body = world.credential()[:71]
    return scan(full(body + sign(domains.CREDENTIAL, body, world.key("mallory"))))


def refunded_ticket() -> Code:
    return scan(full(world.credential(token_id=world.REVOKED)))


def ticket_of_another_event() -> Code:
    return scan(full(world.credential(issuer="issuer any", event_tag=world.OTHER_TAG)))


def yesterdays_ticket() -> Code:
    return scan(full(world.credential(not_before=world.NOW - world.DAY)))


def answer_recorded_and_played_again() -> Code:
    return scan(answer(challenge=1), challenge=OpenChallenge(2, 1.0))


def code_by_a_stolen_key() -> Code:
    return scan(full(world.credential(issuer="issuer stolen")))


GUARDS = [
    (screenshot, FullCode, steps.fresh, Code.STALE),
    (screenshot_of_compact, CompactCode, steps.fresh, Code.STALE),
    (second_visit, FullCode, steps.not_used, Code.ALREADY_USED),
    (second_visit_compact, CompactCode, steps.not_used, Code.ALREADY_USED),
    (stolen_credential, FullCode, steps.holder_signed, Code.FORGED),
    (stolen_compact, CompactCode, steps.compact_holder_signed, Code.FORGED),
    (seller_after_the_sale, FullCode, steps.serial_current, Code.SUPERSEDED),
    (made_up_ticket, FullCode, steps.issuer_signed, Code.FORGED),
    (refunded_ticket, FullCode, steps.status_allows, Code.REVOKED),
    (ticket_of_another_event, FullCode, steps.right_event, Code.WRONG_EVENT),
    (yesterdays_ticket, FullCode, steps.in_window, Code.EXPIRED),
    (answer_recorded_and_played_again, Answer, steps.answers_challenge, Code.WRONG_CHALLENGE),
    (code_by_a_stolen_key, FullCode, steps.key_valid, Code.KEY_NOT_VALID),
]


@pytest.mark.parametrize(("attack", "kind", "guard", "refusal"), GUARDS, ids=[one[0].__name__ for one in GUARDS])
def test_attack_fails_by_its_guard_alone(
    attack: Attack, kind: type[AnyCode], guard: checks.Step, refusal: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attack() is refusal

    without(monkeypatch, kind, guard)

    assert attack() is Code.ADMIT


def test_old_compact_code_fails_by_its_serial_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle has the new holder's key: here it is the same phone, so that only the serial tells them apart."""
    assert seller_after_the_sale_compact() is Code.SUPERSEDED

    without(monkeypatch, CompactCode, steps.compact_serial_current)

    assert seller_after_the_sale_compact() is Code.ADMIT


def test_key_of_small_order_fails_by_the_strict_verification_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature made without any secret: what a verifier that checks the equation only would accept."""
    point = SMALL_ORDER["identity"]
    body = world.body(holder_key=point)
    encoded = encode_body(body)
    credential = encoded + sign(domains.CREDENTIAL, encoded, world.key("issuer"))
    message = hashlib.sha256(credential).digest() + world.NOW.to_bytes(4)
    forged = credential + world.NOW.to_bytes(4) + universal_signature(domains.PRESENTATION + message, point)
    assert scan(forged) is Code.FORGED

    def equation_only(domain: bytes, message: bytes, signature: bytes, public_key: bytes) -> bool:
        return (
            _holds(domain + message, signature)
            if public_key == point
            else verify(domain, message, signature, public_key)
        )

    monkeypatch.setattr(codes, "verify", equation_only)

    assert scan(forged) is Code.ADMIT


def _twice(payload: bytes) -> Code:
    index, view = Index(), GateView(world.GATE)
    first = check(to_digits(payload), world.NOW, world.KEY_LIST, world.BUNDLE, index, view)
    assert first.admission is not None
    index.add(first.admission)
    return scan(payload, index)


def _holds(message: bytes, signature: bytes) -> bool:
    """[S]B = R + [k]A with A the identity: R = [S]B, whatever the message."""
    del message
    return crypto_scalarmult_ed25519_base_noclamp(signature[32:]) == signature[:32]

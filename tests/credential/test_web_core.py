"""The browser's modules read and refuse exactly what Python's do."""

import random
import uuid
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from credential import domains
from credential.binding import Binding, sign_possession
from credential.body import Body
from credential.bundle import (
    Batch,
    Bundle,
    Gate,
    OfflinePolicy,
    Status,
    Ticket,
    TicketClass,
    Tickets,
    Zone,
    decode_bundle,
    key_list_digest,
    sign_bundle,
    verify_bundle,
)
from credential.codes import answer_challenge, decode_code, present_compact, present_full
from credential.delta import apply_delta, make_delta
from credential.digits import from_digits, to_digits
from credential.ids import event_tag, key_id, token_id
from credential.keylist import (
    KeyEntry,
    KeyList,
    Reason,
    Role,
    TrustRoot,
    decode_key_list,
    sign_key_list,
    verify_key_list,
)
from credential.results import Malformed
from credential.signing import public_key_of, sign_credential, verify
from tests.support.node import run_module

SCRIPT = Path(__file__).parent / "web_core.mjs"
MUTANTS = 300  # of each kind; a few seconds
NOW = 1_900_000_000
ROOT, ISSUER, BUNDLER, GATE_KEY, DEVICE = (SigningKey(bytes([number]) * 32) for number in range(1, 6))
PLATFORM, EVENT = bytes(range(16)), uuid.UUID(int=7)
TAG = event_tag(PLATFORM, EVENT)

LIST = KeyList(
    PLATFORM,
    3,
    NOW - 100,
    NOW + 9000,
    1,
    (public_key_of(ROOT),),
    (
        KeyEntry(public_key_of(ISSUER), Role.ISSUING, None, NOW - 99, NOW + 99),
        KeyEntry(public_key_of(BUNDLER), Role.BUNDLE, TAG, NOW - 99, NOW + 99, NOW, Reason.ROTATED),
    ),
)
BUNDLE = Bundle(
    event_tag=TAG,
    event_id=EVENT,
    event_index=9,
    event_name="夏夜 Summer　Night 👩‍🎤",
    chain_id=2**63,
    contract=bytes(range(20)),
    version=4,
    issued_at=NOW - 10,
    rows_through=NOW - 20,
    index_through=NOW - 30,
    freeze=0,
    doors=NOW,
    ends=NOW + 500,
    offline_policy=OfflinePolicy.HOME,
    key_list_version=3,
    key_list_digest=key_list_digest(LIST),
    classes=(TicketClass(1, "Standing", NOW, NOW + 9), TicketClass(4, "", 1, 2)),
    zones=(Zone(0, "East"), Zone(3, "West")),
    gates=(Gate(1, "North", public_key_of(GATE_KEY)), Gate(2, "South", None)),
    batches=(Batch(3, 1), Batch(2, 4)),
    tickets=Tickets.of(Ticket(Status(rank % 4), rank, public_key_of(DEVICE), 1, rank) for rank in range(5)),
)
NEXT = replace(
    BUNDLE,
    version=5,
    batches=(*BUNDLE.batches, Batch(1, 1)),
    tickets=BUNDLE.tickets.with_rows(6, {0: Ticket(Status.REVOKED, 9), 5: Ticket(serial=1)}),
)


def _ask(questions: list[dict[str, Any]]) -> list[Any]:
    answers: list[Any] = run_module(SCRIPT, asked=questions)
    return answers


def _codes() -> list[bytes]:
    body = Body(0, key_id(public_key_of(ISSUER)), TAG, token_id(2, 1), 7, 4, 3, 99, 0, NOW, 60, NOW - 5, _device())
    credential = sign_credential(body, ISSUER)
    return [
        present_full(credential, NOW, DEVICE),
        present_compact(9, TAG, token_id(2, 1), 7, NOW, DEVICE),
        answer_challenge(credential, 1, 999, NOW, DEVICE),
    ]


def _device() -> bytes:
    return public_key_of(DEVICE)


def _mutants(data: bytes, seed: int, count: int = MUTANTS) -> list[bytes]:
    """Flipped, cut, extended and spliced versions of `data`."""
    chance = random.Random(seed)
    made = [data, b""]
    while len(made) < count:
        at, kind = chance.randrange(len(data)), chance.randrange(8)
        if kind == 0:
            made.append(data[:at])
        elif kind == 1:
            made.append(data + chance.randbytes(1 + at % 3))
        elif kind == 2:
            made.append(data[:at] + data[at + 1 :])
        else:
            flipped = bytearray(data)
            flipped[at] ^= 1 << chance.randrange(8)
            made.append(bytes(flipped))
    return made


def _reason(answer: Any) -> str:
    if isinstance(answer, dict):
        return answer.get("reason") or "ok"
    return str(answer)


def _python_reason(answer: object) -> str:
    return getattr(answer, "reason", "ok")


@pytest.mark.parametrize("index", range(3), ids=["full", "compact", "answer"])
def test_both_read_the_same_codes(index: int) -> None:
    made = _mutants(_codes()[index], index)
    answers = _ask([{"ask": "code", "data": data.hex()} for data in made])
    for data, answer in zip(made, answers, strict=True):
        expected = decode_code(data)
        assert _reason(answer) == _python_reason(expected)
        if not isinstance(expected, Malformed):
            assert answer["timestamp"] == expected.timestamp
            assert answer["signature"] == expected.signature.hex()
    first = answers[0]
    if index != 1:
        body = first["credential"]["body"]
        assert [body[name] for name in ("tokenId", "serial", "classNumber", "zone", "seat", "notAfter")] == [
            str(token_id(2, 1)),
            7,
            4,
            3,
            99,
            NOW + 3600,
        ]
        assert body["holderKey"] == _device().hex()


def test_both_read_the_same_texts() -> None:
    texts = [to_digits(code) for code in _codes()]
    texts += [text[:-1] for text in texts] + [text + "\n" for text in texts] + ["9" * len(text) for text in texts]
    texts += [
        "",
        "\uff10" * 186,
        "\u0663" * 186,
        "\U0001d7ce" * 186,
        "\U0001d7ce" * 93,
        "-" + "0" * 185,
        "1_0" * 62,
        " " * 489,
        "1" * 1_000_000,
    ]
    answers = _ask([{"ask": "digits", "text": text} for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        expected = from_digits(text)
        if isinstance(expected, Malformed):
            assert answer["reason"] == expected.reason, text[:200]
        else:
            assert answer == expected.hex()
    back = _ask([{"ask": "round_trip", "data": code.hex()} for code in _codes()])
    assert back == [to_digits(code) for code in _codes()]


def test_both_read_the_same_key_lists() -> None:
    made = _mutants(sign_key_list(LIST, [ROOT]), 10)
    for data, answer in zip(made, _ask([{"ask": "key_list", "data": data.hex()} for data in made]), strict=True):
        expected = decode_key_list(data)
        assert _reason(answer) == _python_reason(expected)
        if not isinstance(expected, Malformed):
            assert answer["version"] == expected[0].version
            assert [one["publicKey"] for one in answer["entries"]] == [
                one.public_key.hex() for one in expected[0].entries
            ]


def test_both_trust_the_same_key_lists() -> None:
    other = SigningKey(b"o" * 32)
    root = {"platform_id": PLATFORM.hex(), "threshold": 1, "root_keys": [public_key_of(ROOT).hex()]}
    cases = [
        (sign_key_list(LIST, [ROOT]), NOW, 0),
        (sign_key_list(LIST, [other]), NOW, 0),
        (sign_key_list(LIST, []), NOW, 0),
        (sign_key_list(LIST, [ROOT]), NOW + 9000, 0),
        (sign_key_list(LIST, [ROOT]), NOW, 4),
        (sign_key_list(replace(LIST, platform_id=bytes(16)), [ROOT]), NOW, 0),
        (sign_key_list(replace(LIST, root_keys=(public_key_of(other),)), [ROOT]), NOW, 0),
        (sign_key_list(replace(LIST, root_keys=(public_key_of(other),)), [ROOT, other]), NOW, 0),
    ]
    asked = [
        {"ask": "verify_key_list", "data": data.hex(), "root": root, "now": now, "seen": seen}
        for data, now, seen in cases
    ]
    trusted = TrustRoot(PLATFORM, 1, (public_key_of(ROOT),))
    answers = _ask(asked)
    assert answers == [_python_reason(verify_key_list(data, trusted, now, seen)) for data, now, seen in cases]
    assert len(set(answers)) == 5


def test_both_read_the_same_bundles() -> None:
    made = _mutants(sign_bundle(BUNDLE, BUNDLER), 20)
    for data, answer in zip(made, _ask([{"ask": "bundle", "data": data.hex()} for data in made]), strict=True):
        expected = decode_bundle(data)
        assert _reason(answer) == _python_reason(expected)
        if isinstance(expected, Bundle):
            assert answer["eventName"] == expected.event_name
            assert answer["chainId"] == str(expected.chain_id)
            assert [asdict(one) for one in expected.classes] == answer["classes"]
            assert [one["publicKey"] for one in answer["gates"]] == [
                one.public_key.hex() if one.public_key else None for one in expected.gates
            ]
            assert [(one["status"], one["serial"], one["zone"], one["seat"]) for one in answer["rows"]] == [
                (row.status, row.serial, row.zone, row.seat) for row in expected.tickets
            ]
            assert [one["holderKey"] for one in answer["rows"]] == [
                row.holder_key.hex() if row.holder_key else None for row in expected.tickets
            ]


def test_both_trust_the_same_bundles() -> None:
    other_list = replace(LIST, issued=LIST.issued + 1)
    cases = [
        (sign_bundle(BUNDLE, BUNDLER), LIST, 0),
        (sign_bundle(BUNDLE, BUNDLER), LIST, 5),
        (sign_bundle(BUNDLE, ISSUER), LIST, 0),
        (sign_bundle(BUNDLE, BUNDLER)[:-1] + b"\0", LIST, 0),
        (sign_bundle(BUNDLE, BUNDLER), other_list, 0),
        (sign_bundle(BUNDLE, BUNDLER), replace(LIST, version=2), 0),
        (sign_bundle(BUNDLE, BUNDLER), replace(LIST, version=4), 0),
        (sign_bundle(BUNDLE, BUNDLER), replace(LIST, platform_id=bytes(16)), 0),
        (sign_bundle(replace(BUNDLE, issued_at=NOW + 1), BUNDLER), LIST, 0),
    ]
    asked = [
        {"ask": "verify_bundle", "data": data.hex(), "list": sign_key_list(one, [ROOT]).hex(), "seen": seen}
        for data, one, seen in cases
    ]
    answers = _ask(asked)
    assert answers == [_python_reason(verify_bundle(data, one, seen)) for data, one, seen in cases]
    assert len(set(answers)) == 8


def test_both_apply_the_same_deltas() -> None:
    base, following = sign_bundle(BUNDLE, BUNDLER), sign_bundle(NEXT, BUNDLER)
    made = _mutants(make_delta(base, following), 30)
    asked = [{"ask": "delta", "base": base.hex(), "data": data.hex()} for data in made]
    answers = _ask(asked)
    assert answers[0] == following.hex()
    for data, answer in zip(made, answers, strict=True):
        expected = apply_delta(base, data)
        assert answer == (expected.hex() if isinstance(expected, bytes) else {"reason": expected.reason})


def test_both_accept_the_same_signatures() -> None:
    signature = DEVICE.sign(b"message").signature
    keys = [_device(), bytes(32), b"\x01" + bytes(31), b"\xff" * 32, _device()[:31]]
    signatures = [*_mutants(signature, 40, 60), signature[:32] + bytes(32)]
    cases = [(key, one) for key in keys for one in signatures]
    asked = [
        {"ask": "signature", "data": b"message".hex(), "signature": one.hex(), "key": key.hex()} for key, one in cases
    ]
    assert _ask(asked) == [verify(b"", b"message", one, key) for key, one in cases]


def test_both_sign_the_same_binding() -> None:
    binding = Binding(TAG, token_id(1, 2), 3, 4, _device(), NOW)
    asked = {
        "ask": "possession",
        "platform": PLATFORM.hex(),
        "binding": {
            "eventTag": TAG.hex(),
            "tokenId": token_id(1, 2),
            "epoch": 3,
            "number": 4,
            "deviceKey": _device().hex(),
            "expiry": NOW,
        },
    }
    message = bytes.fromhex(_ask([asked])[0])
    assert message.startswith(domains.POSSESSION)
    assert DEVICE.sign(message).signature == sign_possession(PLATFORM, binding, DEVICE)

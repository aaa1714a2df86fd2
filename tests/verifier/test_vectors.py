"""The public contract: every vector, and every expanded flip, gives the verdict it must."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from nacl.signing import SigningKey

from credential.body import Body, decode_body
from credential.bundle import Bundle, verify_bundle
from credential.codes import answer_challenge, present_compact, present_full
from credential.digits import from_digits, to_digits
from credential.keylist import KeyList, TrustRoot, verify_key_list
from credential.signing import sign_credential
from tests.vectors.make_credential import PATH, text
from verifier.check import check
from verifier.state import GateView, OpenChallenge
from verifier.verdict import Admission, Kind, Verdict
from verifier.words import Colour, words_for

DOCUMENT: dict[str, Any] = json.loads(PATH.read_text())
CASES: list[dict[str, Any]] = DOCUMENT["cases"]
FLIPS: list[dict[str, Any]] = DOCUMENT["flips"]


class VectorMemory:
    """The gate's memory as a vector states it."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def admission(self, event_tag: bytes, token_id: int) -> Admission | None:
        for one in self.settings["admitted"]:
            if one["token_id"] == token_id and one.get("event_tag", DOCUMENT["event_tag"]) == event_tag.hex():
                return Admission(event_tag, token_id, 1, bytes(4), Kind.FULL, one["at"], one["gate_number"], 1, b"")
        return None

    def seen_serials(self, event_tag: bytes, token_id: int) -> Mapping[bytes, int]:
        mine = [one for one in self.settings["seen"] if one["token_id"] == token_id]
        return {bytes.fromhex(one["key_id"]): one["serial"] for one in mine if event_tag}


@pytest.mark.parametrize("vector", CASES, ids=[one["name"] for one in CASES])
def test_vector_gives_its_verdict(vector: dict[str, Any]) -> None:
    verdict = _check(vector["text"], vector)

    assert verdict.code == vector["code"]
    assert (words_for(verdict, vector.get("now", 0)).colour is Colour.GREEN) == (vector["code"] == "admit")


@pytest.mark.parametrize("vector", FLIPS, ids=[one["name"] for one in FLIPS])
def test_every_flipped_bit_gives_its_verdict(vector: dict[str, Any]) -> None:
    payload = bytes.fromhex(vector["payload"])
    assert _check(to_digits(payload), vector).code == "admit"

    wrong = [
        (bit, expected, verdict.code)
        for bit, expected in _bits(vector["expect"])
        if (verdict := _check(to_digits(_flipped(payload, bit)), vector)).code != expected
    ]

    assert not wrong
    assert [bit for bit, _ in _bits(vector["expect"])] == list(range(8 * len(payload)))


def test_there_are_as_many_vectors_as_promised() -> None:
    names = [one["name"] for one in CASES]

    assert len(names) == len(set(names)) >= 200


def test_every_verdict_of_a_check_has_a_vector() -> None:
    from verifier.verdict import Code

    of_the_shell = {Code.NO_DATA, Code.NOT_RECORDED}
    assert {one["code"] for one in CASES} == {str(code) for code in set(Code) - of_the_shell}


def test_file_is_what_the_script_makes() -> None:
    assert PATH.read_text() == text()


def test_encoders_make_the_stated_bytes() -> None:
    made = {one["what"]: one for one in DOCUMENT["made"]}
    fields = dict(made["credential"]["body"])
    for name in ("key_id", "event_tag", "holder_key"):
        fields[name] = bytes.fromhex(fields[name])
    device, now = _key(made["full"]["device"]), made["full"]["timestamp"]

    credential = sign_credential(Body(**fields), _key(made["credential"]["issuer"]))
    small, asked = made["compact"], made["answer"]
    codes = {
        "full": present_full(credential, now, device),
        "compact": present_compact(
            small["event_index"], bytes.fromhex(small["event_tag"]), small["token_id"], small["serial"], now, device
        ),
        "answer": answer_challenge(credential, asked["gate_number"], asked["challenge"], now, device),
    }

    assert credential.hex() == made["credential"]["bytes"]
    assert decode_body(credential[:71]) == Body(**fields)
    for what, code in codes.items():
        assert (code.hex(), to_digits(code)) == (made[what]["bytes"], made[what]["text"])
        assert from_digits(made[what]["text"]) == code


def _check(scanned: str, vector: Mapping[str, Any]) -> Verdict:
    settings = {**DOCUMENT["defaults"], **vector}
    gate, challenge = settings["gate"], settings["gate"]["challenge"]
    view = GateView(gate["number"], gate["connected"], OpenChallenge(**challenge) if challenge else None)
    key_list, bundle = _trusted(settings["key_list"], settings["bundle"])
    return check(scanned, settings["now"], key_list, bundle, VectorMemory(settings), view)


@cache
def _trusted(key_list_name: str, bundle_name: str) -> tuple[KeyList, Bundle]:
    stated = DOCUMENT["trust_root"]
    roots = tuple(bytes.fromhex(root) for root in stated["root_keys"])
    trust_root = TrustRoot(bytes.fromhex(stated["platform_id"]), stated["threshold"], roots)
    key_list = verify_key_list(bytes.fromhex(DOCUMENT["key_lists"][key_list_name]), trust_root, now=0)
    assert isinstance(key_list, KeyList)
    bundle = verify_bundle(bytes.fromhex(DOCUMENT["bundles"][bundle_name]), key_list)
    assert isinstance(bundle, Bundle)
    return key_list, bundle


def _key(label: str) -> SigningKey:
    return SigningKey(bytes.fromhex(DOCUMENT["keys"][label]["seed"]))


def _bits(runs: list[tuple[int, int, str]]) -> Iterator[tuple[int, str]]:
    for first, last, code in runs:
        for bit in range(first, last + 1):
            yield bit, code


def _flipped(payload: bytes, bit: int) -> bytes:
    raw = bytearray(payload)
    raw[bit // 8] ^= 0x80 >> bit % 8
    return bytes(raw)

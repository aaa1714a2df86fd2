"""Bodies, credentials, codes and digits: one encoding each, and nothing else is taken for it."""

import struct
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from credential import domains
from credential.body import BODY_BYTES, Body, decode_body, encode_body
from credential.codes import (
    Answer,
    CompactCode,
    FullCode,
    answer_challenge,
    decode_code,
    decode_credential,
    present_compact,
    present_full,
)
from credential.digits import DIGITS_OF, from_digits, to_digits
from credential.ids import event_tag, key_id, token_id
from credential.results import Malformed
from credential.signing import is_valid_holder_key, sign, sign_credential, verify
from tests.vectors import curve, world

EXAMPLES = 300
bodies = st.builds(
    Body,
    version=st.just(0),
    key_id=st.binary(min_size=4, max_size=4),
    event_tag=st.binary(min_size=8, max_size=8),
    token_id=st.integers(0, (1 << 64) - 1),
    serial=st.integers(1, 0xFFFF),
    class_number=st.integers(0, 255),
    zone=st.integers(0, 255),
    seat=st.integers(0, 0xFFFFFF),
    flags=st.just(0),
    not_before=st.integers(0, 0xFFFFFFFF),
    lifetime_minutes=st.integers(1, 0xFFFF),
    issued_at=st.integers(0, 0xFFFFFFFF),
    holder_key=st.binary(min_size=32, max_size=32),
)


def test_body_has_the_bytes_of_the_specification() -> None:
    body = world.body()
    seat = body.seat.to_bytes(3)

    packed = struct.pack(">B4s8sQHBB", 0, body.key_id, body.event_tag, body.token_id, body.serial, 1, 1)
    packed += seat + struct.pack(">BIHI32s", 0, body.not_before, body.lifetime_minutes, body.issued_at, body.holder_key)

    assert encode_body(body) == packed
    assert len(packed) == BODY_BYTES == 71


def test_sizes_are_those_of_the_design() -> None:
    credential = world.credential()
    device = world.key("alice")

    sizes = [
        len(credential),
        len(present_full(credential, world.NOW, device)),
        len(present_compact(5, world.TAG, world.FIRST, 1, world.NOW, device)),
        len(answer_challenge(credential, 2, 123456, world.NOW, device)),
    ]

    assert sizes == [135, 203, 77, 211]
    assert DIGITS_OF == {77: 186, 203: 489, 211: 509}


@given(bodies)
@settings(max_examples=EXAMPLES)
def test_body_comes_back_as_it_went(body: Body) -> None:
    assert decode_body(encode_body(body)) == body


@given(st.binary(min_size=BODY_BYTES, max_size=BODY_BYTES))
@settings(max_examples=EXAMPLES)
def test_body_has_one_encoding(data: bytes) -> None:
    decoded = decode_body(b"\0" + data[1:])
    assert isinstance(decoded, Malformed) or encode_body(decoded) == b"\0" + data[1:]


@given(st.binary(max_size=300))
@settings(max_examples=EXAMPLES)
def test_decoders_never_raise(data: bytes) -> None:
    for decode in (decode_body, decode_credential, decode_code):
        assert decode(data) is not None


@given(st.text(max_size=600) | st.text("0123456789", min_size=186, max_size=186))
@settings(max_examples=EXAMPLES)
def test_digits_have_one_text(text: str) -> None:
    payload = from_digits(text)
    assert isinstance(payload, Malformed) or to_digits(payload) == text


@given(st.sampled_from(sorted(DIGITS_OF)).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
@settings(max_examples=EXAMPLES)
def test_payload_comes_back_from_its_digits(payload: bytes) -> None:
    assert from_digits(to_digits(payload)) == payload


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:-1], "wrong_length"),
        (lambda raw: raw + b"\0", "wrong_length"),
        (lambda _: b"", "wrong_length"),
        (lambda raw: b"\1" + raw[1:], "unknown_version"),
        (lambda raw: raw[:28] + b"\1" + raw[29:], "unknown_flags"),
        (lambda raw: raw[:21] + bytes(2) + raw[23:], "serial_zero"),
        (lambda raw: raw[:33] + bytes(2) + raw[35:], "lifetime_zero"),
    ],
)
def test_body_out_of_form_is_named(change: Callable[[bytes], bytes], reason: str) -> None:
    assert decode_body(change(encode_body(world.body()))) == Malformed(reason)


@pytest.mark.parametrize("field", [one.name for one in fields(Body) if one.type in {"int", int}])
@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_encoder_names_the_field_that_does_not_fit(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=field if field not in {"serial", "lifetime_minutes"} else "serial|lifetime"):
        encode_body(replace(world.body(), **{field: value}))  # type: ignore[arg-type]  # every field in turn


def test_encoders_refuse_what_gates_would() -> None:
    credential, device = world.credential(), world.key("alice")

    for wrong in (
        lambda: present_full(credential[:-1], world.NOW, device),
        lambda: present_full(credential, -1, device),
        lambda: present_compact(4096, world.TAG, world.FIRST, 1, world.NOW, device),
        lambda: present_compact(5, world.TAG, 1 << 40, 1, world.NOW, device),
        lambda: present_compact(5, world.TAG, world.FIRST, 0, world.NOW, device),
        lambda: present_compact(5, world.TAG[:7], world.FIRST, 1, world.NOW, device),
        lambda: answer_challenge(credential, 0, 1, world.NOW, device),
        lambda: answer_challenge(credential, 1000, 1, world.NOW, device),
        lambda: answer_challenge(credential, 1, 1_000_000, world.NOW, device),
        lambda: to_digits(bytes(100)),
        lambda: token_id(0, 1),
        lambda: token_id(1, 1 << 16),
        lambda: key_id(bytes(31)),
    ):
        with pytest.raises(ValueError, match=r".+"):
            wrong()


def test_issuer_refuses_a_body_that_names_another_key() -> None:
    with pytest.raises(ValueError, match="key_id"):
        sign_credential(world.body(), world.key("mallory"))


@pytest.mark.parametrize("point", curve.SMALL_ORDER.values(), ids=curve.SMALL_ORDER)
def test_issuer_refuses_holder_keys_of_small_order(point: bytes) -> None:
    assert not is_valid_holder_key(point)
    with pytest.raises(ValueError, match="holder_key"):
        sign_credential(world.body(holder_key=point), world.key("issuer"))


def test_issuer_refuses_holder_keys_of_mixed_order() -> None:
    assert not is_valid_holder_key(curve.mixed_order_key(world.key("alice")))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_keys_and_signatures_of_other_lengths_never_raise(length: int) -> None:
    assert not is_valid_holder_key(bytes(length))
    assert not verify(domains.CREDENTIAL, b"", bytes(64), bytes(length))
    assert not verify(domains.CREDENTIAL, b"", bytes(length if length != 64 else 65), world.public("alice"))


def test_domain_tags_are_distinct_and_none_begins_another() -> None:
    for one in domains.ALL:
        assert one.startswith(b"truestub/")
        assert one.endswith(b"/1\0")
        assert [other for other in domains.ALL if other.startswith(one)] == [one]


@pytest.mark.parametrize("domain", domains.ALL)
def test_signature_fits_its_own_domain_only(domain: bytes) -> None:
    key = SigningKey(bytes(range(32)))
    signature = sign(domain, b"message", key)

    fitting = [other for other in domains.ALL if verify(other, b"message", signature, bytes(key.verify_key))]

    assert fitting == [domain]


def test_codes_of_each_kind_are_told_apart_by_length() -> None:
    credential, device = world.credential(), world.key("alice")

    full = decode_code(present_full(credential, 5, device))
    compact = decode_code(present_compact(5, world.TAG, world.FIRST, 2, 6, device))
    answer = decode_code(answer_challenge(credential, 999, 999_999, 7, device))

    assert isinstance(full, FullCode)
    assert isinstance(compact, CompactCode)
    assert isinstance(answer, Answer)
    assert (full.timestamp, full.is_signed_by_holder()) == (5, True)
    assert (compact.event_index, compact.token_id, compact.serial, compact.timestamp) == (5, world.FIRST, 2, 6)
    assert compact.is_signed_by_holder(world.TAG, world.public("alice"))
    assert (answer.gate_number, answer.challenge, answer.timestamp) == (999, 999_999, 7)
    assert answer.is_signed_by_holder()


def test_event_tag_depends_on_platform_and_event() -> None:
    tags = {event_tag(platform, event) for platform in (world.PLATFORM, world.OTHER_PLATFORM)
            for event in (world.EVENT, world.OTHER_EVENT)}  # fmt: skip

    assert len(tags) == 4


def test_window_and_plans_of_real_events_fit() -> None:
    """A six-week festival, 16 million seats, 65,535 places a batch: what the sizes were chosen for."""
    festival = replace(world.body(), lifetime_minutes=42 * 24 * 60, seat=16_000_000, token_id=token_id(1 << 20, 0xFFFF))

    assert decode_body(encode_body(festival)) == festival
    assert festival.not_after == festival.not_before + 42 * world.DAY

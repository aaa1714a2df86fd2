"""Key lists: TUF's rules. Who may say which keys count, and what a withdrawn key's word is worth."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credential.keylist import (
    KeyEntry,
    KeyList,
    Reason,
    Role,
    TrustRoot,
    decode_key_list,
    encode_key_list,
    sign_key_list,
    verify_key_list,
)
from credential.results import Malformed, Untrusted
from tests.vectors import world
from tests.vectors.curve import SMALL_ORDER

SIGNED = sign_key_list(world.KEY_LIST, [world.key("root 1"), world.key("root 2")])
ENTRY = world.KEY_LIST.entries[0]


def verdict(
    data: bytes, trusted: TrustRoot | KeyList = world.TRUST_ROOT, seen: int = 0
) -> KeyList | Malformed | Untrusted:
    return verify_key_list(data, trusted, world.NOW, seen)


def test_list_signed_by_enough_roots_is_taken() -> None:
    taken = verdict(SIGNED)

    assert isinstance(taken, KeyList)
    assert encode_key_list(taken) == encode_key_list(world.KEY_LIST)
    assert set(taken.entries) == set(world.KEY_LIST.entries)


def test_order_of_entries_and_roots_makes_no_difference() -> None:
    turned = replace(world.KEY_LIST, entries=world.KEY_LIST.entries[::-1], root_keys=world.KEY_LIST.root_keys[::-1])

    assert encode_key_list(turned) == encode_key_list(world.KEY_LIST)


@pytest.mark.parametrize(
    "signers",
    [[], ["root 1"], ["root 1", "mallory"], ["mallory", "alice", "bob"]],
    ids=["nobody", "one of two", "one and a stranger", "strangers"],
)
def test_fewer_roots_than_the_threshold_are_not_enough(signers: list[str]) -> None:
    data = sign_key_list(world.KEY_LIST, [world.key(one) for one in signers])

    assert verdict(data) == Untrusted("not_enough_root_signatures")


def test_one_root_that_signs_twice_counts_once() -> None:
    data = sign_key_list(world.KEY_LIST, [world.key("root 1"), world.key("root 1")])

    assert verdict(data) == Malformed("not_in_order")


def test_stranger_beside_enough_roots_does_no_harm() -> None:
    data = sign_key_list(world.KEY_LIST, [world.key(one) for one in ("root 1", "root 3", "mallory")])

    assert isinstance(verdict(data), KeyList)


def test_every_flipped_bit_is_refused() -> None:
    taken = []
    for bit in range(8 * len(SIGNED)):
        flipped = bytearray(SIGNED)
        flipped[bit // 8] ^= 1 << bit % 8
        if isinstance(verdict(bytes(flipped)), KeyList):
            taken.append(bit)

    assert taken == []


def test_every_cut_is_refused() -> None:
    assert [cut for cut in range(len(SIGNED)) if isinstance(verdict(SIGNED[:cut]), KeyList)] == []
    assert verdict(SIGNED + b"\0") == Malformed("trailing_bytes")


@given(st.binary(max_size=400))
@settings(max_examples=300)
def test_random_bytes_are_refused(data: bytes) -> None:
    assert isinstance(verdict(data), Malformed)
    assert isinstance(verdict(SIGNED[:5] + data), Malformed | Untrusted)


def test_older_list_is_refused() -> None:
    assert verdict(SIGNED, seen=8) == Untrusted("older_version")
    assert isinstance(verdict(SIGNED, seen=7), KeyList)


def test_other_list_under_the_same_version_is_refused() -> None:
    other = replace(world.KEY_LIST, expires=world.KEY_LIST.expires + 1)
    data = sign_key_list(other, [world.key("root 1"), world.key("root 2")])

    assert verdict(data, world.KEY_LIST) == Untrusted("same_version_other_content")
    assert isinstance(verdict(SIGNED, world.KEY_LIST), KeyList)


def test_expired_list_is_refused() -> None:
    assert verify_key_list(SIGNED, world.TRUST_ROOT, world.KEY_LIST.expires) == Untrusted("expired")


def test_list_of_another_platform_is_refused() -> None:
    trusted = replace(world.TRUST_ROOT, platform_id=world.OTHER_PLATFORM)

    assert verdict(SIGNED, trusted) == Untrusted("other_platform")


def test_new_roots_need_the_old_ones_and_the_old_ones_need_the_new() -> None:
    handover = replace(world.KEY_LIST, version=8, threshold=1, root_keys=(world.public("mallory"),))
    old = [world.key("root 1"), world.key("root 2")]

    assert verdict(sign_key_list(handover, [world.key("mallory")])) == Untrusted("not_enough_root_signatures")
    assert verdict(sign_key_list(handover, old)) == Untrusted("not_enough_root_signatures")
    assert isinstance(verdict(sign_key_list(handover, [*old, world.key("mallory")])), KeyList)


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 0},
        {"threshold": 4},
        {"version": 0},
        {"expires": world.KEY_LIST.issued},
        {"entries": (ENTRY, replace(ENTRY, role=Role.GATE))},
        {"entries": (replace(ENTRY, public_key=world.public("root 1")),)},
        {"entries": (replace(ENTRY, public_key=SMALL_ORDER["identity"]),)},
        {"entries": (replace(ENTRY, revoked_at=5),)},
        {"entries": (replace(ENTRY, reason=Reason.ROTATED),)},
        {"entries": (replace(ENTRY, event_tag=bytes(8)),)},
        {"entries": (replace(ENTRY, not_after=ENTRY.not_before),)},
        {"root_keys": (world.public("root 1"), world.public("root 1"))},
    ],
)
def test_list_that_makes_no_sense_is_neither_made_nor_read(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_key_list(replace(world.KEY_LIST, **change))  # type: ignore[arg-type]


def test_unknown_version_role_and_reason_are_refused() -> None:
    encoded = encode_key_list(world.KEY_LIST)
    first_entry = len(encoded) - 54 * len(world.KEY_LIST.entries)
    for at, value in ((3, 1), (first_entry + 32, 9), (first_entry + 53, 9)):
        altered = bytearray(SIGNED)
        altered[at] = value
        assert isinstance(decode_key_list(bytes(altered)), Malformed)


@pytest.mark.parametrize(
    ("entry", "signed_at", "holds"),
    [
        (ENTRY, ENTRY.not_before - 1, False),
        (ENTRY, ENTRY.not_before, True),
        (ENTRY, ENTRY.not_after - 1, True),
        (ENTRY, ENTRY.not_after, False),
        (replace(ENTRY, revoked_at=world.NOW, reason=Reason.ROTATED), world.NOW, True),
        (replace(ENTRY, revoked_at=world.NOW, reason=Reason.ROTATED), world.NOW + 1, False),
        (replace(ENTRY, revoked_at=world.NOW, reason=Reason.COMPROMISED), world.NOW - 999, False),
    ],
)
def test_word_of_a_key_holds_within_its_time(entry: KeyEntry, signed_at: int, holds: bool) -> None:
    assert entry.may_sign_at(signed_at) is holds


def test_key_of_one_role_is_not_found_for_another() -> None:
    issuing = world.KEY_LIST.entries[0]

    assert world.KEY_LIST.find(issuing.key_id, Role.ISSUING) == issuing
    assert world.KEY_LIST.find(issuing.key_id, Role.BUNDLE) is None

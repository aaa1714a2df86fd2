"""Bundles and deltas: one encoding, one signature to trust, and sizes that fifty thousand tickets can live with."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credential.bundle import (
    Batch,
    Bundle,
    Gate,
    Status,
    Ticket,
    TicketClass,
    Tickets,
    decode_bundle,
    encode_bundle,
    sign_bundle,
    verify_bundle,
)
from credential.delta import apply_delta, make_delta
from credential.ids import token_id
from credential.results import Malformed, Untrusted
from tests.vectors import world
from tests.vectors.curve import SMALL_ORDER

SIGNED = sign_bundle(world.BUNDLE, world.key("bundle"))
FIFTY_THOUSAND = 50_000

tickets = st.builds(
    Ticket,
    status=st.sampled_from(Status),
    serial=st.integers(0, 0xFFFF),
    holder_key=st.none() | st.binary(min_size=32, max_size=32).filter(any),
    zone=st.integers(0, 255),
    seat=st.integers(0, 0xFFFFFF),
)


def signed(**changes: object) -> bytes:
    return sign_bundle(replace(world.BUNDLE, **changes), world.key("bundle"))  # type: ignore[arg-type]


def with_tickets(rows: list[Ticket]) -> bytes:
    return signed(batches=(Batch(len(rows), 1),), tickets=Tickets.of(rows))


def test_bundle_comes_back_as_it_went() -> None:
    assert verify_bundle(SIGNED, world.KEY_LIST) == world.BUNDLE


@given(st.lists(tickets, max_size=30))
@settings(max_examples=200)
def test_rows_come_back_as_they_went(rows: list[Ticket]) -> None:
    bundle = verify_bundle(with_tickets(rows), world.KEY_LIST)

    assert isinstance(bundle, Bundle)
    assert list(bundle.tickets) == rows


def test_every_cut_and_every_flipped_bit_is_refused() -> None:
    taken = [cut for cut in range(len(SIGNED)) if isinstance(verify_bundle(SIGNED[:cut], world.KEY_LIST), Bundle)]
    for bit in range(8 * len(SIGNED)):
        flipped = bytearray(SIGNED)
        flipped[bit // 8] ^= 1 << bit % 8
        if isinstance(verify_bundle(bytes(flipped), world.KEY_LIST), Bundle):
            taken.append(bit)

    assert taken == []
    assert verify_bundle(SIGNED + b"\0", world.KEY_LIST) == Malformed("trailing_bytes")


@given(st.binary(max_size=500))
@settings(max_examples=300)
def test_random_bytes_are_refused(data: bytes) -> None:
    assert isinstance(verify_bundle(data, world.KEY_LIST), Malformed)
    assert isinstance(decode_bundle(SIGNED[:40] + data), Malformed)
    assert isinstance(apply_delta(SIGNED, b"TSD\0" + data), Malformed)


def test_counts_that_promise_more_than_there_is_cost_nothing() -> None:
    """A few bytes that claim billions of batches or tickets must not make a gate reserve memory for them."""
    head = SIGNED[: SIGNED.index(b"Gate 3") + 6 + 32]
    for batches in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x40" + b"\xff\xff\x01" * 64):
        assert isinstance(decode_bundle(head + batches), Malformed)


@pytest.mark.parametrize(
    ("label", "reason"),
    [("mallory", "unknown_key"), ("issuer", "unknown_key"), ("bundle b", "unknown_key"), ("root 1", "unknown_key")],
)
def test_bundle_by_another_key_is_refused(label: str, reason: str) -> None:
    assert verify_bundle(sign_bundle(world.BUNDLE, world.key(label)), world.KEY_LIST) == Untrusted(reason)


def test_signature_of_another_bundle_is_refused() -> None:
    other = signed(event_name="Another play")

    assert verify_bundle(SIGNED[:-64] + other[-64:], world.KEY_LIST) == Untrusted("bad_signature")


def test_bundle_signed_after_its_key_ended_is_refused() -> None:
    late = signed(issued_at=world.NOW + 40 * world.DAY)

    assert verify_bundle(late, world.KEY_LIST) == Untrusted("key_not_valid_then")


def test_bundle_must_name_the_list_it_is_checked_by() -> None:
    older = replace(world.KEY_LIST, version=6)
    other = replace(world.KEY_LIST, expires=world.KEY_LIST.expires + 1)
    newer = replace(world.KEY_LIST, version=8)

    assert verify_bundle(SIGNED, older) == Untrusted("needs_newer_key_list")
    assert verify_bundle(SIGNED, other) == Untrusted("other_key_list")
    assert isinstance(verify_bundle(SIGNED, newer), Bundle)


def test_event_tag_must_follow_from_platform_and_event() -> None:
    assert verify_bundle(signed(event_id=world.OTHER_EVENT), world.KEY_LIST) == Untrusted("other_platform")
    assert verify_bundle(signed(event_tag=world.FOREIGN_TAG), world.KEY_LIST) == Untrusted("other_platform")


@pytest.mark.parametrize(
    "change",
    [
        {"event_index": 4096},
        {"version": 0},
        {"ends": world.BUNDLE.doors},
        {"contract": bytes(19)},
        {"event_name": "bell\a"},
        {"event_name": "n" * 256},
        {"classes": ()},
        {"classes": world.BUNDLE.classes[::-1]},
        {"classes": (TicketClass(1, "", 5, 5), world.BUNDLE.classes[1])},
        {"gates": (Gate(0, "none"),)},
        {"gates": (Gate(1000, "many"),)},
        {"gates": (Gate(1, "one"), Gate(1, "one again"))},
        {"gates": (Gate(1, "weak", SMALL_ORDER["order 8"]),)},
        {"batches": (Batch(4, 1), Batch(4, 2))},
        {"tickets": Tickets.of([])},
    ],
)
def test_bundle_that_makes_no_sense_is_not_made(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        signed(**change)


def test_unused_bits_and_needless_columns_are_refused() -> None:
    encoded = encode_bundle(replace(world.BUNDLE, batches=(Batch(1, 1),), tickets=Tickets.of([Ticket()])))
    columns = len(encoded) - (1 + 2 + 4 + 1)
    unused_bit = encoded[:columns] + b"\x04" + encoded[columns + 1 :]
    needless = encoded[:-1] + b"\1" + bytes(32)

    assert decode_bundle(unused_bit + bytes(68)) == Malformed("bad_value")
    assert decode_bundle(needless + bytes(68)) == Malformed("bad_value")
    assert isinstance(decode_bundle(encoded + bytes(68)), Bundle)


def test_ticket_is_found_by_its_rank() -> None:
    bundle = world.BUNDLE

    assert [bundle.rank(token) for token in (world.FIRST, world.UNISSUED, world.REDEEMED)] == [0, 3, 4]
    assert [bundle.rank(token) for token in (0, token_id(1, 4), token_id(3, 0))] == [None, None, None]
    assert [bundle.is_of_later_batch(token) for token in (world.FIRST, world.LATER)] == [False, True]
    assert [bundle.class_of_rank(rank).number for rank in (0, 3, 4, 6)] == [1, 1, 2, 2]


def test_empty_batches_do_not_confuse_ranks() -> None:
    bundle = replace(world.BUNDLE, batches=(Batch(0, 1), Batch(4, 1), Batch(0, 2), Batch(3, 2)))

    assert bundle.rank(token_id(2, 0)) == 0
    assert bundle.rank(token_id(4, 0)) == 4
    assert [bundle.class_of_rank(rank).number for rank in (0, 3, 4, 6)] == [1, 1, 2, 2]
    assert bundle.rank(token_id(1, 0)) is None


def test_fifty_thousand_tickets_stay_compact() -> None:
    """SPEC 5.2: 2 bits of status, 6 bytes of serial and place, 32 of holder key."""
    batches = (Batch(1000, 1),) * 50
    with_keys = [Ticket(serial=1, holder_key=rank.to_bytes(32) or None, seat=rank) for rank in range(1, 50_001)]
    without = [replace(row, holder_key=None) for row in with_keys]

    assert len(signed(batches=batches, tickets=Tickets.of(without))) < 314_000
    assert len(signed(batches=batches, tickets=Tickets.of(with_keys))) < 1_914_000
    assert len(Tickets.of(without).status) == 12_500


@given(st.lists(tickets, max_size=20), st.lists(tickets, max_size=20), st.integers(0, 6))
@settings(max_examples=200)
def test_delta_gives_the_very_bytes_of_the_next_snapshot(before: list[Ticket], after: list[Ticket], more: int) -> None:
    after = (after + before)[: len(before)]
    base = with_tickets(before)
    grown = Tickets.of([*after, *[Ticket(serial=9)] * more])
    following = signed(version=13, batches=(Batch(len(before), 1), Batch(more, 2)), tickets=grown)

    assert apply_delta(base, make_delta(base, following)) == following


def test_delta_of_one_change_among_fifty_thousand_is_small() -> None:
    rows = Tickets.of([Ticket(serial=1)] * FIFTY_THOUSAND)
    base = signed(batches=(Batch(FIFTY_THOUSAND, 1),), tickets=rows)
    changed = rows.with_rows(FIFTY_THOUSAND, {31_337: Ticket(Status.REVOKED, 2)})
    following = signed(version=13, batches=(Batch(FIFTY_THOUSAND, 1),), tickets=changed)

    assert len(make_delta(base, following)) < 700


def test_delta_belongs_to_its_base() -> None:
    following = signed(version=13)

    assert apply_delta(signed(version=11), make_delta(SIGNED, following)) == Malformed("other_base")
    assert apply_delta(b"", make_delta(SIGNED, following)) == Malformed("truncated")


def test_closed_batch_can_not_change() -> None:
    with pytest.raises(ValueError, match="closed batches"):
        make_delta(SIGNED, signed(batches=(Batch(4, 1), Batch(3, 1))))


def test_forged_delta_makes_a_snapshot_that_does_not_verify() -> None:
    rows = world.BUNDLE.tickets.with_rows(7, {5: Ticket(Status.VALID, 1, world.public("mallory"))})
    forged = sign_bundle(replace(world.BUNDLE, version=13, tickets=rows), world.key("mallory"))

    made = apply_delta(SIGNED, make_delta(SIGNED, forged))

    assert made == forged
    assert verify_bundle(forged, world.KEY_LIST) == Untrusted("unknown_key")

"""A node that lies, lags, forgets or was replaced is recognised for what it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chain.diagnosis import Diagnosis, Kind, Known, Seen, diagnose

GENESIS = b"g" * 32
CONTRACT = b"c" * 20


def ours(number: int) -> bytes:
    return b"ours" + number.to_bytes(28)


def other(number: int) -> bytes:
    return b"else" + number.to_bytes(28)


KNOWN = Known(
    chain_id=31337,
    genesis_hash=GENESIS,
    cursor_number=100,
    final_number=88,
    blocks={number: ours(number) for number in range(60, 101)},
    contracts={CONTRACT: (5, b"code" * 8)},
)


def node(shared_to: int, head: int, code: bytes | None = b"code" * 8) -> Seen:
    """A node that shares our blocks up to one height and has others above it."""
    blocks = {number: ours(number) if number <= shared_to else other(number) for number in range(60, head + 1)}
    return Seen(31337, GENESIS, head, blocks, {CONTRACT: code})


def test_a_node_that_does_not_answer_is_unreachable() -> None:
    assert diagnose(KNOWN, None) == Diagnosis(Kind.UNREACHABLE)


def test_a_node_that_has_all_our_blocks_is_ok() -> None:
    assert diagnose(KNOWN, node(200, 107)).kind is Kind.OK


@pytest.mark.parametrize("head", [99, 88, 60])
def test_a_node_behind_its_head_is_waited_for_however_far_it_lags(head: int) -> None:
    assert diagnose(KNOWN, node(200, head)) == Diagnosis(Kind.BEHIND, ancestor=head)


def test_a_node_that_forks_within_finality_is_reorganised() -> None:
    assert diagnose(KNOWN, node(88, 103)) == Diagnosis(Kind.REORGANISED, 88, "fork")


def test_a_node_that_forks_beyond_finality_is_rolled_back() -> None:
    assert diagnose(KNOWN, node(87, 103)) == Diagnosis(Kind.ROLLED_BACK, 87, "fork")


def test_a_node_restarted_from_an_older_state_is_rolled_back_as_soon_as_it_goes_on() -> None:
    assert diagnose(KNOWN, node(70, 70)).kind is Kind.BEHIND
    assert diagnose(KNOWN, node(70, 71)) == Diagnosis(Kind.ROLLED_BACK, 70, "fork")


def test_a_wiped_node_is_recognised_by_its_genesis() -> None:
    wiped = replace(node(100, 100), genesis_hash=b"h" * 32)
    assert diagnose(KNOWN, wiped) == Diagnosis(Kind.WIPED, reason="genesis")


def test_another_network_under_our_address_is_not_ours() -> None:
    assert diagnose(KNOWN, replace(node(100, 100), chain_id=1)).reason == "chain_id"


@pytest.mark.parametrize("code", [None, b"evil" * 8])
def test_other_code_at_our_address_is_not_ours_even_if_the_blocks_look_right(code: bytes | None) -> None:
    assert diagnose(KNOWN, node(200, 100, code)) == Diagnosis(Kind.WIPED, reason="code")


def test_a_node_that_shares_none_of_the_blocks_we_kept_is_not_replayed_onto() -> None:
    assert diagnose(KNOWN, node(10, 100)) == Diagnosis(Kind.WIPED, reason="no_common_block")


@given(st.integers(60, 110), st.integers(60, 110))
def test_the_ancestor_is_always_a_block_both_have(shared_to: int, head: int) -> None:
    seen = node(shared_to, head)
    found = diagnose(KNOWN, seen)
    assert found.ancestor is not None
    assert seen.blocks[found.ancestor] == KNOWN.blocks[found.ancestor]

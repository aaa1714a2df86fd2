"""The waiting room is fair, and cannot be jumped."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.waiting_room.rules import ENTRY_MINUTES, Phase, Place, Room, Turn, phase_at, rank_of, turn_of
from backend.waiting_room.tokens import Pass, pass_token, place_token, read_pass, read_place

EVENT = UUID(int=7)
SECRET = bytes(32)
OPENS, STARTS = 1_000_000, 4_600_000
MINUTE = 60_000


def room(early: int = 1000, rate: int = 600) -> Room:
    return Room(EVENT, OPENS, STARTS, rate, seed=b"s" * 32, early_count=early)


def place(number: int, phase: Phase = Phase.EARLY) -> Place:
    return Place(EVENT, phase, number, number.to_bytes(16))


def test_before_it_opens_nobody_is_in_the_room() -> None:
    assert phase_at(room(), OPENS - 1) is None
    assert phase_at(room(), OPENS) is Phase.EARLY
    assert phase_at(room(), STARTS) is Phase.LATE


def test_before_the_start_nobody_is_told_a_place() -> None:
    assert turn_of(room(), place(0), STARTS - 90_500) == Turn("too_early", None, 91)


def test_coming_first_is_no_better_than_coming_last_before_the_start() -> None:
    early = room(early=4000)
    first_half = sum(rank_of(early, place(number)) for number in range(2000)) / 2000
    second_half = sum(rank_of(early, place(number)) for number in range(2000, 4000)) / 2000
    assert abs(first_half - second_half) < 150  # four standard errors of the mean of 2000 uniform ranks
    assert abs(first_half - 2000) < 150


def test_the_draw_cannot_be_known_without_the_seed() -> None:
    other = Room(EVENT, OPENS, STARTS, 600, seed=b"t" * 32, early_count=1_000_000)
    assert rank_of(room(early=1_000_000), place(5)) != rank_of(other, place(5))


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_after_the_start_the_order_is_that_of_arrival_and_behind_all_who_were_early(one: int, other: int) -> None:
    crowd = room(early=500)
    early, late = rank_of(crowd, place(one)), rank_of(crowd, place(other, Phase.LATE))
    assert early < 500 <= late == 500 + other


def test_entry_keeps_the_set_rate() -> None:
    crowd = room(early=10_000, rate=600)
    after = STARTS + 5 * MINUTE
    let_in = sum(turn_of(crowd, place(number), after).state in ("enter", "missed") for number in range(10_000))
    assert let_in == pytest.approx(3000, rel=0.1)


def test_a_turn_comes_when_it_was_said_to_come() -> None:
    crowd = room(early=0, rate=60)
    told = turn_of(crowd, place(30, Phase.LATE), STARTS)
    assert told == Turn("waiting", 30, 30)
    assert turn_of(crowd, place(30, Phase.LATE), STARTS + 29_999).state == "waiting"
    assert turn_of(crowd, place(30, Phase.LATE), STARTS + 30_000).state == "enter"
    assert turn_of(crowd, place(30, Phase.LATE), STARTS + 30_000 + ENTRY_MINUTES * MINUTE).state == "missed"


def test_a_token_survives_a_restart() -> None:
    here = place(3)
    assert read_place(SECRET, place_token(SECRET, here)) == here
    granted = Pass(EVENT, 99, bytes(16))
    assert read_pass(SECRET, pass_token(SECRET, granted)) == granted


def test_a_place_is_never_taken_for_a_pass_and_none_can_be_made_up() -> None:
    token = place_token(SECRET, place(3))
    assert read_pass(SECRET, token) is None
    assert read_place(b"x" * 32, token) is None
    for at in range(len(token)):
        flipped = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert read_place(SECRET, flipped) is None


@given(st.text(max_size=300))
def test_any_text_at_all_is_just_not_a_token(text: str) -> None:
    assert read_place(SECRET, text) is None
    assert read_pass(SECRET, text) is None

"""Which seats a buyer gets who leaves the choice to us."""

from hypothesis import given
from hypothesis import strategies as st

from backend.domain.seating import FREE, TAKEN, SeatBlock, best_seats, make_layout


def block(*labels: str) -> SeatBlock:
    return make_layout((number, 1, label) for number, label in enumerate(labels, start=1)).blocks[1]


ROWS = block("A-1", "A-2", "A-3", "B-1", "B-2", "B-3", "B-5", "B-6", "B-7", "B-8")


def best(count: int, taken: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    free = bytearray([FREE]) * len(ROWS.numbers)
    for number in taken:
        free[number - 1] = TAKEN
    return best_seats(ROWS, free, count)


def test_the_first_seats_come_first() -> None:
    assert best(2) == (1, 2)


def test_a_group_sits_together_even_further_back() -> None:
    assert best(4) == (7, 8, 9, 10)
    assert best(2, taken=(2,)) == (4, 5)


def test_neighbours_never_lie_across_a_row_or_a_gap() -> None:
    assert best(3, taken=(1,)) == (4, 5, 6)
    assert best(2, taken=(1, 2, 4, 5, 8, 10)) == (3, 6)  # no two together are left: 3 | 6 | 7 | 9


def test_a_group_that_cannot_sit_together_is_split_into_few_parts() -> None:
    assert best(7) == (7, 8, 9, 10, 1, 2, 3)


def test_too_few_free_seats_are_none() -> None:
    assert best(11) is None
    assert best(1, taken=tuple(range(1, 11))) is None


@given(st.lists(st.booleans(), min_size=10, max_size=10), st.integers(1, 10))
def test_chosen_seats_are_free_and_different(free: list[bool], count: int) -> None:
    seats = best_seats(ROWS, bytearray(FREE if one else TAKEN for one in free), count)
    if seats is None:
        assert sum(free) < count
    else:
        assert len(set(seats)) == count
        assert all(free[number - 1] for number in seats)


def test_labels_without_numbers_are_seats_of_their_own() -> None:
    assert best_seats(block("Box", "Royal box", "A-1"), bytearray([FREE] * 3), 2) == (1, 2)

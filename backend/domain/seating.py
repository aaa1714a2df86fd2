"""Which seats lie side by side, and which are the best free ones. Pure: what is free comes in, seat numbers go out.

The order of the event file is the organiser's order of preference: first row and first seat first. Two seats are
neighbours if their numbers follow one another, in the same row, with no gap in between.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FREE, TAKEN = 1, 0


@dataclass(frozen=True, slots=True)
class SeatBlock:
    """The seats of a class, best first. `run[i] == run[j]` means no gap lies between places i and j."""

    numbers: tuple[int, ...]
    run: tuple[int, ...]
    run_start: tuple[int, ...]  # run -> its first place


@dataclass(frozen=True, slots=True)
class SeatLayout:
    """An event's seats. A place is an index into its class's block."""

    blocks: dict[int, SeatBlock]  # class number -> block
    places: dict[int, tuple[int, int]]  # seat number -> class number, place
    by_label: dict[str, int]  # label -> seat number
    labels: dict[int, str]  # seat number -> label

    def all_free(self) -> dict[int, bytearray]:
        """A map of places by class in which every seat is free."""
        return {one: bytearray([FREE]) * len(block.numbers) for one, block in self.blocks.items()}


def make_layout(seats: Iterable[tuple[int, int, str]]) -> SeatLayout:
    """The layout of `(seat number, class number, label)` in ascending order of seat number."""
    by_class: dict[int, list[tuple[int, str]]] = {}
    for number, class_number, label in seats:
        by_class.setdefault(class_number, []).append((number, label))
    blocks = {one: _block(members) for one, members in by_class.items()}
    return SeatLayout(
        blocks=blocks,
        places={number: (one, at) for one, block in blocks.items() for at, number in enumerate(block.numbers)},
        by_label={label: number for members in by_class.values() for number, label in members},
        labels={number: label for members in by_class.values() for number, label in members},
    )


def best_seats(block: SeatBlock, free: bytearray | bytes, count: int) -> tuple[int, ...] | None:
    """The best `count` free seats as seat numbers: side by side if possible, else in as few groups as possible."""
    if free.count(FREE) < count:
        return None
    left = bytearray(free)
    chosen: list[int] = []
    size = count
    while len(chosen) < count:
        size = min(size, count - len(chosen))
        at = _first_together(block, left, size)
        if at is None:
            size -= 1
            continue
        chosen.extend(range(at, at + size))
        left[at : at + size] = bytes(size)
    return tuple(block.numbers[place] for place in chosen)


def _first_together(block: SeatBlock, free: bytearray, count: int) -> int | None:
    pattern = bytes([FREE]) * count
    at = free.find(pattern)
    while at >= 0:
        last_run = block.run[at + count - 1]
        if block.run[at] == last_run:
            return at
        at = free.find(pattern, block.run_start[last_run])
    return None


def _block(members: Sequence[tuple[int, str]]) -> SeatBlock:
    run: list[int] = []
    run_start: list[int] = []
    before: tuple[str, int] | None = None
    for place, (_number, label) in enumerate(members):
        row, _dash, seat = label.rpartition("-")
        here = (row, int(seat)) if seat.isdigit() else None
        if before is None or here is None or here != (before[0], before[1] + 1):
            run_start.append(place)
        run.append(len(run_start) - 1)
        before = here
    return SeatBlock(tuple(number for number, _label in members), tuple(run), tuple(run_start))

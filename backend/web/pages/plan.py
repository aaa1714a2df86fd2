"""The seat plan as a drawing: the stage above, the sections below it in the file's order, rows middled. Pure.

What is drawn follows from the seats' labels alone (row and place: "A-12"). A number that is missing in a row is an
aisle, drawn at most `MAX_AISLE` places wide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

PITCH = 12  # units of the drawing from a seat to its neighbour; a seat is 10 wide
STAGE = 18  # units of height
HEADING = 16  # units of height of a section's name
MARGIN = 18  # units on both sides, for the rows' names
MAX_AISLE = 2  # places


@dataclass(frozen=True, slots=True)
class Spot:
    """A seat. `x` and `y` are its middle; `state` is free, held or sold."""

    label: str
    x: float
    y: float
    state: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row and the id of the same row in the list."""

    name: str
    list_id: str
    x: float
    y: float
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The seats of a class; its name stands at `y`."""

    name: str
    y: float
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything, in units of the drawing."""

    width: float
    height: float
    sections: tuple[Section, ...]
    free: int


def by_row(seats: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Seats by row, in the plan's order, each with its `place`."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for seat in seats:
        row, _dash, place = seat["label"].rpartition("-")
        rows.setdefault(row, []).append({**seat, "place": place})
    return rows


def draw(classes: Sequence[dict[str, Any]]) -> Drawing | None:
    """The drawing of the classes as `describe_event` gives them, with their `rows`; none if nobody sits."""
    seated = [one for one in classes if one["rows"]]
    if not seated:
        return None
    steps = {one["code"]: {row: _steps(seats) for row, seats in one["rows"].items()} for one in seated}
    across = max(row[-1] for rows in steps.values() for row in rows.values()) * PITCH
    middle = MARGIN + (PITCH + across) / 2
    y = float(STAGE)
    sections = []
    for one in seated:
        y += HEADING
        name_y = y
        rows = []
        for index, (name, seats) in enumerate(one["rows"].items(), start=1):
            y += PITCH
            at = steps[one["code"]][name]
            left = middle - at[-1] * PITCH / 2
            spots = tuple(
                Spot(seat["label"], left + step * PITCH, y, seat["state"]) for seat, step in zip(seats, at, strict=True)
            )
            rows.append(Row(name, f"row-{one['code']}-{index}", left - PITCH, y, spots))
        sections.append(Section(one["name"], name_y, tuple(rows)))
    free = sum(seat["free"] for one in seated for seats in one["rows"].values() for seat in seats)
    return Drawing(2 * middle, y + PITCH, tuple(sections), free)


def _steps(seats: Sequence[dict[str, Any]]) -> list[int]:
    """How many places each seat is from the first of its row."""
    numbers = [int(seat["place"]) if seat["place"].isdigit() else None for seat in seats]
    gaps = [
        later - earlier if earlier is not None and later is not None and later > earlier else 1
        for earlier, later in pairwise(numbers)
    ]
    usual = min(gaps, default=1)  # a row of odd numbers has no aisle between 1 and 3
    steps = [0]
    for gap in gaps:
        steps.append(steps[-1] + min(1 + (gap - usual) // usual, 1 + MAX_AISLE))
    return steps

"""Every bit of a valid code flipped: which verdict each must give, by the field it is in (SPEC 6.7)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from credential.codes import present_compact
from tests.vectors.cases import ASKING, CHALLENGE, answer, full
from tests.vectors.world import EVENT_INDEX, GATE, NOW, SECOND, TAG, key
from tests.vectors.world import credential as credential_of


@dataclass(frozen=True)
class Flips:
    """`expect` lists runs of bits: first, last, code. Bit 0 is the highest bit of the first byte."""

    name: str
    payload: bytes
    expect: list[tuple[int, int, str]]
    settings: dict[str, Any] = field(default_factory=dict)


def all_flips() -> Iterator[Flips]:
    credential = ["unsupported_version"] * 8 + ["unknown_key"] * 32  # version, key id
    credential += ["forged"] * 23 * 8 + ["malformed"] * 8  # event tag to seat; flags
    credential += ["forged"] * (135 - 29) * 8  # window, issued at, holder key, signature
    third = credential_of(serial=3)  # no flipped bit makes its serial 0
    yield Flips("full code", full(third), _runs(credential + ["forged"] * 68 * 8))

    numbers = [_answer_bit(GATE, bit, 1, 999) for bit in range(32)]
    numbers += [_answer_bit(CHALLENGE, bit, 0, 999_999) for bit in range(32)]
    yield Flips("answer", answer(third), _runs(credential + numbers + ["forged"] * 68 * 8), {"gate": ASKING})

    compact = ["unsupported_version"] * 4 + ["wrong_event"] * 12
    compact += ["show_full"] * 40  # no other token both is listed and has a serial above this one
    compact += [_serial_bit(bit) for bit in range(16)] + ["forged"] * 68 * 8
    payload = present_compact(EVENT_INDEX, TAG, SECOND, 3, NOW, key("bob"))
    yield Flips("compact code, serial 3", payload, _runs(compact))


def _answer_bit(value: int, bit: int, lowest: int, highest: int) -> str:
    return "forged" if lowest <= value ^ 1 << 31 - bit <= highest else "malformed"


def _serial_bit(bit: int) -> str:
    return "superseded" if 3 ^ 1 << 15 - bit < 3 else "show_full"


def _runs(codes: list[str]) -> list[tuple[int, int, str]]:
    runs, first = [], 0
    for code, group in groupby(codes):
        length = len(list(group))
        runs.append((first, first + length - 1, code))
        first += length
    return runs

"""Pictures are read back by a real decoder, and are as small as the format promises."""

import io
import re
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from wallet import draw

CODES = {186: "4", 489: "9", 509: "9"}
_CELL = re.compile(r"\x1b\[(?P<sgr>[0-9;]*)m|(?P<block>▀)")


def _read(picture: Image.Image) -> zxingcpp.Barcode:
    found = zxingcpp.read_barcodes(picture)
    assert len(found) == 1
    return found[0]


def _digits(length: int) -> str:
    return (str(2**64 * 7919 + 3) * 40)[:length]


@pytest.mark.parametrize("length", CODES)
def test_png_is_read_back_in_its_version_and_level(length: int) -> None:
    code = _read(Image.open(io.BytesIO(draw.png(_digits(length)))))
    assert code.text == _digits(length)
    about: Any = code.extra
    assert (about["Version"], about["ECLevel"]) == (CODES[length], "L")


@pytest.mark.parametrize("length", CODES)
def test_a_code_of_zeros_keeps_every_digit(length: int) -> None:
    assert _read(Image.open(io.BytesIO(draw.png("0" * length)))).text == "0" * length


@pytest.mark.parametrize("length", CODES)
def test_terminal_picture_is_read_back(length: int) -> None:
    """Drawn as a terminal would: each character two modules, one above the other, in the named colours."""
    text = draw.terminal(_digits(length))
    picture = rendered(text, pixels=4)
    assert _read(picture).text == _digits(length)
    columns, lines = draw.terminal_size(_digits(length))
    assert (picture.width // 4, len(text.splitlines())) == (columns, lines)


def test_compact_fits_an_ordinary_terminal() -> None:
    assert draw.terminal_size("0" * 186) == (41, 21)
    assert draw.terminal_size("0" * 489) == (61, 31)


@pytest.mark.parametrize("length", CODES)
def test_quiet_zone_is_four_light_modules_on_every_side(length: int) -> None:
    matrix = draw.modules(_digits(length))
    for rows in (matrix, [list(column) for column in zip(*matrix, strict=True)]):
        assert not any(any(row) for row in (*rows[:4], *rows[-4:]))
        assert any(rows[4])


def rendered(text: str, pixels: int) -> Image.Image:
    rows: list[tuple[list[int], list[int]]] = []
    for line in text.splitlines():
        upper, lower, colours = [], [], (127, 127)
        for cell in _CELL.finditer(line):
            if cell["block"]:
                upper.append(colours[0])
                lower.append(colours[1])
            elif cell["sgr"] != "0":
                values = [int(value) for value in cell["sgr"].split(";")]
                assert values[:2] == [38, 2]
                assert values[5:7] == [48, 2]
                colours = (values[2], values[7])
        rows.append((upper, lower))
    flat = [row for pair in rows for row in pair]
    picture = Image.new("L", (len(flat[0]), len(flat)))
    picture.putdata([value for row in flat for value in row])
    return picture.resize((picture.width * pixels, picture.height * pixels), Image.Resampling.NEAREST)

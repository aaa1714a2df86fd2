"""Codes as pictures: in the terminal, in colours that scan, and as PNG.

Numeric mode and error correction level L: on a screen nothing is smudged, so the fewest and therefore largest modules
read best (SPEC 3.1).
"""

import io

from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_L
from qrcode.util import MODE_NUMBER, QRData

QUIET_MODULES = 4  # white border that the QR standard asks for
PNG_PIXELS_PER_MODULE = 8
VERSIONS = {186: 4, 489: 9, 509: 9}  # QR version by number of digits: compact, full, answer
_BLACK, _WHITE = "0;0;0", "255;255;255"  # named by value: a theme's "black" may be grey, its "white" beige
_RESET = "\x1b[0m"
_UPPER_HALF = "▀"


def modules(digits: str) -> list[list[bool]]:
    """Rows of dark (True) and light modules, with the quiet zone: 41 or 61 square."""
    matrix: list[list[bool]] = _code(digits).get_matrix()
    return matrix


def png(digits: str) -> bytes:
    """A black and white PNG, 8 pixels a module: 328 or 488 pixels square."""
    file = io.BytesIO()
    _code(digits).make_image().save(file, format="PNG")
    return file.getvalue()


def terminal(digits: str) -> str:
    """Lines of half blocks: two modules, one above the other, in each character. Black on white in any theme."""
    matrix = modules(digits)
    light = [False] * len(matrix[0])
    pairs = zip(matrix[::2], [*matrix[1::2], *([light] * (len(matrix) % 2))], strict=True)
    return "\n".join(_line(upper, lower) for upper, lower in pairs)


def terminal_size(digits: str) -> tuple[int, int]:
    """Columns and lines that `terminal` needs."""
    side = 17 + 4 * VERSIONS[len(digits)] + 2 * QUIET_MODULES
    return side, (side + 1) // 2


def _line(upper: list[bool], lower: list[bool]) -> str:
    """Colours are named where they change, which keeps a frame at a few kilobytes."""
    parts, before = [], None
    for pair in zip(upper, lower, strict=True):
        if pair != before:
            parts.append(f"\x1b[38;2;{_colour(pair[0])};48;2;{_colour(pair[1])}m")
        parts.append(_UPPER_HALF)
        before = pair
    return "".join(parts) + _RESET


def _colour(dark: bool) -> str:
    return _BLACK if dark else _WHITE


def _code(digits: str) -> QRCode:
    code = QRCode(
        version=VERSIONS[len(digits)],
        error_correction=ERROR_CORRECT_L,
        box_size=PNG_PIXELS_PER_MODULE,
        border=QUIET_MODULES,
    )
    code.add_data(QRData(digits, mode=MODE_NUMBER, check_data=False), optimize=0)
    code.make(fit=False)
    return code

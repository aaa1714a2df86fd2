"""The text in the QR picture: decimal digits (SPEC 3.1).

QR's numeric mode is as dense as Base45, survives keyboard-wedge scanners in every keyboard layout, and is strict: a
payload is one big-endian integer, zero-padded to the fixed number of digits its length needs.
"""

from credential.results import Malformed

COMPACT_BYTES = 77
FULL_BYTES = 203
ANSWER_BYTES = 211


def _digits_for(size: int) -> int:
    return len(str((1 << (8 * size)) - 1))


DIGITS_OF = {size: _digits_for(size) for size in (COMPACT_BYTES, FULL_BYTES, ANSWER_BYTES)}  # 186, 489, 509
BYTES_OF = {digits: size for size, digits in DIGITS_OF.items()}


def to_digits(payload: bytes) -> str:
    """186, 489 or 509 digits for 77, 203 or 211 bytes; `ValueError` for any other length."""
    digits = DIGITS_OF.get(len(payload))
    if digits is None:
        raise ValueError(f"no code has {len(payload)} bytes; codes have {sorted(DIGITS_OF)}")
    return str(int.from_bytes(payload)).zfill(digits)


def from_digits(text: str) -> bytes | Malformed:
    """The payload. Exactly ASCII 0-9, exactly one of the three lengths, no number too large for its bytes."""
    size = BYTES_OF.get(len(text))
    if size is None:
        return Malformed("wrong_length")
    if not (text.isascii() and text.isdigit()):
        return Malformed("not_digits")
    number = int(text)
    if number >= 1 << (8 * size):
        return Malformed("number_too_large")
    return number.to_bytes(size)

"""Fixed-size big-endian fields, written and read strictly (SPEC 1.2).

Writers raise `ValueError` naming the field: wrong values are a caller's mistake. Readers raise `WireError`, which the
decoders of this room turn into `Malformed`: wrong bytes are expected.
"""

import re

# C0, DEL and C1, line and paragraph separators, and what turns the direction of writing.
_CONTROL = re.compile("[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]")


class WireError(Exception):
    """Bytes that are not in the format; `reason` is a code of SPEC 1.4."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def uint(value: int, size: int, field: str) -> bytes:
    """`value` as `size` big-endian bytes; `ValueError` if it does not fit."""
    if not 0 <= value < 1 << (8 * size):
        raise ValueError(f"{field} must fit into {size} bytes without a sign, got {value}")
    return value.to_bytes(size)


def exact(value: bytes, size: int, field: str) -> bytes:
    """`value` itself; `ValueError` unless it is `size` bytes long."""
    if len(value) != size:
        raise ValueError(f"{field} must be {size} bytes, got {len(value)}")
    return value


def text(value: str, field: str) -> bytes:
    """One length byte and at most 255 bytes of UTF-8."""
    raw = value.encode()
    if len(raw) > 255 or not _is_plain(value):
        raise ValueError(f"{field} must be printable and at most 255 bytes of UTF-8")
    return bytes([len(raw)]) + raw


class Reader:
    """Takes fields off the front of `data`; raises `WireError` when they are not there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise WireError("truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def text(self) -> str:
        try:
            value = self.take(self.uint(1)).decode()
        except UnicodeDecodeError:
            raise WireError("not_utf8") from None
        if not _is_plain(value):
            raise WireError("not_printable")
        return value

    def end(self) -> None:
        if self.at != len(self.data):
            raise WireError("trailing_bytes")


def _is_plain(value: str) -> bool:
    """No control characters: names go to a gate's screen, and must not steer it.

    Named one by one, since what Unicode calls printable differs from version to version.
    """
    return _CONTROL.search(value) is None

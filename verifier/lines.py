"""Lines from a scanner, which is a keyboard to the computer: bounded, and never waiting for one that has no end."""

from collections.abc import Callable, Iterator

MAX_LINE_CHARS = 600  # the longest code has 509; room for a challenge's answer and a careless typist
TOO_LONG = "\0"  # what a longer line is given as: no code, whatever it was
_LINE_ENDS = b"\r\n"


def lines(read: Callable[[], bytes]) -> Iterator[str]:
    """Each line without its ending; empty ones are left out. `read` gives some bytes, or none at the end.

    A line that gets too long is given as `TOO_LONG` as soon as it is, and the rest of it is thrown away.
    """
    line, overlong = bytearray(), False
    while chunk := read():
        for byte in chunk:
            if byte in _LINE_ENDS:
                if line and not overlong:
                    yield _text(line)
                line.clear()
                overlong = False
            elif overlong:
                continue
            elif len(line) < MAX_LINE_CHARS:
                line.append(byte)
            else:
                overlong = True
                yield TOO_LONG
    if line and not overlong:
        yield _text(line)


def _text(line: bytearray) -> str:
    return line.decode("utf-8", "replace")

"""Messages on the signer's socket: two lengths of 4 bytes each, then JSON, then raw bytes (a bundle, or nothing).

Promises: a reader never holds more than the stated limits, never waits longer than its deadline, whatever the other
side sends or withholds.
"""

import socket
import time
from dataclasses import dataclass

from credential.bundle import MAX_BUNDLE_BYTES

MAX_MESSAGE_BYTES = 16 * 1024  # of JSON
MAX_BLOB_BYTES = MAX_BUNDLE_BYTES
REQUEST_SECONDS = 10.0  # for one message to arrive or leave, whole
_LENGTHS_BYTES = 8
_CHUNK_BYTES = 1 << 20


class FrameError(Exception):
    """The other side sent something that is no message, too much, or too slowly."""


class HungUpError(FrameError):
    """The other side went away without a word: it only wanted to know whether anybody listens."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """What is announced to follow."""

    message: int
    blob: int


def send_frame(connection: socket.socket, message: bytes, blob: bytes = b"") -> None:
    """Send one message; `OSError` if the other side is gone or does not take it in time."""
    connection.settimeout(REQUEST_SECONDS)
    connection.sendall(len(message).to_bytes(4) + len(blob).to_bytes(4) + message)
    if blob:
        connection.sendall(blob)


def deadline() -> float:
    """The moment by which a message that begins now must be here."""
    return time.monotonic() + REQUEST_SECONDS


def receive_lengths(connection: socket.socket, until: float) -> Lengths:
    """What follows; `FrameError` if it is over a limit, `HungUpError` if nothing comes."""
    head = receive(connection, _LENGTHS_BYTES, until)
    lengths = Lengths(int.from_bytes(head[:4]), int.from_bytes(head[4:]))
    if not 0 < lengths.message <= MAX_MESSAGE_BYTES or lengths.blob > MAX_BLOB_BYTES:
        raise FrameError("over the limit")
    return lengths


def receive(connection: socket.socket, size: int, until: float) -> bytes:
    """Exactly `size` bytes; `FrameError` if they don't come in time."""
    parts: list[bytes] = []
    missing = size
    while missing:
        left = until - time.monotonic()
        if left <= 0:
            raise FrameError("too slow")
        connection.settimeout(left)
        try:
            part = connection.recv(min(missing, _CHUNK_BYTES))
        except TimeoutError:
            raise FrameError("too slow") from None
        if not part:
            raise FrameError("ended early") if parts else HungUpError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)

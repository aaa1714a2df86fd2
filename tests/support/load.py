"""A light HTTP/1.1 load generator: many keep-alive connections in one thread, so that the client costs little.

A conversation is a generator: it yields a request as bytes and is sent the answer; it ends when it is done. One thread
and one epoll serve all of them, at some 15 microseconds a request, because client, server and database share the cores.
"""

import select
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

ANSWER_SECONDS = 60.0  # without any answer for so long, the run has failed
_CHUNK = 65_536

Answer = tuple[int, bytes]  # status and body
Conversation = Generator[bytes, Answer, None]


@dataclass
class Measured:
    """What a run saw: seconds each thing took, answers by status, and how long the run was."""

    seconds: float = 0.0
    requests: int = 0
    taken: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return len(self.taken) / self.seconds

    def count(self, status: int) -> None:
        self.requests += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.taken)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class _Line:
    """One connection and what is said on it."""

    __slots__ = ("buffer", "conversation", "sent_at", "socket")

    def __init__(self, port: int, conversation: Conversation) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.conversation = conversation
        self.sent_at = 0.0


def converse(port: int, connections: int, talk: Callable[[int], Conversation], measured: Measured) -> Measured:
    """Hold `connections` conversations at once, until all of them end. Each answer's seconds go to `measured`."""
    poll = select.epoll()
    lines: dict[int, _Line] = {}
    began = time.perf_counter()
    try:
        for number in range(connections):
            line = _Line(port, talk(number))
            lines[line.socket.fileno()] = line
            poll.register(line.socket, select.EPOLLIN)
            _say(line, None)
        while lines:
            ready = poll.poll(ANSWER_SECONDS)
            if not ready:
                raise TimeoutError(f"no answer to {len(lines)} connections within {ANSWER_SECONDS:.0f} s")
            for number, _events in ready:
                if not _hear(lines[number], measured):
                    lines.pop(number).socket.close()
    finally:
        for line in lines.values():
            line.socket.close()
        poll.close()
    measured.seconds = time.perf_counter() - began
    return measured


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """A POST as bytes; `headers` are whole lines."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


def _hear(line: _Line, measured: Measured) -> bool:
    """Take what came; when the answer is whole, go on. False when the conversation is over."""
    data = line.socket.recv(_CHUNK)
    if not data:
        raise ConnectionResetError("the server closed a connection")
    line.buffer += data
    head, found, rest = line.buffer.partition(b"\r\n\r\n")
    if not found or len(rest) < _content_length(head):
        return True
    line.buffer = b""
    measured.taken.append(time.perf_counter() - line.sent_at)
    status = int(head[9:12])
    measured.count(status)
    return _say(line, (status, rest))


def _say(line: _Line, answer: Answer | None) -> bool:
    try:
        request = line.conversation.send(answer) if answer else next(line.conversation)
    except StopIteration:
        return False
    line.sent_at = time.perf_counter()
    line.socket.sendall(request)
    return True


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0

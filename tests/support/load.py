"""A light HTTP/1.1 load generator: many connections in one thread, so that the client costs little of the machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

ANSWER_SECONDS = 30


class Connection(asyncio.Protocol):
    """One keep-alive connection; `ask` sends a request and waits for its answer."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _content_length(head)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        if self._answer and not self._answer.done():
            self._answer.set_result((int(head[9:12]), rest[:length]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        assert self._transport
        if self._transport.is_closing():
            raise ConnectionResetError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, ANSWER_SECONDS)

    def close(self) -> None:
        if self._transport:
            self._transport.close()


@dataclass
class Measured:
    """What a run saw: answers by status, seconds each took, and how long the run was."""

    seconds: float = 0.0
    taken: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def note(self, status: int, took: float) -> None:
        self.taken.append(took)
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.taken)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """A POST as bytes; `headers` are whole lines."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    _transport, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    try:
        yield protocol
    finally:
        protocol.close()


def run(
    port: int, connections: int, seconds: float, work: Callable[[Connection, Measured, int], Awaitable[None]]
) -> Measured:
    """Let `connections` connections do `work(connection, measured, turn)` again and again for `seconds`."""

    async def one(measured: Measured, deadline: float, number: int) -> None:
        async with connected(port) as connection:
            turn = 0
            while time.perf_counter() < deadline:
                await work(connection, measured, number + connections * turn)
                turn += 1

    async def all_of_them() -> Measured:
        measured = Measured()
        began = time.perf_counter()
        await asyncio.gather(*(one(measured, began + seconds, number) for number in range(connections)))
        measured.seconds = time.perf_counter() - began
        return measured

    return asyncio.run(all_of_them())


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0

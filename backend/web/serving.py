"""Between the server (granian, RSGI 1) and the application (WSGI): bodies are read before a thread is taken.

Promises: who sends slowly, or not at all, holds a connection and never one of the threads that sell; nobody's body is
awaited for longer than `BODY_SECONDS` or kept beyond `MAX_BODY_BYTES`. Answers are handed to the server whole, which
waits for slow readers without us; streams are sent piece by piece.
"""

import asyncio
import io
import sys
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from granian.rsgi import (  # type: ignore[attr-defined]  # public, but named for no type checker
    HTTPProtocol,
    ProtocolClosed,
    ProtocolError,
    Scope,
)

from backend.web.requests import MAX_BODY_BYTES, TOO_SLOW

THREADS = 32  # requests one process works on at once; they mostly wait for the till's commit
BODY_SECONDS = 10.0  # for a body to arrive, whole
STREAM_SECONDS = 30.0  # for a client to take a piece of a stream

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Answered = tuple[int, Headers, bytes]


class Application(Protocol):
    """A WSGI application (PEP 3333)."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any], /) -> Iterable[bytes]: ...


class Quick(Protocol):
    """Who answers some requests on the event loop, without a thread for each."""

    async def answer(self, scope: Scope, body: bytes, pool: Executor) -> Answered | None:
        """Status, headers and body; none: the application's. What may take its time goes to the pool."""


class Serving:
    """The RSGI application that serves a WSGI one, in `threads` threads; `quick` is asked first."""

    def __init__(self, application: Application, quick: Quick | None = None, threads: int = THREADS) -> None:
        self._application = application
        self._quick = quick
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        try:
            body, too_slow = await _body(scope, protocol)
        except (ProtocolClosed, ProtocolError):
            return  # the client is gone
        if self._quick is not None and not too_slow:
            quick = await self._quick.answer(scope, body, self._pool)
            if quick is not None:
                protocol.response_bytes(*quick)
                return
        environ = _environ(scope, body)
        if too_slow:
            environ[TOO_SLOW] = True
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, _Answer, self._application, environ)
        if answer.whole is not None:
            protocol.response_bytes(answer.status, answer.headers, answer.whole)
            return
        try:
            await self._stream(answer, protocol)
        finally:
            await loop.run_in_executor(self._pool, answer.close)

    async def _stream(self, answer: "_Answer", protocol: HTTPProtocol) -> None:
        loop = asyncio.get_running_loop()
        transport = protocol.response_stream(answer.status, answer.headers)
        with suppress(ProtocolClosed, ProtocolError, TimeoutError):  # the client is gone, or does not listen
            while piece := await loop.run_in_executor(self._pool, answer.next_piece):
                await asyncio.wait_for(transport.send_bytes(piece), STREAM_SECONDS)


class _Answer:
    """What the application says; made in a thread. `whole` is none for a stream, whose length it does not know."""

    def __init__(self, application: Application, environ: Environ) -> None:
        self.status = 500
        self.headers: Headers = []
        self.whole: bytes | None = None
        self._parts = application(environ, self._start)
        self._pieces: Iterator[bytes] = iter(self._parts)
        if environ["REQUEST_METHOD"] == "HEAD" or any(name.lower() == "content-length" for name, _ in self.headers):
            self.whole = b"".join(self._pieces)
            self.close()

    def next_piece(self) -> bytes:
        """The next that is not empty; empty at the end."""
        return next(filter(None, self._pieces), b"")

    def close(self) -> None:
        """Let the application clear up, as PEP 3333 promises it."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()

    def _start(self, status: str, headers: Headers, _trouble: object = None) -> None:
        self.status, self.headers = int(status[:3]), headers


async def _body(scope: Scope, protocol: HTTPProtocol) -> tuple[bytes, bool]:
    """The body, or one byte more of it than anybody may send; and whether it did not come in time."""
    if scope.headers.get("content-length", "0") == "0" and "transfer-encoding" not in scope.headers:
        return b"", False
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(BODY_SECONDS):
            await _gather(protocol, parts)
    except TimeoutError:
        return b"", True
    return b"".join(parts)[: MAX_BODY_BYTES + 1], False


async def _gather(pieces: AsyncIterable[bytes], parts: list[bytes]) -> None:
    size = 0
    async for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size > MAX_BODY_BYTES:
            return


def _environ(scope: Scope, body: bytes) -> Environ:
    """PEP 3333. A header that came several times is joined as RFC 9110 5.3 says."""
    host, _colon, port = scope.server.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope.path).decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE", "TRANSFER_ENCODING"):
            key = f"HTTP_{key}"
        if "_" not in name:  # X_A would pass for X-A
            joint = "; " if key == "HTTP_COOKIE" else ", "
            environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    environ.pop("TRANSFER_ENCODING", None)
    if body or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ

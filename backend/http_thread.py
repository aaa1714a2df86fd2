"""HTTP under one hard deadline, asked for by ordinary threads.

A socket's time-out is not enough: a server that drips one byte a second passes every one of them. aiohttp's total
time-out covers name look-up, connecting, headers and body together; its event loop runs in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiohttp

GRACE_SECONDS = 0.5  # beyond the deadline, if the event loop itself is stuck

Found = TypeVar("Found")


class TooLargeError(aiohttp.ClientError):
    """An answer is larger than whoever asked will read."""


class HttpThread:
    """Kept connections and the loop they live on, from first use until `close`. Safe to use from any thread."""

    def __init__(self, name: str, connections: int) -> None:
        """`name` of the thread; `connections` kept for each host."""
        self._name, self._connections = name, connections
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None

    def run(self, ask: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, Found]], seconds: float) -> Found:
        """What `ask` finds; raises what it raises, and `TimeoutError` if the loop is stuck beyond `seconds`."""
        asked = asyncio.run_coroutine_threadsafe(self._with_session(ask), self._running())
        try:
            return asked.result(seconds + GRACE_SECONDS)
        except TimeoutError:
            asked.cancel()
            raise

    def close(self) -> None:
        """Drop all connections; a later `run` opens new ones."""
        with self._lock:
            loop, thread, session = self._loop, self._thread, self._session
            self._loop = self._thread = self._session = None
        if loop is None or thread is None:
            return
        if session is not None:
            asyncio.run_coroutine_threadsafe(session.close(), loop).result(GRACE_SECONDS * 10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    async def _with_session(self, ask: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, Found]]) -> Found:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=self._connections), cookie_jar=aiohttp.DummyCookieJar()
            )
        return await ask(self._session)


async def read_whole(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body; raises `TooLargeError` as soon as there is more than `max_bytes` of it."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise TooLargeError
    return bytes(body)

"""HTTP POST under one hard deadline, from ordinary threads.

A socket time-out is not enough: a node that drips one byte a second passes every one of them. aiohttp's total time-out
covers name look-up, connecting, headers and body together; its event loop runs in a thread of its own.
"""

import asyncio
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

import aiohttp

MAX_BODY_BYTES = 256 * 1024 * 1024  # of an answer; a saved state of a large development chain fits
CONNECTIONS = 8  # kept per endpoint
GRACE_SECONDS = 0.5  # beyond the deadline, if the event loop itself is stuck


class TransportError(Exception):
    """No whole HTTP answer in time. `reason` is a machine code: refused, deadline, cut, too_large."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    body: bytes


class Transport:
    """Connections to all endpoints of this process. Safe to use from any thread; `close` when done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._thread: threading.Thread | None = None

    def post(self, url: str, body: bytes, deadline_seconds: float) -> Answer:
        """Send JSON and read the whole answer, or raise `TransportError` at the latest when the deadline is over."""
        loop = self._running_loop()
        future = asyncio.run_coroutine_threadsafe(self._post(url, body, deadline_seconds), loop)
        try:
            return future.result(deadline_seconds + GRACE_SECONDS)
        except FutureTimeout:
            future.cancel()
            raise TransportError("deadline") from None

    def close(self) -> None:
        """Drop all connections; a later `post` opens new ones."""
        with self._lock:
            loop, session, thread = self._loop, self._session, self._thread
            self._loop = self._session = self._thread = None
        if loop is None or thread is None:
            return
        if session is not None:
            asyncio.run_coroutine_threadsafe(session.close(), loop).result(GRACE_SECONDS * 10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="chain-transport", daemon=True)
                self._thread.start()
            return self._loop

    async def _post(self, url: str, body: bytes, deadline_seconds: float) -> Answer:
        try:
            async with self._open_session().post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=deadline_seconds),
                allow_redirects=False,
            ) as response:
                return Answer(response.status, await _read(response))
        except TimeoutError:
            raise TransportError("deadline") from None
        except aiohttp.ClientConnectorError:
            raise TransportError("refused") from None
        except (aiohttp.ClientError, OSError):
            raise TransportError("cut") from None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise TransportError("too_large")
        chunks.append(chunk)
    return b"".join(chunks)

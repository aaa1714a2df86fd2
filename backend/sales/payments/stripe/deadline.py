"""The SDK's way to the network, under one hard deadline for each request.

A socket's time-out is not enough: a server that drips a byte a second passes every one. aiohttp's total time-out covers
name look-up, connecting, headers and body together; its event loop runs in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import aiohttp
from stripe import APIConnectionError, HTTPClient

GRACE_SECONDS = 0.5  # beyond the deadline, if the event loop itself is stuck
MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECTIONS = 16


class DeadlineClient(HTTPClient):
    """See `stripe.HTTPClient`. Safe to use from any thread; `close` when done."""

    name = "deadline"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,  # noqa: ANN401 - the SDK's
        *,
        _usage: list[str] | None = None,
    ) -> tuple[str, int, Mapping[str, str]]:
        """Body, status and headers; raises `APIConnectionError` at the latest when the deadline is over."""
        asked = asyncio.run_coroutine_threadsafe(self._request(method, url, headers, post_data), self._running())
        try:
            return asked.result(self._seconds + GRACE_SECONDS)
        except (TimeoutError, FutureTimeout):
            asked.cancel()
            raise _cut("no whole answer in time") from None
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise _cut(type(error).__name__) from None

    def close(self) -> None:
        """Drop all connections; a later request opens new ones."""
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
                self._thread = threading.Thread(target=self._loop.run_forever, name="stripe", daemon=True)
                self._thread.start()
            return self._loop

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: str | bytes | None
    ) -> tuple[str, int, Mapping[str, str]]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        total = aiohttp.ClientTimeout(total=self._seconds)
        async with self._session.request(
            method, url, headers=headers, data=body, timeout=total, allow_redirects=False
        ) as answer:
            said = await answer.content.read(MAX_ANSWER_BYTES)
            while len(said) < MAX_ANSWER_BYTES and (more := await answer.content.read(MAX_ANSWER_BYTES - len(said))):
                said += more
            return said.decode(), answer.status, answer.headers


def _cut(why: str) -> APIConnectionError:
    return APIConnectionError(why, should_retry=False)  # type: ignore[no-untyped-call] # the SDK's has no types

"""The SDK's way to the network, under one hard deadline for each request."""

from collections.abc import Mapping
from typing import Any

import aiohttp
from stripe import APIConnectionError, HTTPClient

from backend.http_thread import HttpThread, read_whole

MAX_ANSWER_BYTES = 8 * 1024 * 1024
CONNECTIONS = 16


class DeadlineClient(HTTPClient):
    """See `stripe.HTTPClient`. Safe to use from any thread; `close` when done."""

    name = "deadline"

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._http = HttpThread("stripe", CONNECTIONS)

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
        total = aiohttp.ClientTimeout(total=self._seconds)

        async def ask(session: aiohttp.ClientSession) -> tuple[str, int, Mapping[str, str]]:
            async with session.request(
                method, url, headers=headers, data=post_data, timeout=total, allow_redirects=False
            ) as answer:
                return (await read_whole(answer, MAX_ANSWER_BYTES)).decode(), answer.status, answer.headers

        try:
            return self._http.run(ask, self._seconds)
        except TimeoutError:
            raise _cut("no whole answer in time") from None
        except (aiohttp.ClientError, OSError, UnicodeDecodeError) as error:
            raise _cut(type(error).__name__) from None

    def close(self) -> None:
        """Drop all connections; a later request opens new ones."""
        self._http.close()


def _cut(why: str) -> APIConnectionError:
    return APIConnectionError(why, should_retry=False)  # type: ignore[no-untyped-call] # the SDK's has no types

"""HTTP POST under one hard deadline, from ordinary threads."""

from dataclasses import dataclass

import aiohttp

from backend.http_thread import HttpThread, TooLargeError, read_whole

MAX_BODY_BYTES = 256 * 1024 * 1024  # of an answer; a saved state of a large development chain fits
CONNECTIONS = 8  # kept per endpoint


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
        self._http = HttpThread("chain-transport", CONNECTIONS)

    def post(self, url: str, body: bytes, deadline_seconds: float) -> Answer:
        """Send JSON and read the whole answer, or raise `TransportError` at the latest when the deadline is over."""

        async def ask(session: aiohttp.ClientSession) -> Answer:
            async with session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=deadline_seconds),
                allow_redirects=False,
            ) as response:
                return Answer(response.status, await read_whole(response, MAX_BODY_BYTES))

        try:
            return self._http.run(ask, deadline_seconds)
        except TimeoutError:
            raise TransportError("deadline") from None
        except aiohttp.ClientConnectorError:
            raise TransportError("refused") from None
        except TooLargeError:
            raise TransportError("too_large") from None
        except (aiohttp.ClientError, OSError):
            raise TransportError("cut") from None

    def close(self) -> None:
        """Drop all connections; a later `post` opens new ones."""
        self._http.close()

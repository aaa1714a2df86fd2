"""Post a signed message to a subscriber's address, after the Standard Webhooks specification, version 1.

Headers: `webhook-id` (the same at every attempt: whoever saw it has it), `webhook-timestamp` (Unix seconds) and
`webhook-signature`: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. Strangers choose the address, so it must
be a public one: it is looked up once, checked, and that very address is connected to. No redirect is followed, and who
drips an answer byte by byte is left at the deadline: others wait for the thread.
"""

import asyncio
import base64
import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

SECONDS = 5.0  # to connect, send and be answered, together
MAX_ANSWER_BYTES = 4096  # the rest is not read


class NotDeliveredError(Exception):
    """It did not arrive, as far as we know; `reason` is fit for a log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def secret_text(key: bytes) -> str:
    """A key as its owner is given it."""
    return "whsec_" + base64.b64encode(key).decode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """What `webhook-signature` must be."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def post(url: str, key: bytes, message_id: str, body: bytes, now: float, *, strangers: bool) -> bytes:
    """Post; the beginning of the answer's body. `strangers`: only public addresses over HTTPS are posted to."""
    parts = urlsplit(url)
    if strangers and parts.scheme != "https":
        raise NotDeliveredError("not https")
    address = _address(parts.hostname or "", strangers=strangers)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "truestub",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature(key, message_id, int(now), body),
    }
    try:
        status, said = asyncio.run(_exchange(url, address, headers, body))
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a deadline that is over is one of the second
        raise NotDeliveredError(type(error).__name__) from None
    if not 200 <= status < 300:
        raise NotDeliveredError(f"HTTP {status}")
    return said


async def _exchange(url: str, address: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    said = bytearray()
    total = aiohttp.ClientTimeout(total=SECONDS)
    connector = aiohttp.TCPConnector(resolver=_Resolved(address), use_dns_cache=False)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=total, headers=headers) as session,
        session.post(url, data=body, allow_redirects=False) as answer,
    ):
        async for chunk in answer.content.iter_any():
            said += chunk
            if len(said) >= MAX_ANSWER_BYTES:
                break
        return answer.status, bytes(said[:MAX_ANSWER_BYTES])


class _Resolved(AbstractResolver):
    """The address that was checked, whatever the name would lead to by now."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:  # noqa: ARG002 - aiohttp's
        kind = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        found = ResolveResult(
            hostname=host, host=self._address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
        )
        return [found]

    async def close(self) -> None:
        """Nothing is held."""


def _address(host: str, *, strangers: bool) -> str:
    try:
        found = [entry[4][0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, ValueError):  # the latter for a name that is none
        raise NotDeliveredError("no such host") from None
    if strangers and not all(ipaddress.ip_address(one).is_global for one in found):
        raise NotDeliveredError("not a public address")
    return str(found[0])

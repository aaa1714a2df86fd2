"""Post a signed message to a subscriber's address, after the Standard Webhooks specification, version 1.

Headers: `webhook-id` (the same at every attempt: whoever saw it has it), `webhook-timestamp` (Unix seconds) and
`webhook-signature`: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. Strangers choose the address, so it must
be a public one: it is looked up once, checked, and that very address is connected to. No redirect is followed.
"""

import base64
import hmac
import ipaddress
import socket
from urllib.parse import urlsplit

import urllib3

SECONDS = 5.0
MAX_ANSWER_BYTES = 4096


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
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if strangers and parts.scheme != "https":
        raise NotDeliveredError("not https")
    address = _address(host, port, strangers=strangers)
    timeout = urllib3.Timeout(total=SECONDS)
    pool = (
        urllib3.HTTPSConnectionPool(address, port, timeout=timeout, server_hostname=host, assert_hostname=host)
        if parts.scheme == "https"
        else urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    )
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "truestub",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": signature(key, message_id, int(now), body),
    }
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool:
            answer = pool.request(
                "POST", path, body=body, headers=headers, retries=False, redirect=False, preload_content=False
            )
            said = answer.read(MAX_ANSWER_BYTES)
            answer.drain_conn() if len(said) < MAX_ANSWER_BYTES else answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise NotDeliveredError(type(error).__name__) from None
    if not 200 <= answer.status < 300:
        raise NotDeliveredError(f"HTTP {answer.status}")
    return bytes(said)


def _address(host: str, port: int, *, strangers: bool) -> str:
    try:
        found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError:
        raise NotDeliveredError("no such host") from None
    if strangers and not all(ipaddress.ip_address(one).is_global for one in found):
        raise NotDeliveredError("not a public address")
    return str(found[0])

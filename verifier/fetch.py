"""Downloads from the platform, under a hard deadline (SPEC 9).

http.client rather than urllib.request: it follows no redirect, which would carry the gate's token elsewhere, and
its socket can be shut from outside, which is the only way to end a server that sends a byte a second.
"""

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from credential.bundle import MAX_BUNDLE_BYTES
from verifier.i18n import gettext as _

DEADLINE_SECONDS = 20.0  # for a whole download, name lookup and connection included
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No answer that can be used. `code` is snake_case; `sentence` says what to do."""

    code: str
    sentence: str


class Unchanged:
    """The server has nothing newer."""


class Fetcher(Protocol):
    """Promises: returns within its deadline, whatever the server does; never raises for what a server or a net does."""

    def get(self, path: str) -> bytes | Unchanged | FetchFailed:
        """The body of `path`, which begins with a slash."""


class HttpFetcher:
    """Fetches from `server` (`https://host[:port][/base]`) with the gate's bearer token."""

    def __init__(self, server: str, token: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        self._server, self._token, self._deadline = server, token, deadline_seconds

    def get(self, path: str) -> bytes | Unchanged | FetchFailed:
        """See `Fetcher`. Works in a thread of its own, so that even a name lookup that hangs ends in time."""
        answers: list[bytes | Unchanged | FetchFailed] = []
        connection = self._connection()
        worker = threading.Thread(target=lambda: answers.append(self._ask(connection, path)), daemon=True)
        worker.start()
        worker.join(self._deadline)
        if answers:
            return answers[0]
        _shut(connection)
        return FetchFailed("server_too_slow", _("The server did not answer in time. Try again; the old data stays."))

    def _ask(self, connection: http.client.HTTPConnection, path: str) -> bytes | Unchanged | FetchFailed:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/octet-stream"}
        try:
            connection.request("GET", urlsplit(self._server).path.rstrip("/") + path, headers=headers)
            response = connection.getresponse()
            return _body(response) if response.status == http.HTTPStatus.OK else _refusal(response.status)
        except (OSError, http.client.HTTPException, ValueError) as error:
            sentence = _("The server can't be reached ({why}). The old data stays.").format(why=_kind(error))
            return FetchFailed("server_unreachable", sentence)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._server)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, parts.port, timeout=self._deadline, context=context)
        return http.client.HTTPConnection(host, parts.port, timeout=self._deadline)


def _body(response: http.client.HTTPResponse) -> bytes | FetchFailed:
    data = bytearray()
    while chunk := response.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_BUNDLE_BYTES:
            return FetchFailed("answer_too_long", _("The server sent more than a bundle can be. The old data stays."))
    if response.length:
        return FetchFailed("answer_cut_short", _("The connection ended early. Try again; the old data stays."))
    return bytes(data)


def _refusal(status: int) -> Unchanged | FetchFailed:
    if status == http.HTTPStatus.NOT_MODIFIED:
        return Unchanged()
    if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
        sentence = _("The server does not know this gate's token. Enrol the gate anew.")
        return FetchFailed("token_refused", sentence)
    if status == http.HTTPStatus.NOT_FOUND:
        return FetchFailed("not_found", _("The server knows no such event, or has no data for it yet."))
    sentence = _("The server answered with {status}. Try again later; the old data stays.").format(status=status)
    return FetchFailed("server_error", sentence)


def _kind(error: Exception) -> str:
    """What went wrong, without addresses or tokens."""
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__


def _shut(connection: http.client.HTTPConnection) -> None:
    try:
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it ended by itself meanwhile

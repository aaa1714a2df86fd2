"""HTTP with deadlines and retries. A request is safe to repeat: it is a GET, or carries an idempotency key.

Every attempt ends within `attempt_seconds`, even against a server that sends a byte a second: it runs in a thread that
is left behind when its time is up. What a lost attempt did is learned by asking again with the same key.
"""

import queue
import random
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import httpx
from pydantic import ValidationError

from wallet.answers import ProblemAnswer
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.i18n import language

T = TypeVar("T")

MAX_CLOCK_ROUND_TRIP_SECONDS = 5.0  # a slower answer says too little about clocks
_LONGEST_DELAY_SECONDS = 5.0
_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much."""

    connect_seconds: float = 3.0
    attempt_seconds: float = 10.0  # one request with its whole answer
    first_contact_seconds: float = 4.0  # all attempts, as long as this server never answered
    patience_seconds: float = 30.0  # all attempts
    first_delay_seconds: float = 0.25  # between two attempts; doubles
    max_bytes: int = 2 << 20  # an answer


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A good answer, parsed."""

    status: int
    value: T
    retry_after: float | None  # seconds


class Problem(WalletError):  # noqa: N818 - RFC 9457's word
    """The platform said no, in its own words (RFC 9457)."""

    def __init__(self, status: int, answer: ProblemAnswer, retry_after: float | None) -> None:
        super().__init__(answer.code, answer.detail)
        self.status = status
        self.retry_after = retry_after
        self.fields: dict[str, Any] = answer.model_extra or {}

    @property
    def is_retried(self) -> bool:
        """True if the same request may succeed later."""
        return self.status in _RETRIED_STATUSES or (self.status == 409 and self.retry_after is not None)


class Broken(WalletError):  # noqa: N818 - the other way to have no answer
    """No answer that could be used: what the request did is unknown until it is asked again."""

    def __init__(self, code: str, sentence: str, *, is_retried: bool = True) -> None:
        super().__init__(code, sentence)
        self.is_retried = is_retried
        self.retry_after: float | None = None


class Transport:
    """Requests to one server. Safe to use from one thread at a time."""

    def __init__(
        self,
        server: str,
        limits: Limits = Limits(),
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda _sentence: None,
    ) -> None:
        """`tell` is called with a sentence before each new attempt."""
        self.server = server
        self.clock_ahead: float | None = None  # seconds that our clock is ahead of the server's; None: not known
        self._limits, self._now, self._sleep, self._tell = limits, now, sleep, tell
        self._client: httpx.Client | None = None
        self._has_answered = False

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], T],
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        answers: Collection[int] = (),
    ) -> Reply[T]:
        """A parsed answer. Raises `Problem` or `Broken` when there was none within the limits.

        `answers` are statuses beyond 2xx that come with the answer asked for.
        """
        deadline = time.monotonic() + self._limits.patience_seconds
        first_contact = time.monotonic() + self._limits.first_contact_seconds
        for attempt in range(1_000):
            try:
                return self._attempt(method, path, parse, body, headers or {}, answers)
            except (Problem, Broken) as trouble:
                delay = trouble.retry_after or backoff_seconds(
                    self._limits.first_delay_seconds, attempt, random.random()
                )
                ends = deadline if self._has_answered else first_contact
                if not trouble.is_retried or time.monotonic() + delay > ends:
                    raise
                self._tell(_("%(what)s Trying again in %(wait)s.") % {"what": trouble.sentence, "wait": _short(delay)})
            self._sleep(delay)
        raise AssertionError

    def _attempt(
        self,
        method: str,
        path: str,
        parse: Callable[[bytes], T],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        answers: Collection[int],
    ) -> Reply[T]:
        client = self._client = self._client or self._new_client()
        sent_at = self._now()
        response = self._within_limits(client, method, path, body, headers)
        self._has_answered = True
        self._note_clock(response, sent_at)
        wait = _retry_after(response)
        try:
            if response.is_success or response.status_code in answers:
                return Reply(response.status_code, parse(response.content), wait)
            problem = ProblemAnswer.model_validate_json(response.content)
        except ValidationError:
            raise self._unusable(response.status_code) from None
        raise Problem(response.status_code, problem, wait)

    def _within_limits(
        self, client: httpx.Client, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        done: queue.SimpleQueue[httpx.Response | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                done.put(_whole_answer(client, method, path, body, headers, self._limits.max_bytes))
            except Exception as error:  # noqa: BLE001 - handed to the thread that asked
                done.put(error)

        threading.Thread(target=work, daemon=True, name="wallet-request").start()
        try:
            outcome = done.get(timeout=self._limits.attempt_seconds)
        except queue.Empty:
            self.close()  # and leave the thread to its dead connection
            raise self._slow() from None
        if isinstance(outcome, Exception):
            raise self._in_words(outcome) from None
        return outcome

    def _new_client(self) -> httpx.Client:
        timeout = httpx.Timeout(self._limits.attempt_seconds, connect=self._limits.connect_seconds)
        headers = {"Accept": "application/json", "Accept-Language": language(), "User-Agent": "truestub-wallet"}
        return httpx.Client(base_url=self.server, timeout=timeout, headers=headers)

    def _note_clock(self, response: httpx.Response, sent_at: float) -> None:
        """The Date header counts whole seconds: half a second is its middle."""
        received_at = self._now()
        try:
            server_time = parsedate_to_datetime(response.headers["date"]).timestamp() + 0.5
        except (KeyError, ValueError):
            return
        if "age" not in response.headers and 0 <= received_at - sent_at <= MAX_CLOCK_ROUND_TRIP_SECONDS:
            self.clock_ahead = (sent_at + received_at) / 2 - server_time

    def _in_words(self, error: Exception) -> Broken:
        if isinstance(error, httpx.TimeoutException):
            return self._slow()
        if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
            sentence = _("%s is not an address of a server. It looks like https://tickets.example.org.") % self.server
            return Broken("bad_address", sentence, is_retried=False)
        if _is_about_a_certificate(error):
            sentence = _("The server at %s could not prove who it is. Do not go on; check the address.") % self.server
            return Broken("certificate_not_trusted", sentence, is_retried=False)
        if isinstance(error, (httpx.ConnectError, OSError)):
            sentence = _("No server answers at %s. Check the address and your connection.") % self.server
            return Broken("server_unreachable", sentence)
        if isinstance(error, (httpx.HTTPError, ValueError)):
            return Broken("server_broken", _("The server at %s broke off its answer.") % self.server)
        raise error

    def _slow(self) -> Broken:
        return Broken("server_slow", _("The server at %s takes too long to answer.") % self.server)

    def _unusable(self, status: int) -> Broken:
        if status >= 500:
            sentence = _("The server at %(server)s has trouble right now (HTTP %(status)d).")
            return Broken("server_broken", sentence % {"server": self.server, "status": status})
        sentence = _("The server at %(server)s gave an answer that makes no sense here (HTTP %(status)d).")
        is_client_error = 300 <= status < 500 and status not in _RETRIED_STATUSES
        return Broken(
            "unexpected_answer",
            sentence % {"server": self.server, "status": status},
            is_retried=not is_client_error,
        )


def backoff_seconds(first: float, attempt: int, chance: float) -> float:
    """How long to wait after the `attempt`-th failure, from 0: doubles, with `chance` (0 to 1) as jitter."""
    return min(_LONGEST_DELAY_SECONDS, first * 2.0 ** min(attempt, 10)) * (0.5 + chance / 2)


def _whole_answer(
    client: httpx.Client,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    headers: Mapping[str, str],
    max_bytes: int,
) -> httpx.Response:
    with client.stream(method, path, json=body, headers=headers) as response:
        content = bytearray()
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > max_bytes:
                raise ValueError("too large")
        kept = {name: value for name, value in response.headers.items() if name not in _CODINGS}
        return httpx.Response(response.status_code, headers=kept, content=bytes(content))


_CODINGS = frozenset({"content-encoding", "transfer-encoding", "content-length"})  # undone by now


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; a date is read against the server's own clock (RFC 9110, 10.2.3)."""
    value: str = response.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(min(int(value[:6]), 86_400))
    try:
        due, now = parsedate_to_datetime(value), parsedate_to_datetime(response.headers["date"])
        return max(0.0, float((due - now).total_seconds()))
    except (KeyError, ValueError, TypeError):
        return None


def _is_about_a_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _short(seconds: float) -> str:
    return _("%.1f s") % seconds

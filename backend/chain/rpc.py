"""JSON-RPC to chain nodes: typed failures, hard deadlines, batches, a breaker for each endpoint (SPEC 10.2).

Nothing here retries. Callers are loops that come back; what they must know is whether a node answered, and what.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from backend.chain.breaker import Breaker
from backend.chain.transport import Answer, Transport, TransportError

DEADLINE_SECONDS = 3.0  # for an answer, whole; hangs and drips end here
MAX_BATCH_CALLS = 200  # of one HTTP request
MAX_BATCH_BYTES = 1_000_000  # of one HTTP request; anvil and others refuse above 2 MB

HTTP_OK = 200


class NodeError(Exception):
    """The node was asked and there is no result."""


class NodeUnreachable(NodeError):  # noqa: N818 - the name says the state
    """No proper answer. `reason`: refused, deadline, cut, too_large, http_<status>, junk or resting (breaker open)."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"{endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason


class RpcError(NodeError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a batch."""

    method: str
    params: tuple[Any, ...] = field(default=())


class Node:
    """One endpoint. Safe to use from several threads."""

    def __init__(self, url: str, transport: Transport, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self.name = _without_secrets(url)
        self._transport = transport
        self._breaker = Breaker(monotonic)
        self._monotonic = monotonic
        self._answered_at: float | None = None

    def call(self, method: str, *params: object, deadline_seconds: float = DEADLINE_SECONDS) -> Any:  # noqa: ANN401 - JSON
        """The result of one call; raises `NodeUnreachable` or `RpcError`."""
        return one(self.batch([Call(method, params)], deadline_seconds)[0])

    def batch(self, calls: Sequence[Call], deadline_seconds: float = DEADLINE_SECONDS) -> list[Any]:
        """A result, or an `RpcError` in its place, for each call, in order. The deadline is for each HTTP request."""
        results: list[Any] = []
        for encoded in _requests(calls):
            results += self._request(encoded, deadline_seconds)
        return results

    @property
    def resting(self) -> bool:
        """Whether the breaker keeps us from asking."""
        return not self._breaker.may_try()

    @property
    def silent_seconds(self) -> float:
        """Since it last gave a proper answer; 0 if it never did."""
        return 0.0 if self._answered_at is None else self._monotonic() - self._answered_at

    def _request(self, encoded: list[bytes], deadline_seconds: float) -> list[Any]:
        if not self._breaker.may_try():
            raise NodeUnreachable(self.name, "resting")
        try:
            body = encoded[0] if len(encoded) == 1 else b"[" + b",".join(encoded) + b"]"
            answer = self._transport.post(self.url, body, deadline_seconds)
            results = _results(answer, len(encoded))
        except TransportError as error:
            self._breaker.failed()
            raise NodeUnreachable(self.name, error.reason) from None
        self._breaker.succeeded()
        self._answered_at = self._monotonic()
        return results


def one(result: Any) -> Any:  # noqa: ANN401 - JSON
    """A batch's result, or its `RpcError` raised."""
    if isinstance(result, RpcError):
        raise result
    return result


def _requests(calls: Sequence[Call]) -> Iterator[list[bytes]]:
    """Encoded calls, in HTTP requests of bearable size; ids count from 0 in each."""
    encoded: list[bytes] = []
    size = 0
    for call in calls:
        params = orjson.dumps(call.params)
        if encoded and (len(encoded) == MAX_BATCH_CALLS or size + len(params) > MAX_BATCH_BYTES):
            yield encoded
            encoded, size = [], 0
        encoded.append(
            b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (len(encoded), call.method.encode(), params)
        )
        size += len(params)
    if encoded:
        yield encoded


def _results(answer: Answer, count: int) -> list[Any]:
    """What the node says to each call, in their order; anything that does not answer each call once is junk."""
    if answer.status != HTTP_OK:
        raise TransportError(f"http_{answer.status}")
    try:
        answers = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise TransportError("junk") from None
    if isinstance(answers, dict) and count > 1 and "error" in answers:
        answers = [{**answers, "id": index} for index in range(count)]  # the whole batch was refused
    if isinstance(answers, dict):
        answers = [{**answers, "id": 0}]
    if not isinstance(answers, list) or len(answers) != count:
        raise TransportError("junk")
    results: list[Any] = [None] * count
    seen = set()
    for said in answers:
        index = said.get("id") if isinstance(said, dict) else None
        if not isinstance(index, int) or not 0 <= index < count or index in seen:
            raise TransportError("junk")
        seen.add(index)
        results[index] = _result(said)
    return results


def _result(answer: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if "result" in answer:
        return answer["result"]
    error = answer.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        raise TransportError("junk")
    return RpcError(error["code"], str(error.get("message", "")), error.get("data"))


def _without_secrets(url: str) -> str:
    """What of an address may stand in a log: providers put keys into paths and user names."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

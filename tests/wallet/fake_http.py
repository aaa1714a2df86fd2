"""The fake platform on the network: the real HTTP interface, failing as the real one can.

Late, twice, with the answer lost after it took effect, with 500, junk, or a byte at a time.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.wallet.fake_platform import SLUG, FakePlatform, Refuse

DRIP_SECONDS = 0.1  # between two bytes
_ROUTES = {
    ("POST", "events", "orders", "find"): "find",
    ("GET", "events", "", ""): "event",
    ("POST", "events", "orders", ""): "orders",
    ("POST", "orders", "payments", ""): "pay",
    ("GET", "orders", "", ""): "order",
    ("DELETE", "orders", "", ""): "release",
    ("POST", "tickets", "credential", ""): "credential",
    ("GET", "keys", "", ""): "keys",
    ("GET", "status", "", ""): "status",
}


@dataclass
class Fault:
    """What goes wrong, `times` times, with requests to a route (the values of `_ROUTES`)."""

    route: str
    kind: str  # late | lost_before | lost_after | error_before | error_after | unavailable | junk | drip | twice
    times: int = 1
    seconds: float = 0.0


class FakeServer(FakePlatform):
    """Start with `with FakeServer() as platform:`; `platform.url` is its address."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Fault] = []
        self.waits: str | None = None  # what the status tells
        self.told_with = 200  # 503: nothing can be sold
        self.requests: list[tuple[str, str]] = []  # (route, idempotency key)
        self.before: Callable[[str], None] = lambda _route: None  # a request arrived
        self.after: Callable[[str], None] = lambda _route: None  # it took effect; the answer is not sent yet
        self._one_at_a_time = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.platform = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, route: str) -> int:
        return sum(asked == route for asked, _key in self.requests)

    def fault_for(self, route: str) -> Fault:
        for fault in self.faults:
            if fault.route == route and fault.times > 0:
                fault.times -= 1
                return fault
        return Fault(route, "")

    def handle(self, method: str, path: str, key: str, secret: str, body: Any) -> tuple[int, Any]:
        route, subject = route_of(method, path)
        with self._one_at_a_time:
            self.requests.append((route, key))
            if route in ("orders", "pay", "credential"):
                scope = f"{route} {subject} {key}"
                return self.once(scope, json.dumps(body), lambda: self._act(route, subject, key, secret, body))
            return self._act(route, subject, key, secret, body)

    def _act(self, route: str, subject: str, key: str, secret: str, body: Any) -> tuple[int, Any]:
        if route in ("event", "orders", "find") and subject != SLUG:
            raise Refuse(404, "unknown_event", "There is no such event here.")
        acts: dict[str, Callable[[], tuple[int, Any]]] = {
            "events": lambda: (200, {"events": [{"slug": SLUG, "name": "Night of Numbers"}]}),
            "event": lambda: (200, self.event()),
            "find": lambda: (200, self.find(body)),
            "orders": lambda: (201, self.place(body)),
            "pay": lambda: self.pay(self.order_of(subject, secret), body, key),
            "order": lambda: (200, self.order(self.order_of(subject, secret))),
            "release": lambda: (204, self.release(self.order_of(subject, secret))),
            "credential": lambda: (200, self.bind(*self.ticket_of(subject, secret), body)),
            "keys": lambda: (200, self.keys()),
            "status": lambda: (self.told_with, {"summary": self.waits or "Everything works.", "banner": self.waits}),
        }
        if route not in acts:
            raise Refuse(404, "not_found", "There is no such page here.")
        return acts[route]()


def route_of(method: str, path: str) -> tuple[str, str]:
    """The route's name, and the event, order or ticket that it is about."""
    parts = [*path.removeprefix("/api/v1/").split("/"), "", "", ""]
    name = _ROUTES.get((method, parts[0], parts[2], parts[3]), "unknown")
    return ("events" if name == "event" and not parts[1] else name), parts[1]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    platform: FakeServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_message: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        platform = self.server.platform
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        route = route_of(method, self.path)[0]
        fault = platform.fault_for(route)
        platform.before(route)
        if fault.kind == "lost_before":
            self.close_connection = True
        elif fault.kind in ("error_before", "unavailable"):
            self._answer(500 if fault.kind == "error_before" else 503, b"<h1>oops</h1>", "text/html", retry_after=0)
        else:
            answers = [self._outcome(method, body) for _time in range(2 if fault.kind == "twice" else 1)]
            platform.after(route)
            time.sleep(fault.seconds)
            self._answer_with(fault.kind, *answers[-1])

    def _outcome(self, method: str, body: Any) -> tuple[int, bytes, str, int | None]:
        key = self.headers.get("Idempotency-Key", "")
        secret = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            status, answer = self.server.platform.handle(method, self.path, key, secret, body)
        except Refuse as refused:
            problem = {"status": refused.status, "code": refused.code, "detail": refused.detail, **refused.fields}
            return refused.status, json.dumps(problem).encode(), "application/problem+json", refused.retry_after
        if isinstance(answer, bytes):
            return status, answer, "application/octet-stream", None
        return status, b"" if answer is None else json.dumps(answer).encode(), "application/json", None

    def _answer_with(self, kind: str, status: int, content: bytes, content_type: str, retry_after: int | None) -> None:
        """The answer to what was done, as the fault lets it through."""
        if kind == "lost_after":
            self.close_connection = True
        elif kind == "error_after":
            self._answer(500, b'{"code": "internal_error", "detail": "Oops."}', "application/problem+json")
        elif kind == "junk":
            self._answer(200, b"<html>Welcome to the hotel's network</html>", "text/html")
        else:
            self._answer(status, content, content_type, drip=kind == "drip", retry_after=retry_after)

    def _answer(
        self, status: int, content: bytes, content_type: str, drip: bool = False, retry_after: int | None = None
    ) -> None:
        now = datetime.fromtimestamp(int(self.server.platform.now()), UTC)
        try:
            self.send_response_only(status)
            self.send_header("Date", format_datetime(now, usegmt=True))
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            if retry_after is not None:
                self.send_header("Retry-After", str(retry_after))
            self.end_headers()
            for piece in [content[at : at + 1] for at in range(len(content))] if drip else [content]:
                self.wfile.write(piece)
                self.wfile.flush()
                if drip:
                    time.sleep(DRIP_SECONDS)
        except OSError:  # the client went away, or was killed
            self.close_connection = True

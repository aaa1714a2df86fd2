"""What goes on while something is broken: buyers who go on buying, and people who want to be told.

They are a reader, who looks at the public status again and again, and a subscriber.
"""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from uuid import UUID

from tests.support.guest import Guest
from tests.support.installation import Installation

PAUSE_SECONDS = 0.1  # of a buyer between two orders, and of a reader between two looks
JOIN_SECONDS = 3700
BUYERS = 3
PATIENCE_SECONDS = 3600  # of a buyer whose every request may be cut short


class Crowd:
    """Buyers, each buying one ticket after the other until `stop`. What was acknowledged goes to `acknowledged`.

    With `codes` each buys two, takes a credential for both, and gives one back.
    """

    def __init__(self, platform: Installation, slug: str, acknowledged: set[UUID], *, codes: bool = False) -> None:
        self._platform, self._slug, self._acknowledged, self._codes = platform, slug, acknowledged, codes
        self.sold = 0
        self.last_at = 0.0  # when an order was acknowledged last, by the monotonic clock
        self.odd: list[str] = []  # what nobody should be answered
        self._stop = Event()
        self._threads = [Thread(target=self._buy, name=f"buyer-{number}") for number in range(BUYERS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _buy(self) -> None:
        guest = Guest(self._platform, self._slug, PATIENCE_SECONDS)
        try:
            while not self._stop.wait(PAUSE_SECONDS):
                bought = guest.buy(2 if self._codes else 1)
                self._acknowledged.add(UUID(bought.order_id))
                if self._codes:
                    guest.bind(bought)
                    guest.give_back(bought)
                self.sold += 1
                self.last_at = time.monotonic()
        except AssertionError as error:
            self.odd.append(str(error))
        finally:
            guest.close()


class Reader:
    """Looks until told to stop, and remembers when `look` first had something to show, by the monotonic clock."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look, self._stop = look, Event()
        self.shown_at: float | None = None
        self._thread = Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while self.shown_at is None and not self._stop.wait(PAUSE_SECONDS):
            if self._look():
                self.shown_at = time.monotonic()


class Subscriber:
    """A webhook that says yes to its subscription and remembers when it heard what."""

    def __init__(self) -> None:
        self.got: list[tuple[float, dict[str, Any]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._heard))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told_of_opening(self, since: float) -> float | None:
        """When it first heard of a new incident after `since`, by the monotonic clock."""
        return next((at for at, body in list(self.got) if at > since and body["type"] == "incident.opened"), None)

    def _heard(self, body: bytes) -> None:
        self.got.append((time.monotonic(), json.loads(body)))


def _handler(heard: Callable[[bytes], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard(body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler

"""From the fault to people: with real processes, banner within 10 s and subscribers within 60 s; then the report."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.support.installation import Installation, wait_until

BANNER_SECONDS, SUBSCRIBER_SECONDS = 10, 60
KEY = {"Idempotency-Key": "0123456789abcdef0123456789abcdef"}


@pytest.fixture
def heard() -> Iterator[tuple[str, list[tuple[float, dict[str, Any]]]]]:
    """A webhook that repeats what it is sent, and when it heard what."""
    got: list[tuple[float, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((time.monotonic(), json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    made.run("init")
    made.start("node", "node", "start", "--port", str(made.node_port))
    made.start("work")
    made.start("web")
    wait_until(made.web_answers, "the web server")
    yield made
    made.close()


@pytest.mark.deep
def test_a_killed_node_is_in_the_banner_in_ten_seconds_and_at_subscribers_in_a_minute(
    platform: Installation, heard: tuple[str, list[tuple[float, dict[str, Any]]]]
) -> None:
    hook, got = heard

    def status() -> dict[str, Any]:
        return dict(httpx.get(f"{platform.url}/api/v1/status", timeout=10).json())

    def told(kind: str) -> float | None:
        return next((at for at, body in list(got) if body["type"] == kind and _of_chain(body)), None)

    wait_until(lambda: _state(status(), "node") == _state(status(), "minting") == "works", "the node is seen")
    asked = httpx.post(
        f"{platform.url}/api/v1/subscriptions", json={"channel": "webhook", "address": hook}, headers=KEY, timeout=10
    )
    assert asked.status_code == 202
    wait_until(lambda: got, "the challenge")
    state = platform.folder / "state"
    platform.run("node", "save", str(state))
    killed = time.monotonic()
    platform.kill("node")
    wait_until(lambda: _state(status(), "minting") == "waits", "the banner")
    banner = time.monotonic() - killed
    wait_until(lambda: told("incident.opened"), "the subscriber")
    subscriber = (told("incident.opened") or 0) - killed
    wait_until(lambda: status()["incidents"], "the incident")
    print(json.dumps({"banner_s": round(banner, 1), "subscriber_s": round(subscriber, 1)}))
    assert banner <= BANNER_SECONDS
    assert subscriber <= SUBSCRIBER_SECONDS
    platform.start("node", "node", "start", "--port", str(platform.node_port), "--load", str(state))
    wait_until(lambda: told("incident.reported"), "the report")
    report = next(body for _at, body in got if body["type"] == "incident.reported")["incident"]["report"]
    assert report["problems"] == []
    assert report["compared_with_chain"] is not None, "the node that is back was asked"


def _state(status: dict[str, Any], name: str) -> str:
    return next((str(one["state"]) for one in status["components"] if one["name"] == name), "")


def _of_chain(body: dict[str, Any]) -> bool:
    return bool(body.get("incident", {}).get("component") == "chain")

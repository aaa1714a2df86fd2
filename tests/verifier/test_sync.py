"""Downloads from a real HTTP server that is slow, wrong, rude or gone: the gate keeps what it has, and says so."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from credential.delta import make_delta
from tests.verifier.platform import TOKEN, Answer, Platform, serve_platform, serving
from verifier.cli import main
from verifier.fetch import FetchFailed, HttpFetcher, Unchanged


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def run(platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Sync once with a server that answers so; exit code and what was said, as JSON."""
    folder = tmp_path / "gate"

    def sync(answer: Callable[[str, str | None], Answer]) -> tuple[int, Any]:
        with serving(answer) as url:
            if not folder.exists():
                platform.set_up_gate(folder, url)
            else:
                config = json.loads((folder / "gate.json").read_text())
                (folder / "gate.json").write_text(json.dumps({**config, "server": url}))
            capsys.readouterr()
            return main(["--data", str(folder), "sync", "--json"]), json.loads(capsys.readouterr().out)

    return sync


def test_first_sync_brings_list_and_bundle(run: Callable[..., tuple[int, Any]], platform: Platform) -> None:
    code, said = run(serve_platform(platform))

    assert code == 0
    assert said == {"key_list": {"version": 1, "changed": True}, "bundle": {"version": 1, "changed": True}}


def test_gate_says_which_bundle_it_has_and_takes_a_delta(
    run: Callable[..., tuple[int, Any]], platform: Platform
) -> None:
    run(serve_platform(platform))
    base, asked = platform.snapshot, []
    platform.next_bundle()

    def delta(path: str, authorization: str | None) -> Answer:
        asked.append(path)
        if path.endswith("/bundle?since=1"):
            return 200, make_delta(base, platform.snapshot)
        return serve_platform(platform)(path, authorization)

    code, said = run(delta)

    assert (code, said["bundle"]) == (0, {"version": 2, "changed": True})
    assert len(asked) == 2


def test_delta_on_a_bundle_the_gate_lacks_makes_it_ask_for_the_whole(
    run: Callable[..., tuple[int, Any]], platform: Platform
) -> None:
    run(serve_platform(platform))
    platform.next_bundle()
    base = platform.snapshot
    platform.next_bundle()

    def delta(path: str, authorization: str | None) -> Answer:
        if "since=" in path:
            return 200, make_delta(base, platform.snapshot)
        return serve_platform(platform)(path, authorization)

    code, said = run(delta)

    assert (code, said["bundle"]) == (0, {"version": 3, "changed": True})


def test_not_modified_is_good_news(run: Callable[..., tuple[int, Any]], platform: Platform) -> None:
    run(serve_platform(platform))

    code, said = run(lambda *_: (304, b""))

    assert (code, said["bundle"]) == (0, {"version": 1, "changed": False})


def test_bundle_cut_in_half_by_the_server_is_refused_and_named(
    run: Callable[..., tuple[int, Any]], platform: Platform
) -> None:
    run(serve_platform(platform))
    platform.next_bundle()

    def half(path: str, authorization: str | None) -> Answer:
        status, body = serve_platform(platform)(path, authorization)
        return status, body[: len(body) // 2] if "bundle" in path else body

    code, said = run(half)

    assert (code, said["bundle"]) == (5, {"reason": "truncated"})


@pytest.mark.parametrize(
    ("status", "code"), [(401, "token_refused"), (403, "token_refused"), (404, "not_found"), (500, "server_error")]
)
def test_refusals_of_the_server_are_told_apart(
    status: int, code: str, run: Callable[..., tuple[int, Any]], platform: Platform
) -> None:
    run(serve_platform(platform))

    exit_code, said = run(lambda *_: (status, b"<html>"))

    assert (exit_code, said["key_list"]["code"], said["bundle"]["code"]) == (4, code, code)


def test_page_of_a_captive_portal_is_no_key_list(run: Callable[..., tuple[int, Any]]) -> None:
    code, said = run(lambda *_: (200, b"<html>Welcome to our wifi</html>"))

    assert (code, said) == (5, {"key_list": {"reason": "not_a_key_list"}, "bundle": None})


def test_token_is_not_carried_to_another_server_by_a_redirect() -> None:
    with serving(lambda *_: (302, b"")) as url:
        answer = HttpFetcher(url, TOKEN).get("/api/v1/keys")

    assert isinstance(answer, FetchFailed)
    assert answer.code == "server_error"


def test_server_that_is_gone_is_said_in_a_sentence() -> None:
    with serving(lambda *_: (200, b"")) as url:
        pass

    answer = HttpFetcher(url, TOKEN).get("/api/v1/keys")

    assert isinstance(answer, FetchFailed)
    assert answer.code == "server_unreachable"
    assert TOKEN not in answer.sentence


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that speaks as it likes to one caller."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


def test_byte_a_moment_passes_every_socket_timeout_but_not_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        try:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X")
                time.sleep(0.05)
        except OSError:
            return  # the gate hung up

    with raw_server(drip) as url:
        started = time.monotonic()
        answer = HttpFetcher(url, TOKEN, deadline_seconds=0.5).get("/api/v1/keys")
        took = time.monotonic() - started

    assert isinstance(answer, FetchFailed)
    assert answer.code == "server_too_slow"
    assert took < 30  # it would go on for ever


def test_connection_that_ends_early_is_no_answer() -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nTSK\0")

    with raw_server(cut) as url:
        answer = HttpFetcher(url, TOKEN).get("/api/v1/keys")

    assert isinstance(answer, FetchFailed)
    assert answer.code in {"answer_cut_short", "server_unreachable"}


def test_answer_without_an_end_is_cut_off() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(bytes(1 << 20))
        except OSError:
            return

    with raw_server(flood) as url:
        answer = HttpFetcher(url, TOKEN).get("/api/v1/keys")

    assert isinstance(answer, FetchFailed)
    assert answer.code == "answer_too_long"


def test_unchanged_is_an_answer_of_its_own() -> None:
    with serving(lambda *_: (304, b"")) as url:
        assert isinstance(HttpFetcher(url, TOKEN).get("/x"), Unchanged)

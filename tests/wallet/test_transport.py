"""Every request ends in time, is made again when that can help, and an answer is what it should be or no answer."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.wallet.fake_http import FakeServer, Fault
from tests.wallet.fake_platform import SLUG
from tests.wallet.home import HASTY
from wallet.api import Api, checked_server
from wallet.errors import WalletError
from wallet.transport import Broken, Limits, Problem, Transport, backoff_seconds

SOON_SECONDS = 30  # what is waited for would take minutes, or for ever


@contextmanager
def api_of(server: str, limits: Limits = HASTY, now: Callable[[], float] = time.time) -> Iterator[Api]:
    transport = Transport(server, limits, now=now)
    try:
        yield Api(transport)
    finally:
        transport.close()


@contextmanager
def raw_server(answer: bytes, gap: float = 0.0) -> Iterator[str]:
    """A server that sends the same bytes to everybody, with a gap after each byte if there is one."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(65536)
                for piece in [answer[at : at + 1] for at in range(len(answer))] if gap else [answer]:
                    connection.sendall(piece)
                    if over.wait(gap):
                        return
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "error_before", "error_after", "unavailable", "junk"])
def test_one_bad_answer_is_asked_again(platform: FakeServer, kind: str) -> None:
    platform.faults = [Fault("event", kind)]
    with api_of(platform.url) as api:
        assert api.event(SLUG).tag == platform.tag
    assert len(platform.faults) == 1
    assert platform.faults[0].times == 0


@pytest.mark.parametrize(
    ("kind", "code"),
    [("error_before", "server_broken"), ("junk", "unexpected_answer"), ("lost_after", "server_broken")],
)
def test_only_bad_answers_end_in_words_within_the_patience(platform: FakeServer, kind: str, code: str) -> None:
    platform.faults = [Fault("event", kind, times=1000)]
    limits = Limits(attempt_seconds=5, first_contact_seconds=5, patience_seconds=2)
    began = time.monotonic()
    with api_of(platform.url, limits) as api, pytest.raises(Broken) as caught:
        api.event(SLUG)
    assert caught.value.code == code
    assert time.monotonic() - began < SOON_SECONDS
    assert platform.faults[0].times < 999


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b" " * 5000, b"H" * 5000])
def test_a_byte_at_a_time_does_not_hold_us(answer: bytes) -> None:
    limits = Limits(attempt_seconds=0.5, first_contact_seconds=0.5, patience_seconds=0.5)
    with raw_server(answer, gap=0.1) as url, api_of(url, limits) as api:
        began = time.monotonic()
        with pytest.raises(Broken) as caught:
            api.event(SLUG)
    assert caught.value.code == "server_slow"
    assert time.monotonic() - began < SOON_SECONDS


def test_an_endless_answer_is_cut_off() -> None:
    limits = Limits(attempt_seconds=5, first_contact_seconds=0, patience_seconds=0, max_bytes=10_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    with raw_server(head + b" " * 1_000_000) as url, api_of(url, limits) as api, pytest.raises(Broken) as caught:
        api.event(SLUG)
    assert caught.value.code == "server_broken"


def test_no_server_is_said_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    began = time.monotonic()
    limits = replace(HASTY, first_contact_seconds=0.5)
    with api_of(f"http://127.0.0.1:{port}", limits) as api, pytest.raises(Broken) as caught:
        api.event(SLUG)
    assert caught.value.code == "server_unreachable"
    assert str(port) in caught.value.sentence
    assert time.monotonic() - began < SOON_SECONDS


def test_a_no_is_not_asked_again(platform: FakeServer) -> None:
    with api_of(platform.url) as api, pytest.raises(Problem) as caught:
        api.event("nonsense")
    assert (caught.value.code, caught.value.status) == ("unknown_event", 404)
    assert platform.count("event") == 1


def test_retry_after_is_waited_for_and_beyond_the_patience_is_not() -> None:
    body = b'{"code": "busy", "detail": "Too many."}'
    head = b"HTTP/1.1 429 X\r\nRetry-After: 3600\r\nContent-Length: %d\r\n\r\n" % len(body)
    began = time.monotonic()
    with raw_server(head + body) as url, api_of(url) as api, pytest.raises(Problem) as caught:
        api.event(SLUG)
    assert caught.value.retry_after == 3600
    assert time.monotonic() - began < SOON_SECONDS


def test_escape_sequences_from_a_server_never_reach_the_terminal() -> None:
    body = b'{"code": "sold_out", "detail": "\\u001b[2JGive me your phrase"}'
    head = b"HTTP/1.1 409 X\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(head + body) as url, api_of(url) as api, pytest.raises(Broken) as caught:
        api.event(SLUG)
    assert caught.value.code == "unexpected_answer"
    assert "\x1b" not in caught.value.sentence


@pytest.mark.parametrize("offset", [-90.0, 0.0, 3600.0])
def test_clock_is_compared_with_the_servers(platform: FakeServer, offset: float) -> None:
    platform.clock_offset = -offset
    with api_of(platform.url) as api:
        api.event(SLUG)
        assert api.transport.clock_ahead == pytest.approx(offset, abs=1.5)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("tickets.example.org", "bad_address"),
        ("ftp://tickets.example.org", "bad_address"),
        ("https://", "bad_address"),
        ("http://[::1", "bad_address"),
        ("http://127.0.0.1:99999", "bad_address"),
        ("https://user:word@tickets.example.org", "bad_address"),
        ("http://tickets.example.org", "unsafe_address"),
    ],
)
def test_useless_and_unsafe_addresses_are_refused(address: str, code: str) -> None:
    with pytest.raises(WalletError) as caught:
        checked_server(address)
    assert caught.value.code == code


def test_good_addresses_are_taken() -> None:
    assert checked_server(" https://tickets.example.org/ ") == "https://tickets.example.org"
    assert checked_server("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    assert checked_server("http://10.0.0.5", allow_http=True) == "http://10.0.0.5"


def test_waits_double_up_to_five_seconds() -> None:
    assert [backoff_seconds(0.25, attempt, 1.0) for attempt in (0, 1, 2, 5, 900)] == [0.25, 0.5, 1.0, 5.0, 5.0]
    assert backoff_seconds(0.25, 0, 0.0) == 0.125

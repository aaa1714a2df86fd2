"""What comes over the socket may be anything: each test ends with a good request that is answered."""

import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from backend.credentials import framing
from backend.credentials.framing import MAX_BLOB_BYTES, MAX_MESSAGE_BYTES
from backend.credentials.keystore import KeyStore
from backend.credentials.signer import MAX_CLIENTS, Signer
from backend.credentials.signer_client import SignerClient
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.errors import Refused
from tests.backend.credentials.serving import serving, wait_for
from tests.support.installation import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    engine = make_engine(f"sqlite:///{tmp_path}/truestub.sqlite")
    upgrade(engine)
    path = tmp_path / "signer.sock"
    with serving(Signer(engine, KeyStore(tmp_path / "keys"), time.time), path) as client:
        yield path
        client.ping()
    engine.dispose()


@pytest.fixture
def hasty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signer waits for a message a second only, until the test's end."""
    monkeypatch.setattr(framing, "REQUEST_SECONDS", 1.0)


def exchange(path: Path, data: bytes, *, finish: bool = True) -> bytes:
    """Send raw bytes, and what comes back until the signer closes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return b""


def frame(message: bytes, blob: bytes = b"") -> bytes:
    return len(message).to_bytes(4) + len(blob).to_bytes(4) + message + blob


def reply(path: Path, message: Any, blob: bytes = b"") -> dict[str, Any]:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    answer = exchange(path, frame(raw, blob))
    return dict(json.loads(answer[8:]))


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"request": {"op": "shutdown"}}',
        b'{"request": {"op": "ping", "more": 1}}',
        b'{"request": {"op": "ping"}, "more": 1}',
        b'{"request": {"op": "issue"}}',
        b'{"request": {"op": "prepare_event", "event_id": "../../root"}}',
        b'{"request": {"op": "prepare_event", "event_id": 7}}',
        b'{"request": {"op": "rotate_key", "event_id": "00000000-0000-0000-0000-000000000001", "role": "custody"}}',
        b'{"language": "en-GB-oxendict", "request": {"op": "ping"}}',
    ],
)
def test_a_request_that_is_none_is_refused(path: Path, message: bytes) -> None:
    assert reply(path, message)["refused"]["code"] == "bad_request"


def issue_message(**changes: Any) -> dict[str, Any]:
    binding = {
        "device_key": "00" * 32,
        "number": 1,
        "epoch": 0,
        "expiry": 1,
        "possession_signature": "00" * 64,
        "order_secret": "x",
        **changes,
    }
    return {"request": {"op": "issue", "ticket_id": str(uuid4()), "binding": binding}}


@pytest.mark.parametrize(
    "changes",
    [
        {"device_key": "00" * 31},
        {"device_key": "zz" * 32},
        {"device_key": " " + "00" * 32},
        {"device_key": 5},
        {"number": -1},
        {"number": 1 << 32},
        {"number": "1"},
        {"number": 1.5},
        {"number": True},
        {"epoch": 1 << 63},
        {"expiry": 10**30},
        {"owner_signature": "00" * 64},
        {"order_secret": "x" * 201},
        {"order_secret": 1},
        {"unknown": 1},
    ],
)
def test_a_binding_with_an_odd_field_is_refused_and_the_field_named(path: Path, changes: dict[str, Any]) -> None:
    refused = reply(path, issue_message(**changes))["refused"]
    assert refused["code"] == "bad_request"
    assert next(iter(changes)) in refused["details"]["field"]


def test_a_well_formed_request_gets_past_the_door(path: Path) -> None:
    assert reply(path, issue_message())["refused"]["code"] == "unknown_ticket"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
        (MAX_MESSAGE_BYTES + 1).to_bytes(4) + bytes(4) + b"x" * 100,
        b"\xff" * 8,
        bytes(8),
        (10).to_bytes(4) + (MAX_BLOB_BYTES + 1).to_bytes(4),
        frame(b"{}")[:-1],
    ],
    ids=["nothing", "a byte", "http", "oversize", "huge", "empty", "huge blob", "cut short"],
)
def test_what_is_no_message_is_dropped(path: Path, data: bytes) -> None:
    assert exchange(path, data) == b""


def test_random_bytes_never_end_it(path: Path) -> None:
    dice = random.Random(7)
    for _ in range(200):
        raw = dice.randbytes(dice.randrange(200))
        exchange(path, raw if dice.random() < 0.5 else frame(raw or b"x"))


def test_a_blob_is_for_bundles_only_and_is_not_even_read(path: Path) -> None:
    message = b'{"request": {"op": "ping"}}'
    answer = exchange(path, frame(message, b"x" * 1000)[:-1000], finish=False)
    assert json.loads(answer[8:])["refused"]["code"] == "bad_request"


@pytest.mark.parametrize("blob", [b"x", os.urandom(5000)], ids=["a byte", "random"])
def test_no_bundle_is_not_signed(path: Path, blob: bytes) -> None:
    message = {"request": {"op": "sign_bundle", "event_id": str(uuid4())}}
    assert reply(path, message, blob)["refused"]["code"] == "bad_bundle"


@pytest.mark.usefixtures("hasty")
def test_a_client_that_says_nothing_is_dropped_at_its_deadline(path: Path) -> None:
    assert exchange(path, b"\0\0", finish=False) == b"", "it ends, though the client holds on"


@pytest.mark.usefixtures("hasty")
def test_a_crowd_of_silent_clients_does_not_shut_others_out(path: Path) -> None:
    crowd = []
    for _ in range(MAX_CLIENTS + 10):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(path))
        crowd.append(connection)
    try:
        wait_for(SignerClient(path))
    finally:
        for connection in crowd:
            connection.close()


def test_a_client_that_leaves_early_harms_nobody(path: Path) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(path))
            connection.sendall(frame(b'{"request": {"op": "ping"}}'))


def test_a_broken_request_is_said_to_be_broken_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_arguments: Any) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr("backend.credentials.signer.prepare_event", explode)
    with pytest.raises(Refused, match="signer_failed") as caught:
        SignerClient(path).prepare_event(uuid4())
    assert "42" not in str(caught.value)


def test_an_answer_that_is_none_is_a_signer_that_is_away(tmp_path: Path) -> None:
    path = tmp_path / "liar.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def lie() -> None:
            for answer in (b"", b"junk", frame(b"{"), frame(b'{"answer": {"x": 1}}')):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=lie)
        thread.start()
        for _ in range(4):
            with pytest.raises(Refused, match="signer_unreachable"):
                SignerClient(path).ping()
        thread.join()


def test_a_refusal_is_in_the_language_of_who_asks(path: Path) -> None:
    said = [reply(path, {**issue_message(), "language": language})["refused"] for language in ("en", "zh", "xx")]
    assert {one["code"] for one in said} == {"unknown_ticket"}
    assert said[0]["sentence"] == said[2]["sentence"] != said[1]["sentence"]


def test_who_only_looks_whether_the_signer_is_there_is_not_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert exchange(path, b"") == b""
    assert exchange(path, b"\0") == b""
    wait_until(lambda: "client dropped" in caplog.text, "the line")
    assert caplog.text.count("client dropped") == 1, "the one that said half a word"

"""Strangers choose where we send to: what is no address is refused, and none of them costs more than a moment."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.db.tables.telling import Subscriber
from backend.errors import Refused
from backend.notices import webhook
from backend.notices.subscribers import checked
from backend.wiring import Services
from tests.backend.notices.test_notices import ask
from tests.support.desk import post as submit


@pytest.mark.parametrize(
    "address",
    [
        "https://[::1",
        "https://shop.example:port/",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https:///no-host",
        "https://user:secret@shop.example/",
        "https://shop.example/a b",
        "https://shop.example/\r\nHost: other",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://shop.example/" + "x" * 2000,
    ],
)
def test_what_is_no_webhook_is_refused_with_what_to_do(address: str) -> None:
    with pytest.raises(Refused, match="bad_address"):
        checked("webhook", address, strangers=False)


def test_a_webhook_in_clear_text_is_refused_when_it_is_asked_for_and_not_forgotten_silently() -> None:
    assert checked("webhook", "http://127.0.0.1:8000/hook", strangers=False), "a developer's own"
    with pytest.raises(Refused, match="must begin with https://"):
        checked("webhook", "http://shop.example/hook", strangers=True)


def test_a_strange_address_by_the_api_is_a_sentence_and_no_error_of_ours(client: FlaskClient) -> None:
    answer = ask(client, "https://[::1", "webhook")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_address")


def test_a_typing_error_on_the_status_page_is_said_there_and_loses_nothing(
    client: FlaskClient, services: Services
) -> None:
    wrong = submit(client, "/status/subscribe", "/status", address='ada@"example.org')
    assert wrong.status_code == 422
    assert "This is not a mail address" in wrong.text
    assert 'value="ada@&#34;example.org"' in wrong.text
    assert submit(client, "/status/subscribe", "/status", address="ada@example.org").status_code == 200
    with services.engine.connect() as connection:
        assert len(connection.execute(select(Subscriber)).all()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/",
        "https://[::1]/",
        "http://1.1.1.1/",
        "https://169.254.169.254/latest",
    ],
)
def test_strangers_cannot_send_us_to_our_own_network(url: str) -> None:
    with pytest.raises(webhook.NotDeliveredError, match=r"not a public address|not https"):
        webhook.post(url, bytes(32), "1", b"{}", 0.0, strangers=True)


@pytest.fixture
def dripping() -> Iterator[str]:
    """A web server whose answer never ends, a byte at a time: no wait for the next byte is ever long."""
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        with suppress(OSError):
            taken, _address = listening.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while True:
                    taken.sendall(b"x")
                    time.sleep(0.02)

    thread = Thread(target=drip)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    listening.close()
    thread.join(20)


def test_a_webhook_that_drips_its_answer_keeps_nobody_else_waiting(
    dripping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    with ThreadPoolExecutor(1) as sender:  # as they are sent
        sent = sender.submit(webhook.post, dripping, bytes(32), "1", b"{}", 0.0, strangers=False)
        with pytest.raises(webhook.NotDeliveredError, match="Timeout"):
            sent.result()

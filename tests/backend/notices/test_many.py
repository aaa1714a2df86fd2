"""Ten thousand subscribers: each is told once, and how long that takes. The mail server is a process of its own."""

import dataclasses
import json
import mailbox
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from backend.db.clock import now_ms
from backend.db.tables.telling import Subscriber
from backend.domain.ids import new_id
from backend.notices.outbox import OF_INCIDENTS, send_due, spread
from backend.notices.sending import Sending
from backend.notices.subscribers import Book
from backend.wiring import Services
from tests.backend.notices.test_notices import post_incident
from tests.support.installation import wait_until
from tests.support.postgres import free_port

SUBSCRIBERS = 10_000


@pytest.fixture
def maildir(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A mail server's port, and where it puts what it takes."""
    port, folder = free_port(), tmp_path / "mail"
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}"]
    with subprocess.Popen([*command, "-c", "aiosmtpd.handlers.Mailbox", str(folder)]) as server:
        wait_until(lambda: is_listening(port), "the mail server")
        yield port, folder
        server.terminate()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.deep
def test_ten_thousand_subscribers_are_told_once_each(services: Services, maildir: tuple[int, Path]) -> None:
    port, folder = maildir
    book = Book(services.secret)
    with services.engine.begin() as connection:
        now = now_ms(connection)
        confirmed = {"channel": "mail", "language": "en", "state": "confirmed", "asked_ms": now, "confirmed_ms": now}
        rows = [
            {
                **confirmed,
                "id": new_id(now),
                "address_mark": secrets.token_bytes(32),
                "address_box": bytes(book._box.encrypt(f"reader-{one}@example.org".encode())),
            }
            for one in range(SUBSCRIBERS)
        ]
        connection.execute(insert(Subscriber), rows)
    settings = dataclasses.replace(services.settings, smtp_url=f"smtp://127.0.0.1:{port}")
    sending = Sending(services.engine, settings, book)
    post_incident(services)
    began = time.monotonic()
    while spread(services.engine) + send_due(services.engine, sending.send, OF_INCIDENTS):
        pass
    print(json.dumps({"subscribers": SUBSCRIBERS, "told_s": round(time.monotonic() - began, 1)}))
    taken = mailbox.Maildir(folder)
    assert len({letter["To"] for letter in taken}) == len(taken) == SUBSCRIBERS

"""A real mail server and a real web server that listen, and an application that writes to them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask.testing import FlaskClient

from backend.app import create_app
from backend.notices.sending import Sending
from backend.notices.subscribers import Book
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.patience import patient
from tests.support.postgres import free_port
from tests.support.shop import put_on_sale


@dataclass
class Post:
    """What a mail server took, and whether it takes more."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False
    port: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.refuses:
            return "451 later"
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


@dataclass
class Hook:
    """What a webhook's owner was posted."""

    url: str = ""
    status: int = 200
    echoes: bool = True
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.got]


@pytest.fixture
def post() -> Iterator[Post]:
    taken = Post(port=free_port())
    server = Controller(taken, hostname="127.0.0.1", port=taken.port)
    server.start()
    yield taken
    server.stop()


@pytest.fixture
def hook() -> Iterator[Hook]:
    taken = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(taken.status)
            self.end_headers()
            self.wfile.write(body if taken.echoes else b"hello")

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    taken.url = f"http://127.0.0.1:{server.server_port}/hook?of=us"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield taken
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def services(database_url: str, tmp_path: Path, post: Post) -> Iterator[Services]:
    settings = settings_from(
        {
            "TRUESTUB_DATA_DIR": str(tmp_path / "data"),
            "TRUESTUB_DATABASE_URL": database_url,
            "TRUESTUB_SMTP_URL": f"smtp://127.0.0.1:{post.port}",
            "TRUESTUB_MAIL_FROM": "tickets@example.org",
            "TRUESTUB_PUBLIC_URL": "http://shop.example",
        }
    )
    services = patient(wire(settings))
    put_on_sale(services.engine)
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def sending(services: Services) -> Sending:
    return Sending(services.engine, services.settings, Book(services.secret))

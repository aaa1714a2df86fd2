"""What is no text but an attack, in every field of every form and every part of every address: it stays a text.

The forms are those that the pages show, read as a browser reads them; the addresses come from the application.
"""

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.logs import configure_logs
from backend.wiring import Services
from tests.support.desk import at_desk, post
from tests.support.forms import HTML

HOSTILE = (
    "\"'><script>alert(1)</script>{{7*7917}}${7*7917}%s%n{0.__class__}' OR '1'='1'; DROP TABLE orders;--",
    'line\r\nSet-Cookie: owned=1\r\n\r\n{"event": "forged"}\x00\u202e\ud7ff',
    "9" * 400,
)
PAGES = ("/", "/events/gig", "/orders", "/status", "/terms")
OF_THE_EVENT = ("", "/edit", "/codes", "/postpone", "/cancel", "/sell", "/attendees", "/figures")
DESK = ("", "/new", "/orders", "/people", "/account", "/refunds", *(f"/events/gig{one}" for one in OF_THE_EVENT))
LEFT_ALONE = ("/desk/sign-out",)  # what follows would be asked by nobody


@dataclass
class Form:
    """A form of a page: where it goes, and what is in it before somebody writes."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """Reads the forms that post."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._in = False
        self._choice = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._in = told.get("method") == "post"
            if self._in:
                self.found.append(Form(told.get("action", "")))
        elif self._in and tag in ("input", "textarea", "select", "button") and told.get("name"):
            if told.get("type") != "file":
                self.found[-1].fields.setdefault(told["name"], told.get("value", ""))
            self._choice = told["name"] if tag == "select" else ""
        elif self._in and tag == "option" and self._choice and not self.found[-1].fields[self._choice]:
            self.found[-1].fields[self._choice] = told.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._in = self._in and tag != "form"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("web", stream, logging.DEBUG)
    yield stream
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)


def harmless(answer: TestResponse, where: object) -> None:
    """No fault, no header that was not ours, nothing that a browser or a template would run."""
    assert answer.status_code < 500 or answer.status_code == 503, (where, answer.text)
    assert "owned" not in " ".join(answer.headers.getlist("Set-Cookie")), where
    if answer.mimetype == "text/event-stream":
        answer.close()
    elif answer.mimetype == "text/html":
        assert "<script>alert" not in answer.text, where
        assert "55419" not in answer.text, (where, "a template was run")


def attack(client: FlaskClient, paths: list[str]) -> int:
    """Send every form of these pages once for every field and attack; how many that were."""
    done: set[tuple[str, str]] = set()
    for path in paths:
        for form in Forms(client.get(path, headers=HTML).text).found:
            for name in form.fields:
                if name == "csrf_token" or form.action in LEFT_ALONE or (form.action, name) in done:
                    continue
                done.add((form.action, name))
                for text in HOSTILE:
                    answer = client.post(form.action or path, data={**form.fields, name: text}, headers=HTML)
                    harmless(answer, (form.action, name, text[:9]))
    for path in paths:
        harmless(client.get(path, headers=HTML), path)
    return len(done)


def one_line_each(logged: io.StringIO) -> None:
    for line in logged.getvalue().splitlines():
        assert json.loads(line)["event"] != "forged"


def test_no_field_of_a_form_of_the_shop_is_more_than_a_text(app: Flask, logged: io.StringIO) -> None:
    client = app.test_client()
    held = post(client, "/events/gig", "/events/gig", form="a", **{"quantity-floor": "1"}).headers["Location"]
    assert attack(client, [*PAGES, held]) > 10
    one_line_each(logged)


def test_no_field_of_a_form_of_the_desk_is_more_than_a_text(
    app: Flask, services: Services, logged: io.StringIO
) -> None:
    buyer, owner = app.test_client(), at_desk(app, services, "owner")
    held = post(buyer, "/events/gig", "/events/gig", form="a", **{"quantity-floor": "2"}).headers["Location"]
    pay = {"form": "pay", "method": "sandbox", "token": "approve"}
    assert post(buyer, f"{held}/pay", held, **pay).status_code == 303
    assert attack(owner, [f"/desk{one}" for one in (*DESK, held)]) > 40
    one_line_each(logged)


def test_no_place_in_line_for_what_no_database_can_look_up(app: Flask) -> None:
    for text in HOSTILE:
        line = {"class": text[:40], "quantity": 1}
        harmless(app.test_client().post("/api/v1/events/gig/waiting-list", json=line), text[:9])
    nul = app.test_client().post("/api/v1/events/gig/waiting-list", json={"class": "a\0", "quantity": 1})
    assert nul.status_code == 422


def test_no_part_of_an_address_or_header_is_more_than_a_text(app: Flask, logged: io.StringIO) -> None:
    client = app.test_client()
    for text in HOSTILE:
        header = text.replace("\r\n", " ").replace("\x00", "").encode().decode("latin-1")
        headers = {**HTML, "Authorization": f"Bearer {header}", "Idempotency-Key": header, "Accept-Language": header}
        for rule in app.url_map.iter_rules():
            path = re.sub(r"<[^<>]+>", quote(text, safe=""), rule.rule)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                answer = client.open(f"{path}?since={quote(text)}&next={quote(text)}", method=method, headers=headers)
                harmless(answer, (method, rule.rule))
    one_line_each(logged)

"""Injection: texts that mean something to HTML, SQL, templates, headers and logs, in every field there is.

The fields of the API come from the OpenAPI document, those of forms from the pages. Whatever is written there stays
text: no 5xx, nothing evaluated, no header made, no line of the log forged, no table gone.
"""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from backend.app import create_app
from backend.db.tables.orders import Order
from backend.logs import configure_logs
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key, opens
from tests.support.desk import post
from tests.support.embedded import embedded_shop
from tests.support.forms import HTML

ATTACKS = {
    "header": "x\r\nSet-Cookie: forged=1\r\n\r\nforged",
    "log": 'x\n{"event": "forged", "level": "info"}\u2028\x1b[2J',
    "sql": "x'; DROP TABLE orders; --\" OR 1=1",
    "template": "{{7*7191}}${7*7191}<%= 7*7191 %>#{7*7191}%(7)s%n{0}",
    "html": '"><script>forged()</script><img src=x onerror=forged()>',
    "null": "x\x00y",
}
EVALUATED = str(7 * 7191)
PAGES = ("/", "/events/gig", "/orders", "/status", "/terms")
JSON_METHODS = ("post", "put", "patch", "delete")


@dataclass
class Form:
    """A form of a page: where it is sent to, and what is in it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(named.get("action", ""), named.get("method", "get").lower()))
        elif tag in ("input", "textarea", "select", "button") and named.get("name") and self.found:
            self.found[-1].fields[named["name"]] = named.get("value", "")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with embedded_shop(tmp_path_factory.mktemp("injection"), floor=1000) as services:
        yield services


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, stream = root.handlers[:], root.level, io.StringIO()
    configure_logs("web", stream, logging.DEBUG)
    yield stream
    root.handlers[:], root.level = handlers, level


def harmless(answer: TestResponse, where: object) -> None:
    assert answer.status_code < 500 or "/credential" in str(where), where  # 503: the signer is not here
    assert EVALUATED not in answer.text, where
    assert not any("forged" in name + value for name, value in answer.headers if name != "Location"), where
    assert "forged=1" not in {one.partition(";")[0] for one in answer.headers.getlist("Set-Cookie")}, where
    assert all(character not in value for _name, value in answer.headers for character in "\r\n"), where
    if answer.mimetype == "text/html":
        assert "<script>forged" not in answer.text, where
        assert "<img src=x" not in answer.text, where


def untouched(services: Services, log: io.StringIO) -> None:
    """No line was forged, and the orders are there."""
    for line in log.getvalue().split("\n")[:-1]:
        assert json.loads(line)["event"] != "forged"
        assert "\r" not in line
        assert "\x1b" not in line
    with services.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Order))


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_field_of_the_api_stays_text(services: Services, logged: io.StringIO, attack: str) -> None:
    app, text = create_app(services), ATTACKS[attack]
    buyer = Buyer(app.test_client())
    order, tried = buyer.held(), 0
    document = app.test_client().get("/openapi.json").get_json()
    for address, method, body in operations(document):
        path = address.replace("{order_id}", order["order_id"]).replace("{slug}", "gig").replace("{event}", "gig")
        path = path.replace("{ticket_id}", order["order_id"]).replace("{waiter_id}", order["order_id"])
        headers = {"Idempotency-Key": new_key(), **opens(order)}
        for broken in spoiled(body, text):
            harmless(app.test_client().open(path, method=method, json=broken, headers=headers), (path, broken))
            tried += 1
        for name in ("Idempotency-Key", "Authorization", "Waiting-Place", "Waiting-Pass", "Accept-Language"):
            said = {**headers, name: "".join(one for one in text if one.isascii() and one.isprintable())}
            harmless(app.test_client().open(path, method=method, json=body, headers=said), (path, name))
    assert tried > 15
    untouched(services, logged)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_field_of_a_form_stays_text(services: Services, logged: io.StringIO, attack: str) -> None:
    app, text = create_app(services), ATTACKS[attack]
    client = app.test_client()
    held = post(client, "/events/gig", "/events/gig", form=new_key(), **{"quantity-floor": "1"}).headers["Location"]
    tried = 0
    for page in (*PAGES, held):
        for form in Forms(client.get(page, headers=HTML).text).found:
            for name in form.fields:
                fields = {**form.fields, name: text}
                harmless(send(client, form, fields, page), (form.action, name))
                tried += 1
        harmless(client.get(page, headers=HTML), page)  # also what a flash says
    assert tried > 15
    untouched(services, logged)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_text_in_an_address_stays_text(services: Services, logged: io.StringIO, attack: str) -> None:
    app, text = create_app(services), quote(ATTACKS[attack], safe="")
    Buyer(app.test_client()).held()
    for path in (
        *(
            f"/events/{text}",
            f"/api/v1/events/{text}",
            f"/orders/{text}",
            f"/subscriptions/{text}",
            f"/language/{text}",
        ),
        *(f"/language/zh?next={text}", f"/language/zh?next=/{text}", f"/{text}", f"/static/{text}", f"/?{text}={text}"),
        *(f"/events/gig?presale={text}", f"/api/v1/orders/{text}", f"/payments/{text}/notify"),
    ):
        for method in ("GET", "POST"):
            harmless(app.test_client().open(path, method=method, headers=HTML), path)
    untouched(services, logged)


def test_a_log_line_of_hostile_text_is_one_line(logged: io.StringIO) -> None:
    for text in ATTACKS.values():
        logging.getLogger("test").warning("somebody said %s", text)
    lines = logged.getvalue().split("\n")[:-1]
    assert len(lines) == len(ATTACKS)
    assert all(json.loads(line)["event"].startswith("somebody said") for line in lines)
    assert not any(character in line for line in lines for character in "\r\x1b\x00")


def send(client: FlaskClient, form: Form, fields: dict[str, str], page: str) -> TestResponse:
    action = form.action or page
    if form.method == "get":
        return client.get(action, query_string=fields, headers=HTML)
    return client.post(action, data=fields, headers=HTML)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Address, method and a body that the document allows, of everything that takes one."""
    for address, path in document["paths"].items():
        for method, operation in path.items():
            if method in JSON_METHODS and "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                yield address, method.upper(), example(schema, document)


def example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A value of the schema's shape, each of its fields filled."""
    if "$ref" in schema:
        return example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], document)
    match schema.get("type"):
        case "object":
            return {name: example(one, document) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [example(schema["items"], document)]
        case "integer":
            return 1
    return schema.get("enum", ["floor"])[0]


def spoiled(value: Any, text: str) -> Iterator[Any]:
    """The value once for each text in it, with the attack there; and once for each object, with it as a name."""
    match value:
        case str():
            yield text
        case dict():
            yield {**value, text: 1}
            for name, one in value.items():
                yield from ({**value, name: broken} for broken in spoiled(one, text))
        case list():
            yield from ([broken] for one in value for broken in spoiled(one, text))
        case _:
            return

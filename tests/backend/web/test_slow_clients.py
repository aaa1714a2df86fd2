"""Clients that send slowly, real sockets against the real server: they wait, nobody else does."""

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from backend.db.engine import make_engine
from backend.web.requests import MAX_BODY_BYTES
from backend.web.serving import THREADS
from tests.support.installation import Installation, wait_until
from tests.support.shop import put_on_sale

SLOW = THREADS + 8
SECONDS = 60
ORDERS = "/api/v1/events/gig/orders"
HEAD = f"POST {ORDERS} HTTP/1.1\r\n".encode() + b"Host: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A web process alone: sales need no more."""
    installation = Installation(tmp_path_factory.mktemp("slow"))
    try:
        installation.run("init")
        engine = make_engine(installation.database_url)
        put_on_sale(engine)
        engine.dispose()
        installation.start("web")
        wait_until(installation.web_answers, "the web server")
        yield installation
    finally:
        installation.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD,
        HEAD + b'Content-Length: 500\r\n\r\n{"lines"',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"lines"\r\n',
    ],
    ids=["nothing", "half a head", "half a body", "half a chunked body"],
)
def test_more_slow_clients_than_threads_do_not_stop_a_sale(shop: Installation, sent: bytes) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(shop)) for _ in range(SLOW)]
        for one in slow:
            one.sendall(sent)
        with httpx.Client(base_url=shop.url, timeout=SECONDS) as buyer:
            key = {"Idempotency-Key": secrets.token_hex(8)}
            held = buyer.post(ORDERS, json={"lines": [{"class": "floor", "quantity": 1}]}, headers=key)
            assert held.status_code == httpx.codes.CREATED
            order, secret = held.json()["order_id"], held.json()["order_secret"]
            paid = buyer.post(
                f"/api/v1/orders/{order}/payments",
                json={"method": "sandbox", "token": "approve"},
                headers={**key, "Authorization": f"Bearer {secret}"},
            )
            assert paid.status_code == httpx.codes.OK


def test_body_that_never_ends_is_answered_and_let_go(shop: Installation) -> None:
    with connect(shop) as slow:
        slow.sendall(HEAD + b"Idempotency-Key: 0123456789abcdef\r\nContent-Length: 500\r\n\r\n{")
        said = b"".join(iter(lambda: slow.recv(4096), b""))  # to the end: the server hangs up
    assert said.startswith(b"HTTP/1.1 408 ")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "request_too_slow"


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_too_large_however_it_is_sent(shop: Installation, chunked: bool) -> None:
    body = b'{"lines": "' + b"x" * MAX_BODY_BYTES + b'"}'
    headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(8)}
    content = iter([body[:1000], body[1000:]]) if chunked else body
    answer = httpx.post(shop.url + ORDERS, content=content, headers=headers, timeout=SECONDS)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def connect(shop: Installation) -> socket.socket:
    return socket.create_connection(("127.0.0.1", shop.web_port), timeout=SECONDS)

"""What selling is compared with: the same server with a bare route, and with a bare group-commit writer.

`python -m tests.benchmarks.sales_limits PORT DATABASE_URL EVENT_ID` serves `GET /bare`, and `POST /hold` and
`POST /pay`, which write the rows of an order in two groups, decide nothing, read nothing and check nothing.
"""

import os
import sys
import threading
from contextlib import suppress
from itertools import chain
from queue import Empty, Queue
from typing import Any
from uuid import UUID

from flask import Flask, Response, request
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from backend.db.engine import make_engine
from backend.domain.ids import new_id
from backend.ops.supervise import die_with_parent
from backend.sales.till import writing
from backend.sales.till.till import MAX_BATCH
from backend.web.serving import Serving

Rows = dict[str, list[dict[str, Any]]]
EVENT, URL = "BENCH_EVENT", "BENCH_URL"


class BareWriter:
    """Takes what waits, writes it in one transaction, answers."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url, ask_first=False, by_key=True)
        self._queue: Queue[tuple[Rows, threading.Lock]] = Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, rows: Rows) -> None:
        done = threading.Lock()
        done.acquire()
        self._queue.put((rows, done))
        done.acquire()

    def commit(self, rows: Rows) -> None:
        """One transaction."""
        with self._engine.begin() as connection:
            writing.WRITER.write(connection, rows)

    def _run(self) -> None:
        while True:
            waiting = [self._queue.get()]
            with suppress(Empty):
                while len(waiting) < MAX_BATCH:
                    waiting.append(self._queue.get_nowait())
            names = {name for rows, _done in waiting for name in rows}
            together = {name: list(chain(*(rows.get(name, ()) for rows, _ in waiting))) for name in names}
            self.commit(together)
            for _rows, done in waiting:
                done.release()


def make_app() -> Flask:
    die_with_parent()
    app = Flask(__name__)
    event, writer = UUID(os.environ[EVENT]), BareWriter(os.environ[URL])

    @app.get("/bare")
    def bare() -> Response:
        return Response(b'{"status":"ok"}', mimetype="application/json")

    @app.post("/hold")
    def hold() -> Response:
        request.get_data()
        order = new_id(0)
        writer.write(hold_rows(event, order))
        return Response(order.hex, 201)

    @app.post("/pay")
    def pay() -> Response:
        writer.write(pay_rows(event, UUID(request.get_data().decode())))
        return Response(b"{}", mimetype="application/json")

    return app


def hold_rows(event: UUID, order: UUID) -> Rows:
    return {
        "new_orders": [
            {
                "id": order,
                "event_id": event,
                "state": "paid",
                "secret_hash": bytes(32),
                "owner": None,
                "quantity": 1,
                "total_minor": 4950,
                "currency": "EUR",
                "hold_expires_ms": 0,
                "created_ms": 0,
                "extensions": 0,
                "code_hash": None,
            }
        ],
        "new_order_lines": [
            {
                "order_id": order,
                "position": 0,
                "class_number": 1,
                "quantity": 1,
                "unit_price_minor": 4950,
                "seats": None,
            }
        ],
        "new_idempotency_keys": [_key("order", order, "x" * 300)],
    }


def pay_rows(event: UUID, order: UUID) -> Rows:
    return {
        "new_payments": [
            {
                "id": order,
                "order_id": order,
                "provider": "bare",
                "idempotency_key": str(order),
                "amount_minor": 4950,
                "currency": "EUR",
                "state": "declined",
                "created_ms": 0,
                "changed_ms": 0,
            }
        ],
        "new_tickets": [
            {
                "id": new_id(0),
                "event_id": event,
                "order_id": order,
                "position": 0,
                "class_number": 1,
                "seat_number": 0,
                "owner": bytes(20),
                "state": "suspended",
                "serial": 0,
                "epoch": 0,
                "binding_number": 0,
                "sold_ms": 0,
                "changed_ms": 0,
            }
        ],
        "new_idempotency_keys": [_key("payment", order, None)],
    }


def _key(scope: str, order: UUID, body: str | None) -> dict[str, Any]:
    return {
        "scope": scope,
        "key": order.hex,
        "request_hash": bytes(32),
        "resource_id": order,
        "status": 201,
        "body": body,
        "created_ms": 0,
    }


def serve() -> Serving:
    """As the shop is served: the same server, the same threads."""
    return Serving(make_app())


def main() -> None:
    port, os.environ[URL], os.environ[EVENT] = sys.argv[1:4]
    Server(
        "tests.benchmarks.sales_limits:serve",
        factory=True,
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        workers=1,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main()

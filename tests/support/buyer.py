"""A buyer who speaks the API, through Flask's test client."""

import secrets
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

ORDERS = "/api/v1/events/gig/orders"


@dataclass
class Buyer:
    """Sends requests as a program would: JSON, keys, secrets."""

    client: FlaskClient

    def order(self, *lines: dict[str, Any], key: str = "", **more: Any) -> TestResponse:
        body = {"lines": list(lines) or [{"class": "floor", "quantity": 1}], **more}
        return self.client.post(ORDERS, json=body, headers={"Idempotency-Key": key or new_key()})

    def held(self, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = self.order(*lines, **more)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return dict(answer.get_json())

    def pay(self, order: dict[str, Any], token: str = "approve", key: str = "", **more: Any) -> TestResponse:
        return self.client.post(
            f"/api/v1/orders/{order['order_id']}/payments",
            json={"method": "sandbox", "token": token, **more},
            headers={"Idempotency-Key": key or new_key(), **opens(order)},
        )

    def give_back(self, order: dict[str, Any], *tickets: str, key: str = "", **more: Any) -> TestResponse:
        return self.client.post(
            f"/api/v1/orders/{order['order_id']}/refunds",
            json={**({"tickets": list(tickets)} if tickets else {}), **more},
            headers={"Idempotency-Key": key or new_key(), **opens(order)},
        )

    def bought(self, *lines: dict[str, Any], token: str = "approve") -> dict[str, Any]:
        """A paid order, with the secret that opens it and its `tickets`."""
        order = self.held(*lines)
        paid = self.pay(order, token)
        assert paid.status_code == 200, paid.get_data(as_text=True)
        return {**order, **paid.get_json()}

    def look(self, order: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.get(f"/api/v1/orders/{order['order_id']}", headers=opens(order))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return dict(answer.get_json())


def opens(order: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {order['order_secret']}"}


def new_key() -> str:
    return secrets.token_hex(8)


def problem(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a refusal, once it is sure that it is a proper problem (RFC 9457)."""
    assert answer.mimetype == "application/problem+json", answer.get_data(as_text=True)
    body = answer.get_json()
    assert body["status"] == answer.status_code
    assert len(body["detail"]) > 5
    assert body["detail"] != body["code"]
    assert "Traceback" not in body["detail"]
    return answer.status_code, body["code"]

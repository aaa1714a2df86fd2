"""A guest who buys over HTTP and does not give up: the same requests again, with the same keys, until answered."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from eth_account import Account
from eth_account.messages import encode_typed_data
from nacl.signing import SigningKey

from credential.binding import Binding, sign_possession
from credential.moving import move_typed_data
from tests.support.installation import Installation

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.1
BINDING_SECONDS = 3600
MOVE_SECONDS = 7 * 86_400
_TRY_AGAIN = {202, 409, 425, 429, 500, 502, 503, 504}


class NotChargedError(Exception):
    """The payment was declined, or never came to the bank."""


@dataclass
class Bought:
    """What the platform acknowledged."""

    order_id: str
    secret: str
    credentials: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Given:
    """A ticket that was given away, and whose it is now."""

    order_id: str
    token_id: int
    to: bytes


class Guest:
    """One buyer. `persist` names what is done while the server may be dead."""

    def __init__(self, installation: Installation, slug: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._client = installation.http()
        self._slug, self._patience = slug, patience_seconds

    def buy(self, quantity: int = 1, class_code: str = "standing", owner: str | None = None) -> Bought:
        """Hold and pay; returns once the payment is acknowledged."""
        wanted = {"lines": [{"class": class_code, "quantity": quantity}], "owner": owner}
        order = self._persist("POST", f"/api/v1/events/{self._slug}/orders", wanted)
        bought = Bought(order["order_id"], order["order_secret"])
        payment = {"method": "sandbox", "token": "approve"}
        while True:
            try:
                self._persist("POST", f"/api/v1/orders/{bought.order_id}/payments", payment, bought.secret)
            except NotChargedError:
                continue  # a charge that never arrived; the next one is another, with a key of its own
            return bought

    def bind(self, bought: Bought) -> None:
        """Wait for the tickets' numbers and take a credential for each."""
        event = self._persist("GET", f"/api/v1/events/{self._slug}")
        for ticket in self._tickets(bought):
            device = SigningKey.generate()
            binding = Binding(
                event_tag=bytes.fromhex(event["tag"]),
                token_id=int(ticket["token_id"]),
                epoch=0,
                number=1,
                device_key=bytes(device.verify_key),
                expiry=int(time.time()) + BINDING_SECONDS,
            )
            request = {
                "device_key": bytes(device.verify_key).hex(),
                "number": 1,
                "epoch": 0,
                "expiry": binding.expiry,
                "possession_signature": sign_possession(bytes.fromhex(event["platform_id"]), binding, device).hex(),
            }
            path = f"/api/v1/tickets/{ticket['ticket_id']}/credential"
            bought.credentials.append(self._persist("POST", path, request, bought.secret))

    def give_back(self, bought: Bought, count: int = 1) -> None:
        """Some of the order's tickets, for their money."""
        order = self._persist("GET", f"/api/v1/orders/{bought.order_id}", secret=bought.secret)
        valid = [ticket["ticket_id"] for ticket in order["tickets"] if ticket["state"] == "valid"]
        body = {"tickets": valid[:count], "reason": "cannot_come"}
        self._persist("POST", f"/api/v1/orders/{bought.order_id}/refunds", body, bought.secret)

    def give_away(self) -> Given:
        """Buy a ticket for a wallet, and give it to another one."""
        wallet, friend = Account.create(), Account.create()
        bought = self.buy(owner=wallet.address)
        (ticket,) = self._tickets(bought)
        event = self._persist("GET", f"/api/v1/events/{self._slug}")
        while event["contract"] is None:
            time.sleep(PAUSE_SECONDS)
            event = self._persist("GET", f"/api/v1/events/{self._slug}")
        to, deadline = bytes.fromhex(friend.address[2:]), int(time.time()) + MOVE_SECONDS
        contract = bytes.fromhex(event["contract"][2:])
        message = move_typed_data(event["chain_id"], contract, ticket["token_id"], 0, to, deadline)
        signature = wallet.sign_message(encode_typed_data(full_message=message)).signature
        body = {"to": friend.address, "epoch": 0, "deadline": deadline, "owner_signature": signature.hex()}
        self._persist("POST", f"/api/v1/tickets/{ticket['ticket_id']}/moves", body)
        return Given(bought.order_id, ticket["token_id"], to)

    def close(self) -> None:
        self._client.close()

    def _tickets(self, bought: Bought) -> list[dict[str, Any]]:
        deadline = time.monotonic() + self._patience
        while True:
            order = self._persist("GET", f"/api/v1/orders/{bought.order_id}", secret=bought.secret)
            tickets: list[dict[str, Any]] = order["tickets"]
            if tickets and all(ticket.get("token_id") for ticket in tickets):
                return tickets
            assert time.monotonic() < deadline, order
            time.sleep(PAUSE_SECONDS)

    def _persist(self, method: str, path: str, body: Any = None, secret: str = "") -> Any:
        """The same request until it is answered for good."""
        headers = {"Idempotency-Key": uuid4().hex} if method == "POST" else {}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        deadline = time.monotonic() + self._patience
        last: object = None
        while time.monotonic() < deadline:
            try:
                answer = self._client.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                last = error
            else:
                if answer.status_code == httpx.codes.PAYMENT_REQUIRED:
                    raise NotChargedError
                if answer.status_code not in _TRY_AGAIN:
                    assert answer.is_success, (method, path, answer.status_code, answer.text)
                    return answer.json()
                last = answer.text
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{method} {path}: no answer for good in {self._patience} s, last {last}")

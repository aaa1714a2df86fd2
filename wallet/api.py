"""The platform's HTTP API as a wallet uses it (SPEC 9): one method for each route."""

from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

from wallet.answers import (
    CredentialAnswer,
    EventAnswer,
    EventHeadAnswer,
    EventsAnswer,
    FoundAnswer,
    MoveAnswer,
    OrderAnswer,
    PlacedAnswer,
    StatusAnswer,
)
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.records import BindingIntent, Giving, Line, Payment, Placed
from wallet.transport import Reply, Transport

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_BASE = "/api/v1"


def checked_server(address: str, *, allow_http: bool = False) -> str:
    """The address, no trailing slash. Raises `bad_address`, or `unsafe_address` for plain http beyond this host."""
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise WalletError(
            "bad_address", _("%s is not an address of a server. It looks like https://tickets.example.org.") % address
        )
    if parts.scheme == "http" and host not in _LOOPBACK and not allow_http:
        raise WalletError(
            "unsafe_address",
            _("%s is not encrypted: others on the way could take your tickets. Use its https address.") % address,
        )
    return address.strip().rstrip("/")


class Api:
    """Calls over a `Transport`; each raises what that raises."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def server(self) -> str:
        return self.transport.server

    def event(self, slug: str) -> EventAnswer:
        path = f"{_BASE}/events/{quote(slug, safe='')}"
        return self.transport.request("GET", path, EventAnswer.model_validate_json).value

    def events(self) -> tuple[EventHeadAnswer, ...]:
        return self.transport.request("GET", f"{_BASE}/events", EventsAnswer.model_validate_json).value.events

    def find_orders(self, slug: str, owner: bytes, expiry: int, signature: bytes) -> FoundAnswer:
        """What the owner paid for or was given; changes nothing there, so it needs no key."""
        path = f"{_BASE}/events/{quote(slug, safe='')}/orders/find"
        body = {"owner": "0x" + owner.hex(), "expiry": expiry, "signature": "0x" + signature.hex()}
        return self.transport.request("POST", path, FoundAnswer.model_validate_json, body=body).value

    def place_order(self, slug: str, lines: tuple[Line, ...], owner: bytes | None, key: str) -> PlacedAnswer:
        body: dict[str, Any] = {"lines": [_line(line) for line in lines]}
        if owner is not None:
            body["owner"] = "0x" + owner.hex()
        path = f"{_BASE}/events/{quote(slug, safe='')}/orders"
        headers = {"Idempotency-Key": key}
        return self.transport.request("POST", path, PlacedAnswer.model_validate_json, body=body, headers=headers).value

    def pay(self, placed: Placed, payment: Payment) -> Reply[OrderAnswer]:
        """Status 202: the provider has not answered."""
        return self.transport.request(
            "POST",
            f"{_BASE}/orders/{placed.order_id}/payments",
            OrderAnswer.model_validate_json,
            body={"method": payment.method, "token": payment.token},
            headers={"Idempotency-Key": payment.idempotency_key, **_bearer(placed.secret)},
        )

    def order(self, order_id: UUID, secret: str) -> Reply[OrderAnswer]:
        path = f"{_BASE}/orders/{order_id}"
        return self.transport.request("GET", path, OrderAnswer.model_validate_json, headers=_bearer(secret))

    def release(self, placed: Placed) -> None:
        """Give an unpaid hold back."""
        path = f"{_BASE}/orders/{placed.order_id}"
        self.transport.request("DELETE", path, lambda _body: None, headers=_bearer(placed.secret))

    def credential(self, ticket_id: UUID, secret: str, intent: BindingIntent) -> CredentialAnswer:
        """`secret`: the order's; empty where there is none and the owner's signature is enough."""
        body = {
            "device_key": intent.device_key.hex(),
            "number": intent.number,
            "epoch": intent.epoch,
            "expiry": intent.expiry,
            "possession_signature": intent.possession_signature.hex(),
        }
        if intent.owner_signature is not None:
            body["owner_signature"] = intent.owner_signature.hex()
        return self.transport.request(
            "POST",
            f"{_BASE}/tickets/{ticket_id}/credential",
            CredentialAnswer.model_validate_json,
            body=body,
            headers={"Idempotency-Key": intent.idempotency_key, **(_bearer(secret) if secret else {})},
        ).value

    def move(self, ticket_id: UUID, giving: Giving) -> MoveAnswer:
        """Give a ticket away; the same again tells how that stands."""
        body = {
            "to": "0x" + giving.to.hex(),
            "epoch": giving.epoch,
            "deadline": giving.deadline,
            "owner_signature": "0x" + giving.signature.hex(),
        }
        return self.transport.request(
            "POST",
            f"{_BASE}/tickets/{ticket_id}/moves",
            MoveAnswer.model_validate_json,
            body=body,
            headers={"Idempotency-Key": giving.idempotency_key},
        ).value

    def claim(self, ticket_id: UUID, giving: Giving, secret: str) -> MoveAnswer:
        """Give a guest's ticket away, or take it into a wallet; the same again tells how that stands."""
        return self.transport.request(
            "POST",
            f"{_BASE}/tickets/{ticket_id}/claims",
            MoveAnswer.model_validate_json,
            body={"to": "0x" + giving.to.hex()},
            headers={"Idempotency-Key": giving.idempotency_key, **_bearer(secret)},
        ).value

    def status(self) -> StatusAnswer:
        """What works there and what waits. While nothing can be sold the status itself comes with 503."""
        path = f"{_BASE}/status"
        return self.transport.request("GET", path, StatusAnswer.model_validate_json, answers=(503,)).value

    def key_list(self) -> bytes:
        """The root-signed list of issuing keys, not verified."""
        return self.transport.request("GET", f"{_BASE}/keys", bytes).value


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _line(line: Line) -> dict[str, Any]:
    asked: dict[str, Any] = {"class": line.class_code, "quantity": line.quantity}
    return {**asked, "seats": list(line.seats)} if line.seats else asked

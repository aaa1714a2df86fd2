"""Orders as a server would serve them to the wallet's page; it binds devices and signs credentials for real."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from uuid import uuid4

from nacl.signing import SigningKey
from playwright.sync_api import BrowserContext, Route

from credential.binding import Binding, verify_possession
from credential.body import Body
from credential.ids import event_tag, key_id, token_id
from credential.signing import public_key_of, sign_credential
from tests.pages.gate_world import DAY, EVENT, HOUR, ISSUER, PLATFORM, TAG

EVENT_INDEX = 9


@dataclass
class Sold:
    """A ticket as the server knows it."""

    ticket_id: str
    token: int | None
    seat: str | None = None
    state: str = "valid"
    serial: int = 0
    binding_number: int = 0
    device_key: str = ""


@dataclass
class WalletWorld:
    """Change a field, and the page is served the change; `alive` False: the server is dead."""

    now: int = field(default_factory=lambda: int(time.time()))
    alive: bool = True
    lose_answers: int = 0  # so many answers to a binding get lost after it took effect
    waits: str | None = None  # the banner's sentence
    notice: str | None = None  # what the server says of the order
    handed: bool = True  # the shop's pages hand the order over
    order_id: str = field(default_factory=lambda: str(uuid4()))
    secret: str = "a-secret-of-an-order-for-tests-only"
    tickets: list[Sold] = field(default_factory=lambda: [Sold(str(uuid4()), token_id(4, index)) for index in range(3)])
    bindings: list[dict[str, Any]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)  # requests by Idempotency-Key
    moved: int = 0  # seconds by which the event was postponed

    def serve(self, target: BrowserContext) -> None:
        """Answer the page's calls in place of the server."""
        target.route("**/api/v1/**", self._answer)
        target.route("**/wallet/orders", self._answer)
        target.on("request", lambda request: self.addresses.append(request.url))

    def receipt(self, origin: str) -> str:
        return f"truestub-receipt-1 {origin} {self.order_id} {self.secret}"

    def _answer(self, route: Route) -> None:
        path = route.request.url.split("/", 3)[3]
        if not self.alive:
            route.abort("connectionrefused")
        elif path == "wallet/orders":
            handed = [{"order_id": self.order_id, "order_secret": self.secret}] if self.handed else []
            _tell(route, {"orders": handed})
        elif path == "api/v1/status":
            _tell(route, {"banner": self.waits})
        elif path.startswith("api/v1/events/"):
            _tell(route, self._event())
        elif route.request.headers.get("authorization") != f"Bearer {self.secret}":
            _refuse(route, 403, "order_secret_wrong", "This link does not belong to the order.")
        elif path == f"api/v1/orders/{self.order_id}":
            _tell(route, self._order())
        else:
            self._bind(route, next(one for one in self.tickets if one.ticket_id == path.split("/")[3]))

    def _bind(self, route: Route, ticket: Sold) -> None:
        told: dict[str, Any] = route.request.post_data_json or {}
        if self.keys.setdefault(route.request.headers["idempotency-key"], told) != told:
            _refuse(route, 422, "idempotency_key_reused", "The same key with another request.")
            return
        device = bytes.fromhex(told["device_key"])
        is_repeat = told["number"] == ticket.binding_number and told["device_key"] == ticket.device_key
        if told["number"] != ticket.binding_number + 1 and not is_repeat:
            following = ticket.binding_number + 1
            _refuse(route, 409, "wrong_binding_number", "Another device was bound.", next_number=following)
            return
        binding = Binding(TAG, ticket.token or 0, told["epoch"], told["number"], device, told["expiry"])
        assert verify_possession(PLATFORM, binding, bytes.fromhex(told["possession_signature"]))
        self.bindings.append(told)
        ticket.binding_number, ticket.device_key = told["number"], told["device_key"]
        ticket.serial = max(told["number"], ticket.serial + (1 if is_repeat and self.moved else 0))
        if self.lose_answers:
            self.lose_answers -= 1
            route.abort("connectionreset")
            return
        _tell(route, self._issued(ticket, device))

    def _issued(self, ticket: Sold, device: bytes) -> dict[str, Any]:
        body = Body(
            version=0,
            key_id=key_id(public_key_of(ISSUER)),
            event_tag=TAG,
            token_id=ticket.token or 0,
            serial=ticket.serial,
            class_number=1,
            zone=0,
            seat=0,
            flags=0,
            not_before=self.now + self.moved - HOUR,
            lifetime_minutes=24 * 60,
            issued_at=self.now,
            holder_key=device,
        )
        return {
            "credential": sign_credential(body, ISSUER).hex(),
            "token_id": ticket.token,
            "serial": ticket.serial,
            "binding_number": ticket.binding_number,
            "event_index": EVENT_INDEX,
            "event_tag": TAG.hex(),
            "platform_id": PLATFORM.hex(),
            "not_before": _rfc3339(self.now - HOUR),
            "expires": _rfc3339(self.now + DAY),
        }

    def _order(self) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "event": "summer",
            "state": "paid",
            "notice": self.notice,
            "tickets": [
                {
                    "ticket_id": one.ticket_id,
                    "class": "standing",
                    "zone": 0,
                    "seat": one.seat,
                    "state": one.state,
                    "stage": "paid" if one.token is None else "batched",
                    "token_id": one.token,
                    "tx_hash": None,
                    "serial": one.serial,
                }
                for one in self.tickets
            ],
        }

    def _event(self) -> dict[str, Any]:
        return {
            "slug": "summer",
            "name": "Summer Night 夏夜音乐会",
            "venue": "Harbour Hall",
            "time_zone": "Europe/Paris",
            "doors_at": _rfc3339(self.now + self.moved + HOUR),
            "starts_at": _rfc3339(self.now + self.moved + 2 * HOUR),
            "ends_at": _rfc3339(self.now + self.moved + 5 * HOUR),
            "platform_id": PLATFORM.hex(),
            "tag": event_tag(PLATFORM, EVENT).hex(),
            "index": EVENT_INDEX,
            "classes": [{"code": "standing", "number": 1, "name": "Standing"}],
        }


def other_device() -> SigningKey:
    return SigningKey(b"another phone's key ".ljust(32, b"."))


def _tell(route: Route, told: dict[str, Any], status: int = 200) -> None:
    route.fulfill(
        status=status, json=told, headers={"Content-Type": "application/json", "Date": formatdate(usegmt=True)}
    )


def _refuse(route: Route, status: int, code: str, detail: str, **details: Any) -> None:
    _tell(route, {"code": code, "detail": detail, "status": status, **details}, status)


def _rfc3339(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()

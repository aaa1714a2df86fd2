"""A platform for the wallet's tests: its decisions, over real keys and signatures, in memory (SPEC 4, 9).

What it did is kept, so that a test can say: one order, one payment, one binding. `fake_http` puts it on the network.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

from eth_account import Account
from eth_account.messages import encode_typed_data
from nacl.signing import SigningKey

from credential.binding import Binding, binding_typed_data, verify_possession
from credential.body import Body
from credential.finding import MAX_FINDING_SECONDS, finding_typed_data
from credential.ids import event_tag, key_id, token_id
from credential.keylist import KeyEntry, KeyList, Role, sign_key_list
from credential.signing import is_valid_holder_key, public_key_of, sign_credential

SLUG = "concert"
_SPACE = UUID("5b1f3a52-3a3c-4f0e-9a53-0f4d4ad5b6c1")


class Refuse(Exception):  # noqa: N818 - a problem on its way out
    def __init__(
        self, status: int, code: str, detail: str = "No.", retry_after: int | None = None, **fields: Any
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.retry_after, self.fields = status, code, detail, retry_after, fields


@dataclass
class FakeTicket:
    id: UUID
    index: int
    seat: str | None
    serial: int = 0
    number: int = 0
    holder_key: bytes | None = None
    credentials: list[bytes] = field(default_factory=list)


@dataclass
class FakeOrder:
    id: UUID
    secret: str
    owner: bytes | None
    lines: list[dict[str, Any]]
    total: int
    batch: int
    state: str = "held"
    expires: float = 0.0
    tickets: list[FakeTicket] = field(default_factory=list)
    asked: int = 0
    payment_key: str = ""
    provider_silent: int = 0  # times it is asked in vain


class FakePlatform:
    """Not safe for threads by itself: the server in front of it lets one request in at a time."""

    def __init__(self) -> None:
        self.platform_id = hashlib.sha256(b"fake platform").digest()[:16]
        self.event_id = uuid5(_SPACE, "concert")
        self.tag = event_tag(self.platform_id, self.event_id)
        self.issuing_key, self.root_key = (SigningKey(hashlib.sha256(name).digest()) for name in (b"issue", b"root"))
        self.custody = bytes.fromhex(Account.from_key(hashlib.sha256(b"custody").digest()).address[2:])
        self.capacity, self.max_per_order, self.price = 100, 8, 4500
        self.hold_seconds = 600.0
        self.polls_until_batched = 0
        self.moved_seconds = 0  # by which the event was postponed
        self.too_late = False  # the bank says yes when the tickets are gone
        self.refunded_positions: set[int] = set()  # tickets of an order that were paid back
        self.key_list_answer: bytes | None = None  # none: a good one
        self.clock_offset = 0.0  # seconds, of the server's clock
        self.mangle_credential: Callable[[bytes], bytes] = lambda credential: credential
        self.orders: dict[UUID, FakeOrder] = {}
        self.charges: Counter[UUID] = Counter()  # what the bank took, by order
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}

    def now(self) -> float:
        return time.time() + self.clock_offset

    # --- what a test may ask -----------------------------------------------------------------------------------------

    @property
    def paid_orders(self) -> list[FakeOrder]:
        return [order for order in self.orders.values() if order.state == "paid"]

    # --- the interface ----------------------------------------------------------------------------------------------

    def event(self) -> dict[str, Any]:
        held = sum(len(order.tickets) for order in self.orders.values() if order.state in ("held", "paid"))
        moment = datetime.fromtimestamp(int(self.now()) + self.moved_seconds, UTC).isoformat()
        return {
            "slug": SLUG,
            "id": str(self.event_id),
            "platform_id": "0x" + self.platform_id.hex(),
            "tag": "0x" + self.tag.hex(),
            "index": 7,
            "name": "Night of Numbers",
            "venue": "Old Mill",
            "time_zone": "Europe/Berlin",
            "currency": "EUR",
            "doors_at": moment,
            "starts_at": moment,
            "ends_at": moment,
            "max_per_order": self.max_per_order,
            "custody_address": "0x" + self.custody.hex(),
            "classes": [
                {"code": "standing", "name": "Standing", "price_minor": self.price, "sold_out": held >= self.capacity},
                {"code": "seated", "name": "Seated", "price_minor": 2 * self.price, "sold_out": False},
            ],
        }

    def place(self, body: dict[str, Any]) -> dict[str, Any]:
        quantity = sum(line["quantity"] for line in body["lines"])
        if quantity > self.max_per_order:
            raise Refuse(422, "over_limit", f"At most {self.max_per_order} tickets in one order.")
        held = sum(len(order.tickets) for order in self.orders.values() if order.state in ("held", "paid"))
        if held + quantity > self.capacity:
            raise Refuse(409, "sold_out", "Sold out. Look again later: held tickets may come back.")
        order_id = uuid4()
        price = sum(line["quantity"] * self.price * (2 if line["class"] == "seated" else 1) for line in body["lines"])
        owner = bytes.fromhex(body["owner"][2:]) if "owner" in body else None
        secret = hashlib.sha256(b"secret" + order_id.bytes).hexdigest()
        order = FakeOrder(order_id, secret, owner, body["lines"], price, batch=len(self.orders) + 1)
        order.expires = self.now() + self.hold_seconds
        for line in body["lines"]:
            seats = line.get("seats") or [None] * line["quantity"]
            order.tickets += [FakeTicket(uuid4(), len(order.tickets) + at, seat) for at, seat in enumerate(seats)]
        self.orders[order_id] = order
        return {
            "order_id": str(order_id),
            "order_secret": secret,
            "state": "held",
            "total_minor": price,
            "currency": "EUR",
            "hold_expires_at": datetime.fromtimestamp(order.expires, UTC).isoformat(),
            "lines": body["lines"],
        }

    def pay(self, order: FakeOrder, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """A payment that the provider was silent about is asked about again by its own key."""
        self.expire(order)
        if order.payment_key == key and order.state in ("held", "expired"):
            order.provider_silent -= 1
            order.state = "held" if order.provider_silent > 0 else "paid"
        elif order.state == "expired":
            raise Refuse(409, "hold_expired", "The hold has ended. Order again.")
        elif order.state == "paid":
            raise Refuse(409, "already_paid", "This order is paid.")
        else:
            self._charge(order, body["token"], key)
        return (200 if order.state == "paid" else 202), self.order(order)

    def _charge(self, order: FakeOrder, token: str, key: str) -> None:
        if token not in ("approve", "decline", "slow"):
            raise Refuse(422, "unknown_payment_token", "The sandbox knows these tokens: approve, decline, slow")
        if token == "decline":
            raise Refuse(402, "payment_declined", "The card was declined.")
        if self.too_late:
            raise Refuse(409, "payment_too_late", "The tickets were gone; your money is on its way back.")
        self.charges[order.id] += 1
        order.payment_key, order.provider_silent = key, 2 if token == "slow" else 0
        order.state = "held" if order.provider_silent else "paid"

    def order(self, order: FakeOrder) -> dict[str, Any]:
        self.expire(order)
        order.asked += 1
        batched = order.state == "paid" and order.asked > self.polls_until_batched
        line = order.lines[0]
        return {
            "order_id": str(order.id),
            "state": order.state,
            "event": SLUG,
            "total_minor": order.total,
            "currency": "EUR",
            "tickets": [
                {
                    "ticket_id": str(ticket.id),
                    "class": line["class"],
                    "seat": ticket.seat,
                    "zone": 1,
                    "state": "refunded" if ticket.index in self.refunded_positions else "valid",
                    "tx_hash": None,
                    "stage": "batched" if batched else "paid",
                    "token_id": token_id(order.batch, ticket.index) if batched else None,
                    "serial": ticket.serial,
                }
                for ticket in (order.tickets if order.state == "paid" else ())
            ],
        }

    def expire(self, order: FakeOrder) -> None:
        if order.state == "held" and self.now() > order.expires:
            order.state = "expired"

    def bind(self, order: FakeOrder, ticket: FakeTicket, body: dict[str, Any]) -> dict[str, Any]:
        """SPEC 4.3, in its order."""
        if order.asked <= self.polls_until_batched:
            raise Refuse(409, "ticket_not_ready", "Not yet.", retry_after=1)
        device_key = bytes.fromhex(body["device_key"])
        if not is_valid_holder_key(device_key):
            raise Refuse(422, "device_key_invalid")
        if body["expiry"] <= self.now():
            raise Refuse(422, "binding_expired")
        if body["epoch"] != 0:
            raise Refuse(409, "wrong_epoch", epoch=0)
        repeat = body["number"] == ticket.number and device_key == ticket.holder_key
        if not repeat and body["number"] != ticket.number + 1:
            raise Refuse(409, "wrong_binding_number", "Another device was bound.", next_number=ticket.number + 1)
        token = token_id(order.batch, ticket.index)
        binding = Binding(self.tag, token, body["epoch"], body["number"], device_key, body["expiry"])
        if not verify_possession(self.platform_id, binding, bytes.fromhex(body["possession_signature"])):
            raise Refuse(422, "possession_signature_invalid")
        if order.owner is not None and self._signer(binding, body.get("owner_signature", "")) != order.owner:
            raise Refuse(422, "owner_signature_invalid")
        if not repeat or self.moved_seconds:
            ticket.number, ticket.serial, ticket.holder_key = body["number"], ticket.serial + 1, device_key
            ticket.credentials.append(self._issue(ticket, token))
        return {"credential": self.mangle_credential(ticket.credentials[-1]).hex(), "serial": ticket.serial}

    def find(self, body: dict[str, Any]) -> dict[str, Any]:
        """SPEC 4.9."""
        if not 0 < body["expiry"] - self.now() <= MAX_FINDING_SECONDS:
            raise Refuse(422, "wish_expired")
        owner = bytes.fromhex(body["owner"][2:])
        typed = finding_typed_data(self.platform_id, self.tag, owner, body["expiry"])
        signature = bytes.fromhex(body["signature"][2:])
        signer = Account.recover_message(encode_typed_data(full_message=typed), signature=signature)
        if bytes.fromhex(signer[2:]) != owner:
            raise Refuse(422, "owner_signature_invalid")
        mine = [order for order in self.paid_orders if order.owner == owner]
        return {"orders": [{"order_id": str(order.id), "order_secret": order.secret} for order in mine]}

    def release(self, order: FakeOrder) -> bytes:
        if order.state != "held":
            raise Refuse(409, "order_not_held")
        order.state = "cancelled"
        return b""

    def keys(self) -> bytes:
        if self.key_list_answer is not None:
            return self.key_list_answer
        now = int(self.now())
        entry = KeyEntry(public_key_of(self.issuing_key), Role.ISSUING, self.tag, now - 86_400, now + 86_400)
        root = public_key_of(self.root_key)
        return sign_key_list(
            KeyList(self.platform_id, 1, now - 3600, now + 86_400, 1, (root,), (entry,)), [self.root_key]
        )

    def _issue(self, ticket: FakeTicket, token: int) -> bytes:
        now = int(self.now())
        body = Body(
            version=0,
            key_id=key_id(public_key_of(self.issuing_key)),
            event_tag=self.tag,
            token_id=token,
            serial=ticket.serial,
            class_number=1,
            zone=1,
            seat=0,
            flags=0,
            not_before=now + self.moved_seconds - 3600,
            lifetime_minutes=600,
            issued_at=now,
            holder_key=ticket.holder_key or b"",
        )
        return sign_credential(body, self.issuing_key)

    def _signer(self, binding: Binding, signature: str) -> bytes:
        message = encode_typed_data(full_message=binding_typed_data(self.platform_id, binding))
        try:
            return bytes.fromhex(Account.recover_message(message, signature=bytes.fromhex(signature))[2:])
        except ValueError:
            return b""

    # --- idempotency ------------------------------------------------------------------------------------------------

    def once(self, scope: str, body: str, act: Callable[[], tuple[int, Any]]) -> tuple[int, Any]:
        """The first answer to a key, to every repeat of it; "try later" is no answer."""
        if scope in self._answers:
            first, status, answer = self._answers[scope]
            if first != body:
                raise Refuse(422, "idempotency_key_reused")
            if status >= 400:
                raise Refuse(status, **answer)
            return status, answer
        try:
            status, answer = act()
        except Refuse as refused:
            if refused.retry_after is None:
                problem = {"code": refused.code, "detail": refused.detail, **refused.fields}
                self._answers[scope] = (body, refused.status, problem)
            raise
        if status != 202:
            self._answers[scope] = (body, status, answer)
        return status, answer

    def order_of(self, order_id: str, secret: str) -> FakeOrder:
        order = self.orders.get(UUID(order_id))
        if order is None or order.secret != secret:
            raise Refuse(404, "unknown_order", "There is no such order here.")
        return order

    def ticket_of(self, ticket_id: str, secret: str) -> tuple[FakeOrder, FakeTicket]:
        for order in self.orders.values():
            for ticket in order.tickets:
                if str(ticket.id) == ticket_id and order.secret == secret:
                    return order, ticket
        raise Refuse(404, "unknown_ticket", "There is no such ticket here.")

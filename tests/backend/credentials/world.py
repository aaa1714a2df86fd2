"""An event with paid tickets, and people with devices, for the tests of this room.

Orders and tickets are written as the till and the batcher write them; everything after that is the real thing.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from eth_account import Account
from eth_account.signers.local import LocalAccount
from nacl.signing import SigningKey
from sqlalchemy import Engine, func, insert, select, update

from backend.credentials import event_keys
from backend.credentials.eip712 import sign_binding
from backend.credentials.keystore import KeyStore
from backend.credentials.messages import BindingRequest, EventKeys
from backend.credentials.signer import Signer
from backend.db.clock import now_ms
from backend.db.tables.chain import Batch
from backend.db.tables.events import Event
from backend.db.tables.orders import Order, Ticket
from backend.domain.event_file import parse_event_file
from backend.sales.events import create_event, prepare_event
from backend.sales.installation import platform_id
from credential.binding import Binding, sign_possession
from credential.ids import token_id

EXAMPLE = Path(__file__).parents[3] / "examples/concert.toml"
HOUR = 3600


@dataclass(frozen=True)
class Sold:
    """An order as its buyer knows it."""

    order_id: UUID
    secret: str
    tickets: tuple[UUID, ...]
    account: LocalAccount | None


@dataclass
class World:
    engine: Engine
    signer: Signer
    platform_id: bytes
    event_id: UUID
    tag: bytes
    custody: bytes
    slug: str
    devices: dict[UUID, SigningKey] = field(default_factory=dict)

    def sell(self, quantity: int = 1, *, wallet: bool = False, batched: bool = True, class_number: int = 1) -> Sold:
        """A paid order; with `wallet` it belongs to a chain key, else to custody."""
        account: LocalAccount | None = Account.create() if wallet else None
        owner = address_of(account) if account else self.custody
        order_id, secret = uuid4(), secrets.token_urlsafe(32)
        tickets = tuple(uuid4() for _ in range(quantity))
        with self.engine.begin() as connection:
            now = now_ms(connection)
            connection.execute(
                insert(Order).values(
                    id=order_id,
                    event_id=self.event_id,
                    state="paid",
                    secret_hash=hashlib.sha256(secret.encode()).digest(),
                    owner=owner if account else None,
                    quantity=quantity,
                    total_minor=0,
                    currency="EUR",
                    hold_expires_ms=now,
                    created_ms=now,
                    paid_ms=now,
                )
            )
            connection.execute(
                insert(Ticket),
                [
                    {
                        "id": ticket,
                        "event_id": self.event_id,
                        "order_id": order_id,
                        "position": position,
                        "class_number": class_number,
                        "seat_number": 0,
                        "owner": owner,
                        "state": "valid",
                        "serial": 0,
                        "epoch": 0,
                        "binding_number": 0,
                        "sold_ms": now,
                        "changed_ms": now,
                    }
                    for position, ticket in enumerate(tickets)
                ],
            )
        if batched:
            self.close_batch()
        return Sold(order_id, secret, tickets, account)

    def close_batch(self) -> None:
        """Give every unbatched ticket its token id, as the batcher does."""
        with self.engine.begin() as connection:
            rows = connection.execute(
                select(Ticket.id, Ticket.owner, Ticket.class_number)
                .where(Ticket.event_id == self.event_id, Ticket.batch_number.is_(None))
                .order_by(Ticket.owner, Ticket.id)
            ).all()
            last = connection.scalar(select(func.max(Batch.number)).where(Batch.event_id == self.event_id)) or 0
            now = now_ms(connection)
            for class_number in sorted({row.class_number for row in rows}):
                last += 1
                chosen = [row for row in rows if row.class_number == class_number]
                connection.execute(
                    insert(Batch).values(
                        event_id=self.event_id,
                        number=last,
                        class_number=class_number,
                        count=len(chosen),
                        owners=b"".join(row.owner for row in chosen),
                        closed_ms=now,
                    )
                )
                for index, row in enumerate(chosen):
                    values = {"batch_number": last, "token_id": token_id(last, index), "changed_ms": now}
                    connection.execute(update(Ticket).where(Ticket.id == row.id).values(**values))

    def ticket(self, ticket_id: UUID) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(select(Ticket).where(Ticket.id == ticket_id)).one()

    def change_ticket(self, ticket_id: UUID, **values: Any) -> None:
        self._change(update(Ticket).where(Ticket.id == ticket_id).values(**values))

    def change_order(self, sold: Sold, **values: Any) -> None:
        self._change(update(Order).where(Order.id == sold.order_id).values(**values))

    def change_event(self, **values: Any) -> None:
        self._change(update(Event).where(Event.id == self.event_id).values(**values))

    def _change(self, statement: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)

    def request(
        self,
        sold: Sold,
        position: int = 0,
        device: SigningKey | None = None,
        *,
        change: Callable[[Binding], Binding] = lambda binding: binding,
        platform_id: bytes | None = None,
        **changes: Any,
    ) -> BindingRequest:
        """What the buyer's wallet sends. `change` alters what is signed, `changes` what is sent."""
        row = self.ticket(sold.tickets[position])
        device = device or self.devices.setdefault(row.id, SigningKey.generate())
        binding = change(
            Binding(
                self.tag,
                row.token_id or 0,
                row.epoch,
                row.binding_number + 1,
                bytes(device.verify_key),
                int(time.time()) + HOUR,
            )
        )
        signed_for = platform_id or self.platform_id
        owner = sign_binding(signed_for, binding, sold.account) if sold.account else None
        fields = {
            "device_key": binding.device_key,
            "number": binding.number,
            "epoch": binding.epoch,
            "expiry": binding.expiry,
            "possession_signature": sign_possession(signed_for, binding, device),
            "owner_signature": owner,
            "order_secret": None if sold.account else sold.secret,
            **changes,
        }
        return BindingRequest(**fields)


@dataclass
class _Keys:
    """The signer without its socket."""

    engine: Engine
    keys: KeyStore

    def prepare_event(self, event_id: UUID) -> EventKeys:
        return event_keys.prepare_event(self.engine, self.keys, event_id)


def make_world(engine: Engine, keys: KeyStore, clock: Callable[[], float] = time.time) -> World:
    signer = Signer(engine, keys, clock)
    text = EXAMPLE.read_text()
    plan = parse_event_file(text.encode())
    event_id = create_event(engine, plan, bytes(32))
    prepare_event(engine, _Keys(engine, keys), event_id, lambda *_: None)
    doors = int(time.time()) * 1000 + 24 * HOUR * 1000
    with engine.begin() as connection:
        times = {"doors_ms": doors, "starts_ms": doors, "freeze_ms": doors, "ends_ms": doors + 6 * HOUR * 1000}
        connection.execute(update(Event).where(Event.id == event_id).values(**times))
        event = connection.execute(select(Event).where(Event.id == event_id)).one()
    platform = platform_id(engine)
    assert platform
    return World(engine, signer, platform, event_id, event.tag, event.custody_address, event.slug)


def address_of(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address.removeprefix("0x"))

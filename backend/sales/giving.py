"""Complimentary tickets: given by the organiser, held and settled by the till like all others, for nothing."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from backend.domain.ids import new_id
from backend.domain.selling.outcomes import Again, No
from backend.domain.selling.requests import Hold, LineWanted, StartPayment
from backend.errors import Refused
from backend.sales import orders
from backend.sales.payments.flow import pay
from backend.sales.payments.free import TOKEN, Free
from backend.sales.words import refusal
from backend.wiring import Services

GIFT_SCOPE = "gift"


@dataclass(frozen=True, slots=True)
class Gift:
    """A paid order for nothing, and the secret that opens it."""

    order_id: UUID
    order_secret: str


def give(services: Services, event_id: UUID, lines: tuple[LineWanted, ...], key: str) -> Gift:
    """Give tickets; the same key again gives no more. Raises `Refused`: sold out, unknown class, seat taken."""
    now = int(services.clock() * 1000)
    order_id = new_id(now)
    asked = [[line.class_code, line.quantity, line.seats] for line in lines]
    request = Hold(
        order_id=order_id,
        secret_hash=sha256(orders.order_secret(services.secret, order_id).encode()).digest(),
        lines=lines,
        owner=None,
        key=orders.make_key(GIFT_SCOPE, event_id, key, asked),
        given=True,
    )
    held = services.tills.of(event_id).ask(request)
    match held:
        case No():
            raise Refused(refusal(held))
        case Again():
            free, of_payment = Free(), orders.make_key(GIFT_SCOPE, held.resource_id, key, [])
        case _:
            raise AssertionError(held)
    payment = StartPayment(held.resource_id, new_id(now), free.name, of_payment)
    paid = pay(services.engine, services.tills, free, event_id, payment, TOKEN)
    if isinstance(paid, No):
        raise Refused(refusal(paid))
    return Gift(held.resource_id, orders.order_secret(services.secret, held.resource_id))

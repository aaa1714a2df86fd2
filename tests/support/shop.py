"""An event on sale, and requests to its till, without a web server."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection, Engine

from backend.domain.event_file import parse_event_file
from backend.domain.ids import new_id
from backend.domain.selling.requests import Hold, Key, LineWanted, StartPayment
from backend.sales.events import KeyMaker, create_event, prepare_event

EVENT = """
slug = "{slug}"
name = "Gig"
venue = "Hall"
time_zone = "Europe/Berlin"
currency = "EUR"
doors = 2030-06-15T18:00:00
starts = 2030-06-15T20:00:00
ends = 2030-06-15T23:00:00
max_per_order = {max_per_order}
{extra}
[[classes]]
code = "floor"
name = "Floor"
capacity = {floor}
price = "49.50"
[[classes]]
code = "balcony"
name = "Balcony"
price = "72.00"
rows = [{rows}]
"""


@dataclass(frozen=True)
class Keys:
    issuing_public_key: bytes
    bundle_public_key: bytes
    custody_address: bytes


class SeededSigner:
    """The signer's promise (same event, same keys) without the signer's process."""

    def prepare_event(self, event_id: UUID) -> Keys:
        seed = event_id.bytes
        return Keys(sha256(seed + b"i").digest(), sha256(seed + b"b").digest(), sha256(seed + b"c").digest()[:20])


def put_on_sale(
    engine: Engine,
    floor: int = 10,
    rows: dict[str, str] | None = None,
    max_per_order: int = 8,
    slug: str = "gig",
    extra: str = "",
    signer: KeyMaker | None = None,
) -> UUID:
    """An event with `floor` standing tickets, and seats on the balcony as in {"A": "1-10"}. `extra`: more TOML."""
    rows = rows or {"A": "1-6", "B": "1-4, 7-10"}
    text = EVENT.format(
        slug=slug,
        floor=floor,
        max_per_order=max_per_order,
        extra=extra,
        rows=", ".join(f'{{row = "{row}", seats = "{seats}"}}' for row, seats in rows.items()),
    )
    event_id = create_event(engine, parse_event_file(text.encode()), sha256(text.encode()).digest())
    prepare_event(engine, signer or SeededSigner(), event_id, _no_chain)
    return event_id


def want(*lines: LineWanted, key: str = "", owner: bytes | None = None) -> Hold:
    """A hold with an id and a key of its own (or the given key)."""
    digest = sha256((key or secrets.token_hex(16)).encode()).hexdigest()
    return Hold(new_id(0), bytes(32), lines, owner, Key("order", digest, sha256(repr(lines).encode()).digest()))


def floor(quantity: int = 1, key: str = "") -> Hold:
    return want(LineWanted("floor", quantity), key=key)


def seats(*labels: str, key: str = "") -> Hold:
    return want(LineWanted("balcony", len(labels), labels), key=key)


def start(order_id: UUID, key: str = "") -> StartPayment:
    digest = sha256((key or secrets.token_hex(16)).encode()).hexdigest()
    return StartPayment(order_id, new_id(0), "sandbox", Key("payment", digest, bytes(32)))


def _no_chain(connection: Connection, event_id: UUID) -> None:
    """The event's contract is the chain's business."""

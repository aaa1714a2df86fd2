"""Presale codes and vouchers of an event: made, hashed, listed. The till decides about their use."""

import secrets
from dataclasses import dataclass
from hashlib import blake2b, sha256
from uuid import UUID

from sqlalchemy import Connection, Engine, insert, select

from backend.db.clock import now_ms
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import Code
from backend.errors import refuse
from backend.i18n import gettext as _

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what looks like something else
GENERATED_CHARACTERS = 12  # 60 bits: nobody guesses one
MAX_AT_ONCE = 10_000
_DOMAIN = b"truestub/code/1\0"


@dataclass(frozen=True, slots=True)
class Offer:
    """What codes are good for. `class_code` none: every class. `max_uses` none: any number of orders."""

    label: str
    class_code: str | None = None
    discount_bps: int = 0
    presale: bool = False
    until_ms: int | None = None
    max_uses: int | None = 1


def hash_code(event_id: UUID, text: str) -> bytes:
    """How a code is stored. Capitals, spaces and hyphens make no difference."""
    plain = "".join(one for one in text.upper() if one not in " -")
    return sha256(_DOMAIN + event_id.bytes + plain.encode()).digest()


def make_codes(
    engine: Engine, slug: str, offer: Offer, count: int = 1, text: str | None = None, seed: bytes | None = None
) -> list[str]:
    """New codes as buyers type them; with `text`, that one. Raises `Refused`.

    With a secret `seed` the same again makes nothing and shows the same codes: the first answer may have been lost.
    """
    if not 1 <= count <= MAX_AT_ONCE or (text is not None and count != 1):
        raise refuse("bad_number", _("Make 1 to %d codes at once, and a code of your own singly") % MAX_AT_ONCE)
    if text is not None:
        made = [text]
    else:
        made = [_new_text() if seed is None else _text_from(seed, number) for number in range(count)]
    with engine.begin() as connection:
        event_id = connection.scalar(select(Event.id).where(Event.slug == slug))
        if event_id is None:
            raise refuse("unknown_event", _("There is no such event"))
        number = None
        if offer.class_code is not None:
            query = select(TicketClass.number).where(TicketClass.event_id == event_id)
            number = connection.scalar(query.where(TicketClass.code == offer.class_code))
            if number is None:
                raise refuse("unknown_class", _("There is no such class of tickets; look at the event again"))
        if text is not None and _exists(connection, event_id, text):
            raise refuse("code_exists", _("This event has that code already"))
        if seed is not None:
            connection.execute(select(Event.id).where(Event.id == event_id).with_for_update())  # a double click waits
            if _exists(connection, event_id, made[0]):
                return made
        values = {
            "event_id": event_id,
            "class_number": number,
            "discount_bps": offer.discount_bps,
            "presale": offer.presale,
            "until_ms": offer.until_ms,
            "max_uses": offer.max_uses,
            "uses": 0,
            "label": offer.label,
            "created_ms": now_ms(connection),
        }
        connection.execute(insert(Code), [{**values, "hash": hash_code(event_id, one)} for one in made])
    return made


def _exists(connection: Connection, event_id: UUID, text: str) -> bool:
    query = select(Code.hash).where(Code.event_id == event_id, Code.hash == hash_code(event_id, text))
    return connection.scalar(query) is not None


def _new_text() -> str:
    return _text_from(secrets.token_bytes(32), 0)


def _text_from(seed: bytes, number: int) -> str:
    bits = int.from_bytes(blake2b(number.to_bytes(8), key=seed, digest_size=GENERATED_CHARACTERS).digest())
    text = "".join(ALPHABET[bits >> 5 * at & 31] for at in range(GENERATED_CHARACTERS))
    return "-".join(text[at : at + 4] for at in range(0, GENERATED_CHARACTERS, 4))

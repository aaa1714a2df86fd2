"""Presale codes and vouchers as the organiser sees them: the form, what was made and used of it, and its end.

Codes made at once are a batch. Their texts are stored hashed and shown once, so a batch is known by its label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Engine, func, or_, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import TicketClass
from backend.db.tables.orders import Code
from backend.desk import audit
from backend.desk.moments import moment_of
from backend.domain.event_table import percent_of
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.answers import rfc3339
from backend.sales.codes import MAX_AT_ONCE, Offer

MAX_LABEL = 80  # characters
MIN_TEXT, MAX_TEXT = 4, 40  # characters of a code that somebody thought of
MAX_USES = 1_000_000
_DIGITS = 8  # of a number in the form


@dataclass(frozen=True, slots=True)
class Wish:
    """A filled-in form."""

    offer: Offer
    count: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Codes made at once, with what they are good for. `ended`: taken by no order any more."""

    made_ms: int
    made_at: str
    label: str
    class_name: str | None
    discount_bps: int
    presale: bool
    until_at: str | None
    max_uses: int | None
    codes: int
    uses: int
    ended: bool


def wish_of(form: Mapping[str, str], time_zone: str) -> Wish:
    """What the form asks for; refuses, with the field's name as `key`, what is no wish."""
    label, text = form.get("label", "").strip(), form.get("text", "").strip()
    if not label or len(label) > MAX_LABEL or not label.isprintable():
        raise refuse("bad_text", _("Write one line of at most %d characters") % MAX_LABEL, key="label")
    if text and not (MIN_TEXT <= len(text) <= MAX_TEXT and text.isprintable()):
        words = {"low": MIN_TEXT, "high": MAX_TEXT}
        raise refuse("bad_text", _("Take a code of %(low)d to %(high)d characters") % words, key="text")
    offer = Offer(
        label,
        form.get("class", "") or None,
        _percent(form.get("percent_off", "").strip() or "0"),
        "presale" in form,
        moment_of(form, "until", time_zone) if form.get("until", "").strip() else None,
        _number(form, "uses", MAX_USES) if form.get("uses", "").strip() else None,
    )
    return Wish(offer, 1 if text else _number(form, "count", MAX_AT_ONCE), text or None)


def code_batches(engine: Engine, event_id: UUID) -> list[Batch]:
    """What was made for the event, the newest first."""
    kind = (
        Code.created_ms,
        Code.label,
        Code.class_number,
        Code.discount_bps,
        Code.presale,
        Code.until_ms,
        Code.max_uses,
    )
    query = select(*kind, func.count().label("codes"), func.sum(Code.uses).label("used"))
    names = select(TicketClass.number, TicketClass.name).where(TicketClass.event_id == event_id)
    with read(engine) as connection:
        now = now_ms(connection)
        called = {row.number: row.name for row in connection.execute(names)}
        rows = connection.execute(
            query.where(Code.event_id == event_id).group_by(*kind).order_by(Code.created_ms.desc(), Code.label)
        ).all()
    return [
        Batch(
            made_ms=row.created_ms,
            made_at=rfc3339(row.created_ms),
            label=row.label,
            class_name=called.get(row.class_number),
            discount_bps=row.discount_bps,
            presale=row.presale,
            until_at=None if row.until_ms is None else rfc3339(row.until_ms),
            max_uses=row.max_uses,
            codes=int(row.codes),
            uses=int(row.used),
            ended=row.until_ms is not None and row.until_ms <= now,
        )
        for row in rows
    ]


def withdraw_codes(engine: Engine, secret: bytes, actor: str, event_id: UUID, slug: str, made_ms: int) -> int:
    """End a batch: how many codes that were. Orders that hold one keep what they were promised."""
    with engine.begin() as connection:
        now = now_ms(connection)
        ending = update(Code).where(Code.event_id == event_id, Code.created_ms == made_ms)
        ended = connection.execute(
            ending.where(or_(Code.until_ms.is_(None), Code.until_ms > now)).values(until_ms=now)
        ).rowcount
        if ended:
            audit.append(connection, secret, actor, "codes_withdraw", f"event:{slug}", codes=ended)
    return ended


def _number(form: Mapping[str, str], key: str, most: int) -> int:
    text = form.get(key, "").strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0
    if not 1 <= number <= most:
        words = {"low": 1, "high": most}
        raise refuse("bad_number", _("Write a whole number from %(low)d to %(high)d") % words, key=key)
    return number


def _percent(text: str) -> int:
    whole, _point, part = text.partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(text) > _DIGITS or float(text) > 100:
        raise refuse("bad_percent", _("Write a percentage from 0 to 100"), key="percent_off")
    return percent_of(float(text))

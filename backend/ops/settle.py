"""Settle tickets that replay suspended, because a transaction about them can't be brought back (SPEC 10.5).

Each is a person's decision, between who holds it on the chain now and who held it by our row; the third way is the
money back. The choice is checked, written to the audit log in the same transaction, and follows the ordinary path from
there: the chain is told by the ticket's state (10.7), gates by the next bundle, and codes of either claimant die.
"""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, update

from backend.chain.diagnoses import open_rows
from backend.chain.diagnosis import Kind
from backend.credentials.ownership import final_block
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import Diagnosis, Token
from backend.db.tables.events import Event
from backend.db.tables.orders import Ticket
from backend.desk import audit
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.sales.refunds import Wish, refund
from backend.sales.till.reading import lock_event

Choice = Literal["chain", "ours", "refund"]
CHOICES: tuple[Choice, ...] = ("chain", "ours", "refund")
REASON = "lost on the chain"


@dataclass(frozen=True, slots=True)
class Suspended:
    """A ticket that waits: who holds it on the chain now and by our row, with the epochs; `hash` is what was lost."""

    slug: str
    token_id: int
    hash: str
    reason: str
    chain_owner: bytes | None
    chain_epoch: int | None
    our_owner: bytes
    our_epoch: int


def waiting(engine: Engine) -> list[Suspended]:
    """Every ticket that replay suspended and nobody settled."""
    with read(engine) as connection:
        return [_suspended(row, lost) for row, lost in _rows(connection)]


def settle(engine: Engine, secret: bytes, slug: str, token_id: int, choice: Choice, actor: str) -> None:
    """Carry the choice out; raises `Refused`.

    Refuses `not_suspended_by_replay` for any other ticket, `chain_not_ready` while a recovery is open, `not_final`
    while the chain's word on the ticket may still change, `not_minted` where the chain does not have it.
    """
    with engine.begin() as connection:
        found = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one_or_none()
        if found is None:
            raise refuse("unknown_event", _("There is no such event"))
        lock_event(connection, found)
        row, lost = _checked(connection, slug, token_id)
        _append(connection, secret, actor, row, lost, choice)
        if choice != "refund":
            _reinstate(connection, row, choice)
    if choice == "refund":
        # Noted before, as at the desk; a refusal changes nothing, and the ticket stays suspended.
        refund(engine, row.event_id, Wish(row.order_id, "organiser", REASON, (row.id,)))


def why_not(row: Any, final: int) -> Refused | None:  # noqa: ANN401 - a row of `_rows`
    """Why the ticket can't be given to anybody yet."""
    if row.chain_owner is None:
        return refuse("not_minted", _("The chain does not have this ticket; it is minted by itself. Wait, or refund"))
    if row.changed_block > final:
        return refuse("not_final", _("The chain's word on this ticket is not final yet; try again in a minute"))
    return None


def _checked(connection: Connection, slug: str, token_id: int) -> tuple[Row[Any], dict[str, Any]]:
    mine = [(row, lost) for row, lost in _rows(connection) if (row.slug, row.token_id) == (slug, token_id)]
    if not mine:
        sentence = _("Replay suspended no such ticket, or it is settled; look at: truestub chain settle")
        raise refuse("not_suspended_by_replay", sentence)
    if open_rows(connection, Kind.ROLLED_BACK, Kind.REORGANISED, Kind.WIPED):
        raise refuse("chain_not_ready", _("The chain is still being mended; see truestub chain status, then settle"))
    return mine[0]


def _append(
    connection: Connection, secret: bytes, actor: str, row: Row[Any], lost: dict[str, Any], choice: Choice
) -> None:
    if choice != "refund" and (refused := why_not(row, final_block(connection))) is not None:
        raise refused
    about = f"{row.slug}/{row.token_id}"
    audit.append(connection, secret, actor, "ticket.settle", about, choice=choice, lost=lost["hash"])


def _reinstate(connection: Connection, row: Row[Any], choice: Choice) -> None:
    """The ticket is good again, for one owner; the serial grows and no credential follows, so old codes are dead."""
    values: dict[str, Any] = {
        "state": "valid",
        "serial": row.serial + 1,
        "holder_key": None,
        "changed_ms": now_ms(connection),
    }
    if choice == "chain":
        values |= {"owner": row.chain_owner, "epoch": row.chain_epoch}
    connection.execute(update(Ticket).where(Ticket.id == row.id).values(values))


def _rows(connection: Connection) -> list[tuple[Row[Any], dict[str, Any]]]:
    """Suspended tickets that a diagnosis names as not brought back, with what was lost."""
    query = (
        select(Ticket, Event.slug, Token.owner.label("chain_owner"), Token.epoch.label("chain_epoch"))
        .add_columns(Token.changed_block)
        .join(Event, Event.id == Ticket.event_id)
        .outerjoin(Token, (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id))
        .where(Ticket.state == "suspended")
        .order_by(Event.slug, Ticket.token_id)
    )
    named = _named(connection)
    rows = connection.execute(query).all()
    return [(row, named[row.event_id, row.token_id]) for row in rows if (row.event_id, row.token_id) in named]


def _named(connection: Connection) -> dict[tuple[UUID, int], dict[str, Any]]:
    rolled = select(Diagnosis.detail).where(Diagnosis.kind.in_((Kind.ROLLED_BACK.value, Kind.REORGANISED.value)))
    return {
        (UUID(token["event"]), int(token["token_id"])): lost
        for detail in connection.scalars(rolled.order_by(Diagnosis.id))
        for lost in detail.get("not_reproduced", [])
        for token in lost["tokens"]
    }


def _suspended(row: Row[Any], lost: dict[str, Any]) -> Suspended:
    return Suspended(
        row.slug,
        row.token_id,
        lost["hash"],
        lost["reason"],
        row.chain_owner,
        row.chain_epoch,
        row.owner,
        row.epoch,
    )

"""Who owns a ticket: the last final word of the chain, where it is later than what the database has put in order."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select, true

from backend.credentials.ticket_status import stopped_on_chain
from backend.db.tables.chain import Chain, Token
from backend.db.tables.orders import Order, Ticket
from backend.errors import Refusal
from backend.i18n import gettext as _

MOVE_RETRY_SECONDS = 5  # a few blocks


@dataclass(frozen=True, slots=True)
class Owner:
    """The effective owner's 20-byte address, how often the ticket has moved, and `stopped_on_chain` of it."""

    address: bytes
    epoch: int
    stopped: str | None = None


def effective_owner(connection: Connection, ticket: Row[Any]) -> Owner | Refusal:
    """Final + pending (design 3). A move that is on the chain but not final yet has no owner to issue to."""
    token = connection.execute(
        select(Token.owner, Token.epoch, Token.status, Token.changed_block).where(
            Token.event_id == ticket.event_id, Token.token_id == ticket.token_id
        )
    ).one_or_none()
    if token is None:
        return Owner(ticket.owner, ticket.epoch)
    stopped = stopped_on_chain(token.status)
    if token.epoch <= ticket.epoch:
        return Owner(ticket.owner, ticket.epoch, stopped)
    if token.changed_block > final_block(connection):
        sentence = _("The ticket is changing hands; try again when the chain has confirmed it")
        return Refusal("move_not_final", sentence, {"retry_after": MOVE_RETRY_SECONDS})
    return Owner(token.owner, token.epoch, stopped)


def owner_now() -> ColumnElement[bytes]:
    """Whose a ticket is, final or not; in a query of tickets and tokens."""
    return case((func.coalesce(Token.epoch, 0) > Ticket.epoch, Token.owner), else_=Ticket.owner)


def has_moved() -> ColumnElement[bool]:
    """Whether a ticket is somebody else's than its buyer's, final or not; in a query of tickets, orders and tokens.

    Whoever bought without an address has the ticket in custody, where it does not move by itself.
    """
    by_chain = (Token.epoch > 0) & func.coalesce(Token.owner != Order.owner, true())
    by_us = (Ticket.epoch > 0) & func.coalesce(Ticket.owner != Order.owner, true())
    return case((func.coalesce(Token.epoch, 0) > Ticket.epoch, by_chain), else_=by_us)


def final_block(connection: Connection) -> int:
    """The number of the last final block that the index has applied; -1 if there is none."""
    known = select(func.min(Chain.final_number, Chain.cursor_number))
    if connection.dialect.name == "postgresql":
        known = select(func.least(Chain.final_number, Chain.cursor_number))
    number = connection.scalar(known.where(Chain.state != "retired").order_by(Chain.id.desc()).limit(1))
    return -1 if number is None else int(number)

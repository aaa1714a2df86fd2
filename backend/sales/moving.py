"""Giving a ticket away by the holder's signature, or out of custody by the order's secret (SPEC 10.8, 10.9).

Decided here at once, done on the chain by the outbox.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select

from backend.chain.moves import enqueue_move
from backend.credentials.claiming import not_in_custody
from backend.credentials.eip712 import recover_claimer, recover_mover
from backend.credentials.entitlement import NOT_READY_RETRY_SECONDS, not_valid, why_not_entitled
from backend.credentials.messages import SignClaim
from backend.credentials.numbers import step_of
from backend.credentials.ownership import Owner, effective_owner
from backend.credentials.records import contract_of, lock_order_and_ticket
from backend.credentials.signer_client import SignerClient
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import ChainContract, ChainJob
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.moves import ChainMove
from backend.db.tables.orders import Order, Ticket
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.sales.orders import event_of_order
from backend.sales.refunds import sold_tickets

MIN_AHEAD_SECONDS = 86_400  # of a move's deadline: the chain may be away for a while
CLAIM_SECONDS = 90 * 86_400  # how long the chain may be away before a claim is taken back
CLAIM_SECONDS = 90 * 86_400  # how long the chain may be away before a claim is taken back
DAY_MS = 86_400_000
MOVES_A_DAY = 5  # of a ticket: each costs us its gas
GIVEN = ("open", "market_only")  # policies under which a holder may give a ticket away (SPEC 8.6)
_STATES = {"included": "confirming", "final": "done"}  # of a job, as a person is told


@dataclass(frozen=True, slots=True)
class Wish:
    """What the holder signed: addresses 20 bytes, `deadline` Unix seconds, `signature` 65 bytes."""

    to: bytes
    epoch: int
    deadline: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """How a move stands: pending, confirming, done, or taken_back with the reason why. `epoch` is the one after it."""

    ticket_id: UUID
    token_id: int
    state: str
    reason: str | None
    epoch: int
    from_owner: bytes
    to_owner: bytes
    tx_hash: bytes | None


def move(engine: Engine, ticket_id: UUID, wish: Wish) -> Move:
    """Put a move in order; the ticket is the receiver's at the commit. The same again: how it stands.

    Raises `Refused`: what a credential is refused for (SPEC 4.3), and `ticket_used`, `not_transferable`,
    `too_many_moves`, `moves_closed`, `deadline_too_near`, `bad_receiver`, `wrong_epoch`, `owner_signature_invalid`.
    """
    with engine.begin() as connection:
        order, ticket = _locked(connection, ticket_id)
        known = _stored(connection, ticket, wish)
        if known is not None:
            return known
        _check_rate(connection, ticket)
        return _put_in_order(connection, order, ticket, wish, is_claim=False)


def claim(engine: Engine, signer: SignerClient, ticket_id: UUID, to: bytes, order_secret: str) -> Move:
    """Let a ticket that we keep go to `to` (20 bytes), whatever its class's policy. The same again: how it stands.

    Custody's key signs, in the signer, which looks at the secret itself. Raises `Refused`: as `move` (without
    `not_transferable` and `moves_closed`), `unknown_order`, and what the signer says (SPEC 10.9).
    """
    with read(engine) as connection:
        ticket = connection.execute(select(Ticket).where(Ticket.id == ticket_id)).one_or_none()
        if ticket is None:
            raise _unknown()
        event_of_order(engine, ticket.order_id, order_secret)
        known = _claimed(connection, ticket, to)
        if known is not None:
            return known
        order = connection.execute(select(Order).where(Order.id == ticket.order_id)).one()
        event = connection.execute(select(Event).where(Event.id == ticket.event_id)).one()
        _raise(why_not_entitled(order, ticket, event, now_ms(connection), step_of(connection, ticket)))
        deadline = now_ms(connection) // 1000 + CLAIM_SECONDS
    terms = SignClaim(ticket_id=ticket_id, to=to, epoch=ticket.epoch, deadline=deadline, order_secret=order_secret)
    wish = Wish(to, ticket.epoch, deadline, signer.sign_claim(terms))
    with engine.begin() as connection:
        order, ticket = _locked(connection, ticket_id)
        known = _claimed(connection, ticket, to)
        if known is not None:  # somebody else asked for the same meanwhile
            return known
        _check_rate(connection, ticket)
        return _put_in_order(connection, order, ticket, wish, is_claim=True)


def is_kept(engine: Engine, order_id: UUID) -> bool:
    """Whether the order was a guest's, whose tickets we keep until they are claimed."""
    with read(engine) as connection:
        return connection.scalar(select(Order.id).where(Order.id == order_id, Order.owner.is_(None))) is not None


def _put_in_order(connection: Connection, order: Row[Any], ticket: Row[Any], wish: Wish, *, is_claim: bool) -> Move:
    step = step_of(connection, ticket)
    holder = _holder(connection, order, ticket, wish, step, is_claim=is_claim)
    terms = (wish.to, wish.deadline, wish.signature, step)
    enqueue_move(connection, ticket, holder, *terms, is_claim=is_claim)
    made = _stored(connection, ticket, wish)
    assert made is not None  # noqa: S101 - written above
    return made


def _holder(
    connection: Connection, order: Row[Any], ticket: Row[Any], wish: Wish, step: int, *, is_claim: bool
) -> Owner:
    """Who may give the ticket away, and signed this wish; refuses everybody else, and what the contract would."""
    now = now_ms(connection)
    event = connection.execute(select(Event).where(Event.id == ticket.event_id)).one()
    _raise(why_not_entitled(order, ticket, event, now, step))
    holder = effective_owner(connection, ticket)
    if isinstance(holder, Refusal):
        raise Refused(holder)
    if holder.stopped is not None:
        raise Refused(not_valid(holder.stopped))
    if any(one.id == ticket.id and one.entered for one in sold_tickets(connection, order.id)):
        raise refuse("ticket_used", _("The ticket was used at the gate; it can't change hands any more"))
    if is_claim and holder.address != event.custody_address:
        raise not_in_custody()
    mine = (TicketClass.event_id == ticket.event_id) & (TicketClass.number == ticket.class_number)
    if not is_claim:
        _raise(_why_not_movable(connection.scalar(select(TicketClass.policy).where(mine)) or "", event, wish, now))
    ours = connection.scalar(select(ChainContract.address).where(ChainContract.address == wish.to).limit(1))
    if not any(wish.to) or wish.to in (event.custody_address, ours):
        raise refuse("bad_receiver", _("Nobody could use the ticket at this address; ask the receiver for theirs"))
    if wish.epoch != holder.epoch:
        sentence = _("The ticket has changed hands since; sign with the epoch given here")
        raise refuse("wrong_epoch", sentence, epoch=holder.epoch)
    contract = contract_of(connection, event.id)
    if contract is None:
        sentence = _("The event's contract is being made; try again in a moment")
        raise refuse("ticket_not_ready", sentence, retry_after=NOT_READY_RETRY_SECONDS)
    terms = (ticket.token_id, wish.epoch, wish.to, wish.deadline)
    recover = recover_claimer if is_claim else recover_mover
    if recover(contract.chain_id, contract.address, *terms, wish.signature) != holder.address:
        raise refuse("owner_signature_invalid", _("The owner did not sign this; sign with the owner's wallet"))
    return holder


def _check_rate(connection: Connection, ticket: Row[Any]) -> None:
    now = now_ms(connection)
    lately = (ChainMove.ticket_id == ticket.id) & (ChainMove.created_ms > now - DAY_MS)
    newest = select(ChainMove.created_ms).where(lately).order_by(ChainMove.created_ms.desc()).limit(MOVES_A_DAY)
    made = connection.scalars(newest).all()
    if len(made) == MOVES_A_DAY:
        sentence = _("This ticket changed hands too often today; try again tomorrow")
        raise refuse("too_many_moves", sentence, retry_after=(made[-1] + DAY_MS - now) // 1000 + 1)


def _why_not_movable(policy: str, event: Row[Any], wish: Wish, now_ms: int) -> Refusal | None:
    if policy not in GIVEN:
        return Refusal("not_transferable", _("The organiser does not let tickets of this class change hands"))
    # A moved event's contract keeps its own freeze: what is put in order after that would be taken back.
    if now_ms >= min(event.freeze_ms, event.chain_freeze_ms or event.freeze_ms):
        return Refusal("moves_closed", _("Tickets of this event change hands no more; show yours at the gate"))
    if wish.deadline < now_ms // 1000 + MIN_AHEAD_SECONDS:
        sentence = _("The signed deadline is too near: give it at least a day, since the chain may be away meanwhile")
        return Refusal("deadline_too_near", sentence, {"at_least": now_ms // 1000 + MIN_AHEAD_SECONDS})
    return None


def _locked(connection: Connection, ticket_id: UUID) -> tuple[Row[Any], Row[Any]]:
    locked = lock_order_and_ticket(connection, ticket_id)
    if locked is None:
        raise _unknown()
    return locked


def _unknown() -> Refused:
    return refuse("unknown_ticket", _("There is no such ticket; look at your order"))


def _claimed(connection: Connection, ticket: Row[Any], to: bytes) -> Move | None:
    """The claim that gave the ticket to `to`, if it has not come to nothing."""
    custody = select(Event.custody_address).where(Event.id == ticket.event_id).scalar_subquery()
    mine = (ChainMove.ticket_id == ticket.id) & (ChainMove.to_owner == to) & (ChainMove.from_owner == custody)
    made = connection.execute(select(ChainMove.__table__).where(mine, ChainMove.taken_back.is_(None))).one_or_none()
    return None if made is None else _stored(connection, ticket, Wish(to, made.epoch, made.deadline, made.signature))


def _stored(connection: Connection, ticket: Row[Any], wish: Wish) -> Move | None:
    """The move that was made of this wish."""
    same = (ChainMove.epoch == wish.epoch) & (ChainMove.to_owner == wish.to) & (ChainMove.deadline == wish.deadline)
    query = (
        select(ChainMove.__table__, ChainJob.state, ChainJob.tx_hash)
        .join(ChainJob, ChainJob.id == ChainMove.job_id)
        .where(ChainMove.ticket_id == ticket.id, same, ChainMove.signature == wish.signature)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    state = "taken_back" if row.taken_back is not None else _STATES.get(row.state, "pending")
    hash_ = row.tx_hash if row.taken_back is None else None
    parties = (row.from_owner, row.to_owner)
    return Move(ticket.id, ticket.token_id, state, row.taken_back, row.epoch + 1, *parties, hash_)


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)

"""An order as its buyer sees it: state, tickets, how far each is on its way to the chain."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, and_, select

from backend.credentials.ownership import has_moved
from backend.credentials.ticket_status import effective_state
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.chain import ChainAttempt, ChainJob, ChainNonce, Token
from backend.db.tables.events import Event, Seat, TicketClass
from backend.db.tables.orders import Order, OrderLine, Payment, Ticket
from backend.db.tables.payments import FailedRefund
from backend.domain.selling.holds import MAX_EXTENSIONS
from backend.i18n import gettext as _
from backend.ops.outages import node_away_since_ms
from backend.sales.answers import paid_body, rfc3339
from backend.sales.payments.chain import ChainPayments
from backend.sales.payments.chain_offer import offer
from backend.sales.payments.flow import OPEN
from backend.sales.till.reading import read_facts

UNDER_WAY = ("signed", "sent", "included")  # states of a mint's job between decided and final


def order_view(engine: Engine, order_id: UUID, chain: ChainPayments | None = None) -> dict[str, Any]:
    """The order as it stands; `LookupError` if there is none. `chain`: where orders are paid on the chain."""
    with read(engine) as connection:
        query = select(Order, Event.slug).join(Event, Event.id == Order.event_id).where(Order.id == order_id)
        order = connection.execute(query).one_or_none()
        if order is None:
            raise LookupError(order_id)
        over = order.state == "held" and order.hold_expires_ms <= now_ms(connection)
        tickets = tickets_view(connection, Ticket.order_id == order_id)
        return {
            "order_id": str(order.id),
            "event": order.slug,
            "state": "expired" if over else order.state,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "hold_expires_at": rfc3339(order.hold_expires_ms) if order.state == "held" else None,
            "extensions_left": max(0, MAX_EXTENSIONS - order.extensions) if order.state == "held" and not over else 0,
            "paid_at": rfc3339(order.paid_ms) if order.paid_ms is not None else None,
            "lines": _lines(connection, order),
            "payment": _payment(connection, order_id, chain),
            "tickets": tickets,
            "notice": _notice(connection, tickets),
        }


def _lines(connection: Connection, order: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a row of orders
    query = (
        select(TicketClass.code, OrderLine.quantity, OrderLine.unit_price_minor, OrderLine.seats)
        .join(
            TicketClass,
            and_(TicketClass.event_id == order.event_id, TicketClass.number == OrderLine.class_number),
        )
        .where(OrderLine.order_id == order.id)
        .order_by(OrderLine.position)
    )
    rows = connection.execute(query).all()
    numbers = [seat for row in rows for seat in row.seats or ()]
    labels = _labels(connection, order.event_id, numbers)
    return [
        {
            "class": row.code,
            "quantity": row.quantity,
            "unit_price_minor": row.unit_price_minor,
            "seats": [labels[seat] for seat in row.seats or ()],
        }
        for row in rows
    ]


def _labels(connection: Connection, event_id: UUID, numbers: list[int]) -> dict[int, str]:
    if not numbers:
        return {}
    query = select(Seat.number, Seat.label).where(Seat.event_id == event_id, Seat.number.in_(numbers))
    return {row.number: row.label for row in connection.execute(query)}


def _payment(connection: Connection, order_id: UUID, chain: ChainPayments | None) -> dict[str, Any] | None:
    query = select(Payment.id, Payment.provider, Payment.state, Payment.reason).where(Payment.order_id == order_id)
    last = connection.execute(query.order_by(Payment.created_ms.desc()).limit(1)).one_or_none()
    if last is None:
        return None
    failed = select(FailedRefund.reason).where(FailedRefund.order_id == order_id, FailedRefund.state == "failed")
    refused = connection.execute(failed.limit(1)).one_or_none()
    if refused is not None:
        return {"state": "refund_failed", "reason": refused.reason}
    told: dict[str, Any] = {"state": last.state, "reason": last.reason}
    if chain is not None and last.provider == chain.name and last.state in OPEN:
        told["chain"] = offer(connection, chain, last.id)
    return told


def tickets_view(connection: Connection, which: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Tickets and how far each is on its way to the chain. `which`: a condition on tickets, orders and tokens."""
    query = (
        select(
            Ticket,
            TicketClass.code,
            TicketClass.zone,
            Seat.label,
            ChainJob.id.label("job"),
            ChainJob.state.label("job_state"),
            ChainJob.tx_hash,
            Token.minted_block,
            Token.status.label("on_chain"),
            has_moved().label("moved"),
        )
        .join(Order, Order.id == Ticket.order_id)
        .join(TicketClass, and_(TicketClass.event_id == Ticket.event_id, TicketClass.number == Ticket.class_number))
        .outerjoin(Seat, and_(Seat.event_id == Ticket.event_id, Seat.number == Ticket.seat_number))
        .outerjoin(
            ChainJob,
            and_(
                ChainJob.event_id == Ticket.event_id,
                ChainJob.batch_number == Ticket.batch_number,
                ChainJob.kind == "mint",
            ),
        )
        .outerjoin(Token, and_(Token.event_id == Ticket.event_id, Token.token_id == Ticket.token_id))
        .where(which)
        .order_by(Ticket.order_id, Ticket.position)
    )
    rows = connection.execute(query).all()
    hashes = _last_hashes(connection, {row.job for row in rows if row.job is not None and row.tx_hash is None})
    return [
        {
            "ticket_id": str(row.id),
            "class": row.code,
            "zone": row.zone,
            "seat": row.label,
            "state": effective_state(row.state, row.on_chain),
            "stage": _stage(row),
            "moved": row.moved,
            "token_id": row.token_id,
            "tx_hash": _hex(row.tx_hash or hashes.get(row.job)),
            "serial": row.serial,
        }
        for row in rows
    ]


def _stage(row: Any) -> str:  # noqa: ANN401 - a row of the query above
    if row.token_id is None:
        return "paid"
    if row.minted_block is not None:
        return "minted"
    return "minting" if row.job_state in UNDER_WAY else "batched"


def _last_hashes(connection: Connection, jobs: set[int]) -> dict[int, bytes]:
    """The newest transaction that was signed for each job."""
    if not jobs:
        return {}
    query = (
        select(ChainNonce.job_id, ChainAttempt.hash)
        .join(
            ChainAttempt,
            and_(
                ChainAttempt.chain == ChainNonce.chain,
                ChainAttempt.signer == ChainNonce.signer,
                ChainAttempt.nonce == ChainNonce.nonce,
            ),
        )
        .where(ChainNonce.job_id.in_(jobs))
        .order_by(ChainAttempt.signed_ms)
    )
    return {row.job_id: row.hash for row in connection.execute(query)}


def _notice(connection: Connection, tickets: list[dict[str, Any]]) -> str | None:
    """What a buyer should know about the chain; none when all is well."""
    if all(ticket["stage"] == "minted" for ticket in tickets):
        return None
    if node_away_since_ms(connection) is not None:
        return _(
            "Your tickets are valid and will let you in. Their entry on the chain waits, because the chain does not "
            "answer right now; it is made by itself when it does."
        )
    return None


def _hex(value: bytes | None) -> str | None:
    return "0x" + value.hex() if value is not None else None


def paid_answer(engine: Engine, order_id: UUID) -> str:
    """The first answer to the payment of an order, made again from its rows (SPEC 9)."""
    with read(engine) as connection:
        order = connection.execute(select(Order).where(Order.id == order_id)).one()
        facts = read_facts(connection, order.event_id, (), [order_id]).orders[order_id]
        numbers = [seat for line in facts.lines for seat in line.seats]
        labels = _labels(connection, order.event_id, numbers)
        query = select(TicketClass.number, TicketClass.code, TicketClass.zone)
        rows = connection.execute(query.where(TicketClass.event_id == order.event_id))
        classes = {row.number: (row.code, row.zone) for row in rows}
    return paid_body(facts, order.currency, classes, labels)

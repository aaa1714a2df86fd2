"""From an outbox row to a letter to the buyer: order, contact and language are looked up when it is sent."""

from uuid import UUID

from sqlalchemy import Connection, Engine, select

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import LedgerEntry, Order, OrderLine, Payment, Refund, Waiter
from backend.i18n import set_language
from backend.notices import mail
from backend.notices.letters import Letter
from backend.notices.order_letters import (
    Bought,
    moved_letter,
    offer_letter,
    receipt_letter,
    recovery_letter,
    refund_letter,
    stray_letter,
)
from backend.notices.outbox import Item, NotSentError
from backend.privacy import recovery
from backend.privacy.contacts import contacts_of
from backend.sales.payments.interface import CASH
from backend.settings import Settings


class OrderSending:
    """Sends letters about orders. Threads may call `send` at will."""

    def __init__(self, engine: Engine, settings: Settings, secret: bytes) -> None:
        self._engine, self._settings, self._secret = engine, settings, secret

    def send(self, item: Item) -> None:
        """Send one; returns if nobody is left to be told, or no mail is set up. Raises `NotSentError`."""
        if not self._settings.smtp_url:
            return
        set_language(item.payload["language"])
        if item.payload["kind"] == "recover":
            self._recover(bytes.fromhex(item.payload["mark"]), item.id)
            return
        order_id = UUID(item.payload["order"])
        contact = contacts_of(self._engine, self._secret, [order_id]).get(order_id)
        if contact is None or not contact.mail:
            return
        with read(self._engine) as connection:
            letter = self._letter(connection, item, order_id)
        if letter is not None:
            self._mail(contact.mail, letter, f"{item.payload['kind']}.{item.payload.get('cause', order_id.hex)}")

    def _letter(self, connection: Connection, item: Item, order_id: UUID) -> Letter | None:
        order, url = _bought(connection, order_id), self._settings.public_url
        if item.payload["kind"] == "receipt":
            return receipt_letter(order, url)
        if item.payload["kind"] == "offer":
            return _offer_letter(connection, order, order_id, url)
        if item.payload["kind"] == "moved":
            query = select(Event).join(Order, Order.event_id == Event.id).where(Order.id == order_id)
            event = connection.execute(query).one()
            if (
                event.starts_ms != item.payload["starts_ms"]
                or event.state == "cancelled"
                or event.refund_until_ms is None
            ):
                return None  # moved again, or called off: a later letter tells
            return moved_letter(order, event.refund_until_ms, url)
        cause = UUID(item.payload["cause"])
        if item.payload["kind"] == "refund":
            refund = connection.execute(select(Refund).where(Refund.id == cause)).one()
            provider = connection.scalar(select(Payment.provider).where(Payment.id == refund.payment_id))
            money = (refund.amount_minor, refund.kept_minor)
            return refund_letter(order, *money, refund.reason, url, by_hand=provider == CASH)
        stray = connection.execute(select(LedgerEntry).where(LedgerEntry.key == f"taken:{cause}")).one_or_none()
        return stray_letter(order, stray.amount_minor, stray.currency, url) if stray is not None else None

    def _recover(self, mark: bytes, number: int) -> None:
        with self._engine.begin() as connection:
            made = recovery.make_code(connection, self._secret, mark)
        if made is not None:
            address, code = made
            letter = recovery_letter(code, recovery.CODE_MINUTES, self._settings.public_url)
            self._mail(address, letter, f"recover.{number}")

    def _mail(self, address: str, letter: Letter, message_id: str) -> None:
        try:
            mail.send(self._settings.smtp_url, self._settings.mail_from, address, letter, message_id, None)
        except OSError as error:
            raise NotSentError(f"mail: {type(error).__name__}") from None


def _offer_letter(connection: Connection, order: Bought, order_id: UUID, public_url: str) -> Letter | None:
    """None once the offer was taken, given back or has run out."""
    query = select(Waiter.id, Order.hold_expires_ms).join(Order, Order.id == Waiter.order_id)
    query = query.where(Order.id == order_id, Order.state == "held", Order.hold_expires_ms > now_ms(connection))
    offer = connection.execute(query).one_or_none()
    return offer_letter(order, str(offer.id), offer.hold_expires_ms, public_url) if offer is not None else None


def _bought(connection: Connection, order_id: UUID) -> Bought:
    query = select(Order, Event.name, Event.venue, Event.time_zone, Event.starts_ms)
    row = connection.execute(query.join(Event, Event.id == Order.event_id).where(Order.id == order_id)).one()
    lines = (
        select(OrderLine.quantity, TicketClass.name, OrderLine.unit_price_minor)
        .join(
            TicketClass,
            (TicketClass.event_id == row.event_id) & (TicketClass.number == OrderLine.class_number),
        )
        .where(OrderLine.order_id == order_id)
        .order_by(OrderLine.position)
    )
    return Bought(
        str(order_id),
        row.name,
        row.venue,
        row.time_zone,
        row.starts_ms,
        row.paid_ms or row.created_ms,
        tuple((one.quantity, one.name, one.quantity * one.unit_price_minor) for one in connection.execute(lines)),
        row.total_minor,
        row.currency,
    )

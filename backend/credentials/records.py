"""Bindings and credentials as rows."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from backend.credentials.limits import CREDENTIAL_WINDOW_SECONDS, MAX_CREDENTIALS_PER_TICKET
from backend.credentials.ownership import Owner
from backend.db.tables.chain import Chain, ChainContract
from backend.db.tables.credentials import Binding as BindingRow
from backend.db.tables.credentials import Credential as CredentialRow
from backend.db.tables.events import Platform
from backend.db.tables.orders import Order, Ticket
from backend.errors import refuse
from backend.i18n import gettext as _
from credential.binding import Binding
from credential.body import BODY_BYTES, Body, decode_body
from credential.results import Malformed


def lock_order_and_ticket(connection: Connection, ticket_id: UUID) -> tuple[Row[Any], Row[Any]] | None:
    """Both rows as of now; nobody changes them until the transaction ends. Order first, as refunds lock them."""
    order_id = connection.scalar(select(Ticket.order_id).where(Ticket.id == ticket_id))
    if order_id is None:
        return None
    order = connection.execute(select(Order).where(Order.id == order_id).with_for_update(read=True)).one()
    ticket = connection.execute(select(Ticket).where(Ticket.id == ticket_id).with_for_update()).one()
    return order, ticket


def contract_of(connection: Connection, event_id: UUID) -> Any:  # noqa: ANN401 - a row or none
    """Address and chain id of the event's contract, once it was seen on the chain we are following."""
    query = (
        select(ChainContract.address, Chain.chain_id)
        .join(Chain, Chain.id == ChainContract.chain)
        .where(ChainContract.event_id == event_id, ChainContract.kind == "event", ChainContract.code_hash.is_not(None))
        .order_by(Chain.id.desc())
        .limit(1)
    )
    return connection.execute(query).one_or_none()


def platform_id(connection: Connection) -> bytes:
    """The 16 bytes of this installation; refuses `not_initialised` if it has none."""
    known = connection.scalar(select(Platform.platform_id))
    if known is None:
        raise refuse("not_initialised", _("This platform has not been set up; run: truestub init"))
    return bytes(known)


def credential_with_serial(connection: Connection, ticket: Row[Any]) -> bytes | None:
    """The credential that has the ticket's serial; None if that serial only withdrew an older one."""
    query = select(CredentialRow.data).where(
        CredentialRow.event_id == ticket.event_id,
        CredentialRow.token_id == ticket.token_id,
        CredentialRow.serial == ticket.serial,
    )
    return connection.scalar(query)


def seconds_until_next(connection: Connection, ticket_id: UUID, now_ms: int) -> int:
    """0 if the ticket may have another credential, else how long until it may."""
    since = now_ms - CREDENTIAL_WINDOW_SECONDS * 1000
    issued = connection.scalars(
        select(CredentialRow.issued_ms)
        .where(CredentialRow.ticket_id == ticket_id, CredentialRow.issued_ms > since)
        .order_by(CredentialRow.issued_ms.desc())
        .limit(MAX_CREDENTIALS_PER_TICKET)
    ).all()
    if len(issued) < MAX_CREDENTIALS_PER_TICKET:
        return 0
    return (issued[-1] - since) // 1000 + 1


def store_binding(
    connection: Connection,
    ticket_id: UUID,
    binding: Binding,
    owner: bytes,
    owner_signature: bytes,
    possession_signature: bytes,
    now_ms: int,
) -> None:
    """Keep the evidence of who bound which device."""
    connection.execute(
        insert(BindingRow).values(
            ticket_id=ticket_id,
            number=binding.number,
            epoch=binding.epoch,
            device_key=binding.device_key,
            expiry=binding.expiry,
            owner=owner,
            owner_signature=owner_signature,
            possession_signature=possession_signature,
            created_ms=now_ms,
        )
    )


def store_credential(
    connection: Connection, ticket: Row[Any], body: Body, data: bytes, number: int, owner: Owner, now_ms: int
) -> None:
    """The credential, and the ticket as it is from now on. A used serial raises `IntegrityError`."""
    connection.execute(
        insert(CredentialRow).values(
            event_id=ticket.event_id,
            token_id=body.token_id,
            serial=body.serial,
            ticket_id=ticket.id,
            data=data,
            device_key=body.holder_key,
            issued_ms=now_ms,
        )
    )
    connection.execute(
        update(Ticket)
        .where(Ticket.id == ticket.id)
        .values(
            serial=body.serial,
            binding_number=number,
            holder_key=body.holder_key,
            owner=owner.address,
            epoch=owner.epoch,
            changed_ms=now_ms,
        )
    )


def body_of(data: bytes) -> Body:
    """The body of a stored credential."""
    body = decode_body(data[:BODY_BYTES])
    if isinstance(body, Malformed):
        raise ValueError(f"a stored credential is damaged: {body.reason}")  # noqa: TRY004 - not a matter of types
    return body

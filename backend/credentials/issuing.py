"""Issue a credential: one transaction that stores the binding and the credential before anybody sees them (SPEC 4.3).

Promises: a serial is used once, whoever asks, however many signers run and wherever one dies; the same request again
gives the same bytes; nothing leaves before its commit.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.exc import IntegrityError

from backend.clock import Clock
from backend.credentials.binding import BindableTicket, binding_of, check_owner, check_request, is_repeat
from backend.credentials.eip712 import sign_binding
from backend.credentials.entitlement import not_valid, why_not_entitled
from backend.credentials.keystore import KeyRole, KeyStore, PrivateKey
from backend.credentials.limits import EventRate, WrongSecrets, check_secret
from backend.credentials.messages import BindingRequest, IssuedCredential
from backend.credentials.numbers import step_of
from backend.credentials.ownership import Owner, effective_owner
from backend.credentials.published import is_compromised, key_to_use, newest_key_list
from backend.credentials.records import (
    body_of,
    credential_with_serial,
    lock_order_and_ticket,
    platform_id,
    seconds_until_next,
    store_binding,
    store_credential,
)
from backend.credentials.validity import covers, validity
from backend.db.clock import now_ms
from backend.db.tables.events import Event, TicketClass
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.killpoints import reach
from credential.body import VERSION, Body
from credential.ids import key_id
from credential.keylist import KeyList, Role
from credential.signing import sign_credential

BUSY_RETRY_SECONDS = 2
TRIES = 3  # of the transaction, when another signer took the number meanwhile


@dataclass(frozen=True, slots=True)
class Issuer:
    """What issuing needs from outside."""

    engine: Engine
    keys: KeyStore
    wrong_secrets: WrongSecrets
    rate: EventRate

    @classmethod
    def make(cls, engine: Engine, keys: KeyStore, clock: Clock) -> "Issuer":
        return cls(engine, keys, WrongSecrets(clock), EventRate(clock))

    def issue(self, ticket_id: UUID, request: BindingRequest) -> IssuedCredential:
        """The stored credential; raises `Refused`. SPEC 4.3 names every code."""
        for _attempt in range(TRIES):
            try:
                with self.engine.begin() as connection:
                    issued = _Issue(self, connection, ticket_id, request).run()
                    reach("signer.before_commit")
            except IntegrityError:
                continue  # another signer stored the same number or serial; look again
            reach("signer.committed")
            return issued
        raise _busy()


class _Issue:
    """One request within one transaction."""

    def __init__(self, issuer: Issuer, connection: Connection, ticket_id: UUID, request: BindingRequest) -> None:
        self.issuer, self.connection, self.request = issuer, connection, request
        locked = lock_order_and_ticket(connection, ticket_id)
        if locked is None:
            raise refuse("unknown_ticket", _("There is no such ticket; look at your order"))
        self.order, self.ticket = locked
        self.event, self.zone = _event_and_zone(connection, self.ticket)
        # After the locks and inside the transaction: `rows_through` of bundles counts on it (SPEC 5.5).
        self.now_ms = now_ms(connection)
        self.platform_id = platform_id(connection)
        self.step = step_of(connection, self.ticket)

    def run(self) -> IssuedCredential:
        if self.request.owner_signature is None:
            check_secret(self.order, self.request.order_secret, self.issuer.wrong_secrets)
        _raise(why_not_entitled(self.order, self.ticket, self.event, self.now_ms, self.step))
        owner = effective_owner(self.connection, self.ticket)
        if isinstance(owner, Refusal):
            raise Refused(owner)
        if owner.stopped is not None:
            raise Refused(not_valid(owner.stopped))
        bindable = BindableTicket(
            platform_id=self.platform_id,
            event_tag=self.event.tag,
            token_id=self.ticket.token_id,
            owner=owner.address,
            epoch=owner.epoch,
            binding_number=self.ticket.binding_number,
            step=self.step,
            holder_key=self.ticket.holder_key,
        )
        _raise(check_request(bindable, self.request, self.now_ms // 1000))
        evidence = self._owner_signature(bindable)
        published = newest_key_list(self.connection)
        repeat = is_repeat(bindable, self.request)
        stored = self._stored(published) if repeat else None
        if stored is not None:
            return self._issued(stored)
        self._check_rates()
        data = self._sign_and_store(owner, published)
        if not repeat:
            binding, possession = binding_of(bindable, self.request), self.request.possession_signature
            store_binding(self.connection, self.ticket.id, binding, owner.address, evidence, possession, self.now_ms)
        return self._issued(data)

    def _owner_signature(self, ticket: BindableTicket) -> bytes:
        """What is kept as evidence: the owner's signature, or the custody key's for a ticket it owns."""
        given = self.request.owner_signature
        if given is not None:
            _raise(check_owner(ticket, self.request, given))
            return given
        custody = custody_key(self.issuer.keys, self.event.id, ticket.owner)
        if custody is None:
            raise refuse("owner_signature_missing", _("This ticket belongs to a wallet; sign with that wallet"))
        return sign_binding(self.platform_id, binding_of(ticket, self.request), custody.account)

    def _stored(self, published: KeyList | None) -> bytes | None:
        """What the last binding got; None if it is issued anew: a stolen key voided it, or the event has moved."""
        data = credential_with_serial(self.connection, self.ticket)
        if data is None:
            sentence = _("This ticket's code was withdrawn; to get a new one, sign with the number given here")
            raise refuse("credential_withdrawn", sentence, next_number=self.ticket.binding_number + self.step)
        body = body_of(data)
        in_time = covers(body.not_before, body.not_after, self.event.doors_ms, self.event.ends_ms)
        return data if in_time and not is_compromised(published, body.key_id) else None

    def _sign_and_store(self, owner: Owner, published: KeyList | None) -> bytes:
        now = self.now_ms // 1000
        keys = self.issuer.keys.all_of(self.event.id, KeyRole.ISSUING)
        key = key_to_use(keys, published, Role.ISSUING, self.event.tag, now)
        window = validity(self.event.doors_ms, self.event.ends_ms)
        body = Body(
            version=VERSION,
            key_id=key_id(key.public),
            event_tag=self.event.tag,
            token_id=self.ticket.token_id,
            serial=self.ticket.serial + self.step,
            class_number=self.ticket.class_number,
            zone=self.zone,
            seat=self.ticket.seat_number,
            flags=0,
            not_before=window.not_before,
            lifetime_minutes=window.lifetime_minutes,
            issued_at=now,
            holder_key=self.request.device_key,
        )
        data = sign_credential(body, key.signing_key)
        store_credential(self.connection, self.ticket, body, data, self.request.number, owner, self.now_ms)
        return data

    def _check_rates(self) -> None:
        wait = seconds_until_next(self.connection, self.ticket.id, self.now_ms)
        if wait:
            sentence = _("This ticket was bound to too many devices in a short time; wait, or ask the help desk")
            raise refuse("too_many_credentials", sentence, retry_after=wait)
        if not self.issuer.rate.take(self.event.id):
            raise _busy()

    def _issued(self, data: bytes) -> IssuedCredential:
        body = body_of(data)
        return IssuedCredential(
            credential=data,
            ticket_id=self.ticket.id,
            token_id=body.token_id,
            serial=body.serial,
            binding_number=self.request.number,
            event_id=self.event.id,
            event_index=self.event.number,
            event_tag=self.event.tag,
            platform_id=self.platform_id,
            not_before=body.not_before,
            expires=body.not_after,
        )


def _event_and_zone(connection: Connection, ticket: Row[Any]) -> tuple[Row[Any], int]:
    event = connection.execute(select(Event).where(Event.id == ticket.event_id)).one()
    zone = select(TicketClass.zone).where(
        TicketClass.event_id == ticket.event_id, TicketClass.number == ticket.class_number
    )
    return event, connection.execute(zone).scalar_one()


def custody_key(keys: KeyStore, event_id: UUID, owner: bytes) -> PrivateKey | None:
    """The key of the event's custody, if custody is the owner."""
    return next((key for key in keys.all_of(event_id, KeyRole.CUSTODY) if key.public == owner), None)


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Refused(refusal)


def _busy() -> Refused:
    return refuse("signer_busy", _("Many people ask at once; try again in a moment"), retry_after=BUSY_RETRY_SECONDS)

"""May this device be bound to this ticket? Pure rules, in the order of SPEC 4.3."""

from collections.abc import Callable
from dataclasses import dataclass

from backend.credentials.eip712 import recover_owner
from backend.credentials.messages import BindingRequest
from backend.errors import Refusal
from backend.i18n import gettext as _
from credential.binding import Binding, verify_possession
from credential.signing import is_valid_holder_key


@dataclass(frozen=True, slots=True)
class BindableTicket:
    """What the rules must know of a ticket. `owner` and `epoch` are the effective ones (final moves plus queued)."""

    platform_id: bytes
    event_tag: bytes
    token_id: int
    owner: bytes  # 20
    epoch: int
    binding_number: int  # of the last binding, 0: none yet
    step: int  # to the number of the next; 1 but after a restore (`numbers`)
    holder_key: bytes | None  # of the last binding


Step = Callable[[BindableTicket, BindingRequest, int], Refusal | None]


def check_request(ticket: BindableTicket, request: BindingRequest, now: int) -> Refusal | None:
    """None if its fields hold and the device proved itself; the owner's signature is looked at elsewhere.

    `now` in Unix seconds, by the database's clock.
    """
    return next((refusal for step in STEPS if (refusal := step(ticket, request, now)) is not None), None)


def check_owner(ticket: BindableTicket, request: BindingRequest, signature: bytes) -> Refusal | None:
    """None if the ticket's owner signed, with a chain key of its own."""
    if recover_owner(ticket.platform_id, binding_of(ticket, request), signature) == ticket.owner:
        return None
    return Refusal("owner_signature_invalid", _("The ticket's owner did not sign this; sign with the owner's wallet"))


def binding_of(ticket: BindableTicket, request: BindingRequest) -> Binding:
    """What both signatures must be over: the ticket as we know it, and what the request adds."""
    return Binding(ticket.event_tag, ticket.token_id, request.epoch, request.number, request.device_key, request.expiry)


def is_repeat(ticket: BindableTicket, request: BindingRequest) -> bool:
    """The last binding once more: it gets what is stored for it."""
    return request.number == ticket.binding_number and request.device_key == ticket.holder_key


def device_key_usable(_ticket: BindableTicket, request: BindingRequest, _now: int) -> Refusal | None:
    """A key of small order would make one signature fit every message."""
    if is_valid_holder_key(request.device_key):
        return None
    return Refusal("device_key_invalid", _("The device's key can't be used; make a new one on the device"))


def not_expired(_ticket: BindableTicket, request: BindingRequest, now: int) -> Refusal | None:
    """What an owner signed long ago may not be what the owner wants."""
    if request.expiry > now:
        return None
    return Refusal("binding_expired", _("The owner's permission has run out; sign a new one"))


def epoch_current(ticket: BindableTicket, request: BindingRequest, _now: int) -> Refusal | None:
    """A move voids what the owners before had bound."""
    if request.epoch == ticket.epoch:
        return None
    sentence = _("The ticket has changed hands since; sign with the epoch given here")
    return Refusal("wrong_epoch", sentence, {"epoch": ticket.epoch})


def number_follows(ticket: BindableTicket, request: BindingRequest, _now: int) -> Refusal | None:
    """Each number is used once, so an old phone's binding can't be replayed."""
    following = ticket.binding_number + ticket.step
    if request.number == following or is_repeat(ticket, request):
        return None
    sentence = _("Another device was bound in the meantime; to use this one, sign with the number given here")
    return Refusal("wrong_binding_number", sentence, {"next_number": following})


def possession_proven(ticket: BindableTicket, request: BindingRequest, _now: int) -> Refusal | None:
    """The device has the key, and wants this very binding."""
    if verify_possession(ticket.platform_id, binding_of(ticket, request), request.possession_signature):
        return None
    sentence = _("The device did not prove that it has its key; sign again on the device")
    return Refusal("possession_signature_invalid", sentence)


STEPS: tuple[Step, ...] = (device_key_usable, not_expired, epoch_current, number_follows, possession_proven)

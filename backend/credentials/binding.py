"""May this device be bound to this ticket? Pure rules (SPEC 4.3); who asks has been looked at before."""

from dataclasses import dataclass
from enum import Enum

from backend.credentials.eip712 import recover_owner
from backend.credentials.messages import BindingRequest
from backend.errors import Refusal
from backend.i18n import gettext as _
from credential.binding import Binding, verify_possession
from credential.signing import is_valid_holder_key


@dataclass(frozen=True, slots=True)
class BindableTicket:
    """What the rules must know of a ticket. `owner` and `epoch` are the effective ones (final moves plus queued)."""

    event_tag: bytes
    token_id: int
    owner: bytes  # 20
    epoch: int
    binding_number: int  # of the last binding, 0: none yet
    holder_key: bytes | None  # of the last binding


class Kind(Enum):
    """What a good request is."""

    NEW = "new"  # another device, or the first: gets the next serial
    REPEAT = "repeat"  # the last binding once more: gets what is stored


@dataclass(frozen=True, slots=True)
class Checked:
    """A request whose fields and possession signature hold; the owner's signature is still to come."""

    kind: Kind
    binding: Binding


def check_request(platform_id: bytes, ticket: BindableTicket, request: BindingRequest, now: int) -> Checked | Refusal:
    """SPEC 4.3 steps 1 to 5. `now` in Unix seconds, by the database's clock."""
    if not is_valid_holder_key(request.device_key):  # 1
        return Refusal("device_key_invalid", _("The device's key can't be used; make a new one on the device"))
    if request.expiry <= now:  # 2
        return Refusal("binding_expired", _("The owner's permission has run out; sign a new one"))
    if request.epoch != ticket.epoch:  # 3
        sentence = _("The ticket has changed hands since; sign with the epoch given here")
        return Refusal("wrong_epoch", sentence, {"epoch": ticket.epoch})
    kind = _kind(ticket, request)  # 4
    if kind is None:
        following = ticket.binding_number + 1
        sentence = _("Another device was bound in the meantime; to use this one, sign with the number given here")
        return Refusal("wrong_binding_number", sentence, {"next_number": following})
    binding = Binding(
        ticket.event_tag, ticket.token_id, request.epoch, request.number, request.device_key, request.expiry
    )
    if not verify_possession(platform_id, binding, request.possession_signature):  # 5
        sentence = _("The device did not prove that it has its key; sign again on the device")
        return Refusal("possession_signature_invalid", sentence)
    return Checked(kind, binding)


def check_owner(platform_id: bytes, ticket: BindableTicket, binding: Binding, signature: bytes) -> Refusal | None:
    """SPEC 4.3 step 6, for tickets whose owner has a chain key of their own."""
    if recover_owner(platform_id, binding, signature) == ticket.owner:
        return None
    return Refusal("owner_signature_invalid", _("The ticket's owner did not sign this; sign with the owner's wallet"))


def _kind(ticket: BindableTicket, request: BindingRequest) -> Kind | None:
    if request.number == ticket.binding_number + 1:
        return Kind.NEW
    if request.number == ticket.binding_number and request.device_key == ticket.holder_key:
        return Kind.REPEAT
    return None

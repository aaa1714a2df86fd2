"""How the platform's other processes ask the signer."""

import socket
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from backend.credentials.framing import REQUEST_SECONDS, FrameError, deadline, receive, receive_lengths, send_frame
from backend.credentials.messages import (
    BindingRequest,
    Call,
    Done,
    EventKeys,
    Issue,
    IssuedCredential,
    Ping,
    PrepareEvent,
    PublicKeyAnswer,
    Reply,
    RotateKey,
    SignatureAnswer,
    SignBundle,
    SignClaim,
    TrailerAnswer,
)
from backend.credentials.unix_address import unix_address
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _
from backend.i18n import language

RETRY_SECONDS = 2  # a supervised signer is back by then

Answer = TypeVar("Answer", bound=BaseModel)
AnyRequest = Ping | PrepareEvent | RotateKey | Issue | SignBundle | SignClaim


class SignerClient:
    """One connection a request, so a signer that was restarted is simply there again. Safe in several threads.

    Every method may raise `Refused`: `signer_unreachable` if the signer is down or died over the request (repeating it
    is safe: all of them are idempotent), otherwise what the signer itself says.
    """

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path

    def ping(self) -> None:
        """Return if the signer answers."""
        self._ask(Ping(), Done)

    def prepare_event(self, event_id: UUID) -> EventKeys:
        """The event's keys; made on the first call, on disk before the answer."""
        return self._ask(PrepareEvent(event_id=event_id), EventKeys)

    def rotate_key(self, event_id: UUID, role: str, current: bytes) -> bytes:
        """The public half of the key that follows `current`."""
        request = RotateKey.model_validate({"event_id": event_id, "role": role, "current": current})
        return self._ask(request, PublicKeyAnswer).public_key

    def issue(self, ticket_id: UUID, request: BindingRequest) -> IssuedCredential:
        """The credential for a bound device; stored before it is here."""
        return self._ask(Issue(ticket_id=ticket_id, binding=request), IssuedCredential)

    def sign_bundle(self, event_id: UUID, data: bytes) -> bytes:
        """The signed snapshot: `data`, as `credential.bundle.encode_bundle` made it, with key id and signature."""
        return data + self._ask(SignBundle(event_id=event_id), TrailerAnswer, data).trailer

    def sign_claim(self, wish: SignClaim) -> bytes:
        """Custody's signature over a claim, 65 bytes."""
        return self._ask(wish, SignatureAnswer).signature

    def _ask(self, request: AnyRequest, answer: type[Answer], blob: bytes = b"") -> Answer:
        call = Call(language=language(), request=request)
        try:
            message = self._exchange(call.model_dump_json().encode(), blob)
            reply = Reply.model_validate_json(message)
            if reply.refused is None:
                return answer.model_validate(reply.answer)
        except (OSError, FrameError, ValidationError):
            sentence = _("Tickets can't be signed right now; nothing is lost, try again in a moment")
            raise refuse("signer_unreachable", sentence, retry_after=RETRY_SECONDS) from None
        refused = reply.refused
        raise Refused(Refusal(refused.code, refused.sentence, refused.details))

    def _exchange(self, message: bytes, blob: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(REQUEST_SECONDS)
            with unix_address(self._path) as address:
                connection.connect(address)
            send_frame(connection, message, blob)
            until = deadline()
            lengths = receive_lengths(connection, until)
            return receive(connection, lengths.message, until)

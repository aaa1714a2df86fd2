"""The signer: the one process that uses the private keys (design 2, SPEC 4.3).

It listens on a Unix socket that its own user alone may open, takes one request a connection, and reads what it must
know from the database itself. Promises: a bad, slow or huge request harms no other; whatever it answers is committed.
"""

import fcntl
import logging
import os
import socket
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Event

from pydantic import BaseModel, ValidationError
from sqlalchemy import Engine

from backend.clock import Clock
from backend.credentials.bundle_signing import sign_bundle_of
from backend.credentials.claiming import sign_claim_of
from backend.credentials.event_keys import prepare_event, rotate_key
from backend.credentials.framing import FrameError, HungUpError, deadline, receive, receive_lengths, send_frame
from backend.credentials.issuing import Issuer
from backend.credentials.keystore import KeyRole, KeyStore
from backend.credentials.messages import (
    Call,
    Done,
    Issue,
    Ping,
    PrepareEvent,
    PublicKeyAnswer,
    RefusedAnswer,
    Reply,
    RotateKey,
    SignatureAnswer,
    SignBundle,
    SignClaim,
    TrailerAnswer,
)
from backend.credentials.unix_address import unix_address
from backend.db.failures import failure_of
from backend.errors import Refused, SettingError, refuse
from backend.i18n import LANGUAGES, set_language
from backend.i18n import gettext as _

WORKERS = 16  # requests at once; each uses one database connection
MAX_CLIENTS = 64  # connections taken; more wait in the socket's backlog
BACKLOG = 128
WATCH_SECONDS = 0.2
DATABASE_RETRY_SECONDS = 2

_log = logging.getLogger(__name__)


class Signer:
    """Answers requests. Safe in several threads; several signers may share one database."""

    def __init__(self, engine: Engine, keys: KeyStore, clock: Clock) -> None:
        self._engine, self._keys = engine, keys
        self._issuer = Issuer.make(engine, keys, clock)

    def answer(self, call: Call, blob: bytes) -> BaseModel:
        """The answer to a well-formed request; raises `Refused`."""
        match call.request:
            case Ping():
                return Done()
            case PrepareEvent(event_id=event_id):
                return prepare_event(self._engine, self._keys, event_id)
            case RotateKey(event_id=event_id, role=role, current=current):
                public = rotate_key(self._engine, self._keys, event_id, KeyRole(role), current)
                return PublicKeyAnswer(public_key=public)
            case Issue(ticket_id=ticket_id, binding=binding):
                return self._issuer.issue(ticket_id, binding)
            case SignBundle(event_id=event_id):
                return TrailerAnswer(trailer=sign_bundle_of(self._engine, self._keys, event_id, blob))
            case SignClaim():
                wrong = self._issuer.wrong_secrets
                return SignatureAnswer(signature=sign_claim_of(self._engine, self._keys, wrong, call.request))

    def serve_one(self, connection: socket.socket) -> None:
        """Take one request from `connection`, answer it, close. Never raises."""
        with connection:
            try:
                reply = self._reply(connection)
                send_frame(connection, reply.model_dump_json(exclude_none=True).encode())
            except HungUpError:
                return
            except (FrameError, OSError) as error:
                _log.info("client dropped: %s", type(error).__name__)

    def _reply(self, connection: socket.socket) -> Reply:
        until = deadline()
        lengths = receive_lengths(connection, until)
        message = receive(connection, lengths.message, until)
        try:
            call = _parse(message, lengths.blob)
        except Refused as refused:
            return _refusal(refused)
        blob = receive(connection, lengths.blob, until)
        set_language(call.language if call.language in LANGUAGES else "en")
        try:
            return Reply(answer=self.answer(call, blob).model_dump(mode="json"))
        except Refused as refused:
            return _refusal(refused)
        except Exception as error:  # noqa: BLE001 - one broken request must not end the others
            return _refusal(_said_of(error))


def serve(signer: Signer, path: Path, stop: Event, ready: Callable[[], None] = lambda: None) -> None:
    """Listen on `path` until `stop` is set, then finish what was begun. Refuses `signer_running` if another listens.

    `ready` is called once it listens.
    """
    room = BoundedSemaphore(MAX_CLIENTS)

    def work(connection: socket.socket) -> None:
        try:
            signer.serve_one(connection)
        finally:
            room.release()

    with _listening(path) as listener, ThreadPoolExecutor(WORKERS, thread_name_prefix="signer") as pool:
        ready()
        while not stop.is_set():
            if not room.acquire(timeout=WATCH_SECONDS):
                continue
            try:
                connection, _address = listener.accept()
            except TimeoutError:
                room.release()
                continue
            pool.submit(work, connection)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = _("A signer is running already on %s; stop it first")
            raise refuse("signer_running", sentence % path) from None
        path.unlink(missing_ok=True)  # what a killed signer left: the lock says that nobody listens there
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            before = os.umask(0o177)  # the socket is born with 0600
            try:
                with unix_address(path) as address:
                    listener.bind(address)
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
            listener.settimeout(WATCH_SECONDS)
            yield listener
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _parse(message: bytes, blob: int) -> Call:
    try:
        call = Call.model_validate_json(message)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise refuse("bad_request", _("The signer does not understand this request"), field=where) from None
    if bool(blob) != isinstance(call.request, SignBundle):
        raise refuse("bad_request", _("The signer does not understand this request"), field="blob")
    return call


def _refusal(refused: Refused) -> Reply:
    refusal = refused.refusal
    return Reply(refused=RefusedAnswer(code=refusal.code, sentence=refusal.sentence, details=refusal.details))


def _said_of(error: Exception) -> Refused:
    """What a caller is told of a failure. The log gets what and where; never a message, which may hold a secret."""
    failure = failure_of(error)
    if failure == "storage_full":
        return refuse("storage_full", _("The disk is full; nothing was changed. Make room, then try again"))
    if failure is not None:
        _log.warning("the database failed: %s (%s)", failure, type(error).__name__)
        sentence = _("The database does not answer; try again in a moment")
        return refuse("database_unreachable", sentence, retry_after=DATABASE_RETRY_SECONDS)
    if isinstance(error, SettingError):
        _log.error("%s", error)  # names a file and what to do, nothing of its content
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        _log.error("request failed: %s at %s", type(error).__name__, where)
    return refuse("signer_failed", _("The signer could not do this; its log says why"))

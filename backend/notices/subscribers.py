"""Who is told: asked for, confirmed by whoever owns the address, and forgotten on their word.

An address is stored encrypted, beside a keyed hash that finds it again; both keys are derived from the installation's
secret. The token in a link names a subscription and proves that we made it; it opens nothing else.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from backend.db.clock import now_ms
from backend.db.tables.telling import Subscriber
from backend.domain.ids import new_id
from backend.errors import refuse
from backend.i18n import gettext as _

MAX_ADDRESS_CHARACTERS = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
MAX_HOOK_CHARACTERS = 2000
MAX_ASKED_IN_AN_HOUR = 500  # unconfirmed; nobody may make us a sender of junk
ASK_AGAIN_MS = 10 * 60 * 1000  # before an unconfirmed address is written to again
FORGET_MS = 48 * 3600 * 1000  # an unconfirmed address
TOKEN_BYTES = 32  # 16 of the id, 16 of its proof

Channel = Literal["mail", "webhook"]
_MAIL = re.compile(r"[^@\s<>\"(),:;\[\]\\]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class Who:
    """A subscriber with the address in clear; keep it out of logs."""

    id: UUID
    channel: str
    address: str
    language: str
    state: str


class Book:
    """The subscribers of an installation; holds the keys derived from its secret."""

    def __init__(self, secret: bytes) -> None:
        self._box = SecretBox(hmac.digest(secret, b"truestub/subscriber-address/1\0", "sha256"))
        self._mark = hmac.digest(secret, b"truestub/subscriber-mark/1\0", "sha256")
        self._token = hmac.digest(secret, b"truestub/subscriber-token/1\0", "sha256")
        self._hook = hmac.digest(secret, b"truestub/webhook/1\0", "sha256")

    def ask(self, connection: Connection, channel: Channel, address: str, language: str) -> tuple[UUID, bool]:
        """Write down who asked, by a `checked` address; the id, and whether a confirmation is to be sent now."""
        now = now_ms(connection)
        mark = hmac.digest(self._mark, f"{channel} {address.lower()}".encode(), "sha256")
        known = select(Subscriber.id, Subscriber.state, Subscriber.asked_ms).where(
            Subscriber.channel == channel, Subscriber.address_mark == mark
        )
        row = connection.execute(known).one_or_none()
        if row is not None:
            again = row.state == "asked" and now - row.asked_ms > ASK_AGAIN_MS
            if again:
                connection.execute(update(Subscriber).where(Subscriber.id == row.id).values(asked_ms=now))
            return row.id, again
        lately = select(func.count()).where(Subscriber.state == "asked", Subscriber.asked_ms > now - 3_600_000)
        if (connection.scalar(lately) or 0) >= MAX_ASKED_IN_AN_HOUR:
            raise refuse("too_many_requests", _("Too many new subscriptions just now; try again in an hour"))
        made = new_id(now)
        values = {
            "id": made,
            "channel": channel,
            "address_mark": mark,
            "address_box": bytes(self._box.encrypt(address.encode())),
            "language": language,
            "state": "asked",
            "asked_ms": now,
        }
        try:
            with connection.begin_nested():
                connection.execute(insert(Subscriber).values(**values))
        except IntegrityError:  # asked for twice in this moment
            return connection.execute(known).one().id, False
        return made, True

    def find(self, connection: Connection, subscriber: UUID) -> Who | None:
        """One subscriber; none if they are gone."""
        row = connection.execute(select(Subscriber.__table__).where(Subscriber.id == subscriber)).one_or_none()
        address = self.unboxed(row.address_box) if row is not None else None
        return Who(row.id, row.channel, address, row.language, row.state) if row is not None and address else None

    def unboxed(self, address_box: bytes) -> str | None:
        """An address in clear; none if it is of an installation whose secret was lost."""
        try:
            return self._box.decrypt(address_box).decode()
        except CryptoError:
            return None

    def token(self, subscriber: UUID) -> str:
        """What stands in links to a subscription."""
        proof = hmac.digest(self._token, subscriber.bytes, "sha256")[:16]
        return base64.urlsafe_b64encode(subscriber.bytes + proof).decode().rstrip("=")

    def opened(self, token: str) -> UUID | None:
        """The subscription a token opens; none for what we did not make."""
        try:
            data = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except ValueError:
            return None
        if len(data) != TOKEN_BYTES:
            return None
        subscriber = UUID(bytes=data[:16])
        return subscriber if hmac.compare_digest(token, self.token(subscriber)) else None

    def hook_key(self, subscriber: UUID) -> bytes:
        """The key that a webhook's messages are signed with, 32 bytes; its owner was given it."""
        return hmac.digest(self._hook, subscriber.bytes, "sha256")


def confirm(connection: Connection, subscriber: UUID) -> bool:
    """The owner of the address said yes; False if the subscription is gone."""
    wanted = update(Subscriber).where(Subscriber.id == subscriber)
    first = wanted.where(Subscriber.state == "asked").values(state="confirmed", confirmed_ms=now_ms(connection))
    return bool(connection.execute(first).rowcount or connection.execute(wanted.values(state="confirmed")).rowcount)


def forget(connection: Connection, subscriber: UUID) -> None:
    """Unsubscribe: the address is erased."""
    connection.execute(delete(Subscriber).where(Subscriber.id == subscriber))


def forget_unconfirmed(connection: Connection) -> int:
    """Erase addresses whose owners never said yes."""
    old = now_ms(connection) - FORGET_MS
    return connection.execute(delete(Subscriber).where(Subscriber.state == "asked", Subscriber.asked_ms < old)).rowcount


def tidy(engine: Engine) -> int:
    """`forget_unconfirmed`, as a task of the worker; 0, so that it pauses."""
    with engine.begin() as connection:
        forget_unconfirmed(connection)
    return 0


def checked(channel: Channel, address: str, *, strangers: bool) -> str:
    """The address, if it can be one. `strangers`: a webhook must be reached by HTTPS."""
    address = address.strip()
    if channel == "mail":
        if len(address) <= MAX_ADDRESS_CHARACTERS and _MAIL.fullmatch(address):
            return address
        raise refuse("bad_address", _("This is not a mail address; look for a typing error"))
    if len(address) <= MAX_HOOK_CHARACTERS and _is_hook(address, strangers=strangers):
        return address
    raise refuse("bad_address", _("A webhook's address must begin with https:// and have no user or password"))


def _is_hook(address: str, *, strangers: bool) -> bool:
    """Whether it can be posted to; where its name leads is looked at when it is (webhook.post)."""
    try:
        parts = urlsplit(address)
        usable = parts.port != 0 and bool(parts.hostname) and not parts.username and address.isprintable()
    except ValueError:  # a port or an IPv6 address that is none
        return False
    schemes = ("https",) if strangers else ("https", "http")
    return usable and parts.scheme in schemes and " " not in address

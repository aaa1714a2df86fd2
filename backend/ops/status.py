"""What works, what waits, since when: in words for people, in states for programs.

Taken from database rows, which the workers keep up to date, from whether the signer's local socket opens, and from the
room on the data folder's disk. Nothing here waits for a chain node.
"""

import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, select

from backend.credentials.unix_address import unix_address
from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.failures import failure_of
from backend.db.models import Chain, ChainJob, Event, Outbox, Payment, Ticket
from backend.i18n import gettext as _
from backend.i18n import ngettext
from backend.ops.disk import FULL_DISK_BYTES, LOW_DISK_BYTES
from backend.ops.outages import open_diagnoses
from backend.sales.answers import rfc3339
from backend.sales.payments.flow import OTHER_MONEY

SIGNER_SECONDS = 0.25  # a local socket opens at once or not at all
SLOW_PAYMENT_MS = 30_000  # a payment open for longer than this is worth a word
DIFFERENT_PAYMENT_MS = 24 * 3600 * 1000  # how long a payment of other money than asked for is told of
QUIET_INDEX_MS = 30_000  # an index that heard nothing of its node for longer is old
NOT_ON_CHAIN = ("queued", "signed", "sent")

State = Literal["works", "waits", "down"]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the platform. `since` is RFC 3339, where something waits or is down and we know since when."""

    name: str
    state: State
    sentence: str
    since: str | None = None


def status_now(engine: Engine, signer_socket: Path, free: int | None) -> dict[str, Any]:
    """The status; also when the database is away. `free`: bytes left on the data folder's disk, none if not known."""
    disk = _disk(free)
    try:
        with read(engine) as connection:
            now = now_ms(connection)
            queued = mints_queued(connection)
            parts = [
                _sales(connection),
                _payments(connection, now),
                _amounts(connection, now),
                _signer(signer_socket),
                _minting(connection, queued),
                _index(connection, now),
                disk,
            ]
    except Exception as error:
        if failure_of(error) is None:
            raise
        return _without_database(disk)
    return {
        "summary": _summary(parts),
        "state": "works" if all(part.state == "works" for part in parts) else "partly",
        "mints_queued": queued,
        "at": rfc3339(now),
        "components": [asdict(part) for part in parts],
    }


def mints_queued(connection: Connection) -> int:
    """Paid tickets that the chain does not have yet, as far as we know."""
    unbatched = connection.scalar(select(func.count()).select_from(Ticket).where(Ticket.batch_number.is_(None)))
    waiting = connection.scalar(
        select(func.coalesce(func.sum(ChainJob.tickets), 0)).where(
            ChainJob.kind == "mint", ChainJob.state.in_(NOT_ON_CHAIN)
        )
    )
    return int(unbatched or 0) + int(waiting or 0)


def _sales(connection: Connection) -> Component:
    count = connection.scalar(select(func.count()).select_from(Event).where(Event.state == "on_sale")) or 0
    sentence = ngettext("Sales are open for %d event", "Sales are open for %d events", count) % count
    return Component("sales", "works", sentence if count else _("No event is on sale"))


def _payments(connection: Connection, now: int) -> Component:
    slow = select(func.count(), func.min(Payment.created_ms)).where(
        Payment.state.in_(("started", "unknown")), Payment.created_ms < now - SLOW_PAYMENT_MS
    )
    count, since = connection.execute(slow).one()
    refunds = connection.scalar(
        select(func.count()).select_from(Outbox).where(Outbox.state == "waiting", Outbox.topic == "payment.refund")
    )
    if count:
        sentence = ngettext(
            "%d payment waits for its provider's answer; no money is lost",
            "%d payments wait for their provider's answer; no money is lost",
            count,
        )
        return Component("payments", "waits", sentence % count, rfc3339(since))
    if refunds:
        sentence = ngettext(
            "Payments work; %d refund is on its way", "Payments work; %d refunds are on their way", refunds
        )
        return Component("payments", "works", sentence % refunds)
    return Component("payments", "works", _("Payments work"))


def _amounts(connection: Connection, now: int) -> Component:
    different = select(func.count(), func.max(Payment.changed_ms)).where(
        Payment.state.in_(("refunding", "refunded")),
        Payment.reason.in_(OTHER_MONEY),
        Payment.changed_ms > now - DIFFERENT_PAYMENT_MS,
    )
    count, since = connection.execute(different).one()
    if not count:
        return Component("amounts", "works", _("Payments come in the amounts and currencies asked for"))
    sentence = ngettext(
        "%d payment of another amount or currency than asked for goes back: look at the provider's settings",
        "%d payments of other amounts or currencies than asked for go back: look at the provider's settings",
        count,
    )
    return Component("amounts", "waits", sentence % count, rfc3339(since))


def _signer(path: Path) -> Component:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, unix_address(path) as address:
            probe.settimeout(SIGNER_SECONDS)
            probe.connect(address)
    except OSError:
        return Component(
            "signer", "down", _("New codes wait: the signer does not answer. Codes on phones go on working")
        )
    return Component("signer", "works", _("Codes are issued"))


def _minting(connection: Connection, queued: int) -> Component:
    troubles = open_diagnoses(connection)
    waiting = ngettext("%d ticket waits", "%d tickets wait", queued) % queued
    if troubles:
        first = troubles[0]
        sentence = _("%(why)s Sales go on; %(waiting)s.") % {"why": _why(first.kind), "waiting": waiting}
        return Component("minting", "waits", sentence, rfc3339(first.opened_ms))
    if not connection.scalar(select(func.count()).select_from(Chain)):
        why = _("Minting waits: no chain node has been seen yet.")
        sentence = _("%(why)s Sales go on; %(waiting)s.") % {"why": why, "waiting": waiting}
        return Component("minting", "waits", sentence)
    sentence = _("Tickets are minted; %(waiting)s.") % {"waiting": waiting} if queued else _("Tickets are minted")
    return Component("minting", "works", sentence)


def _why(kind: str) -> str:
    match kind:
        case "unreachable":
            return _("Minting waits: the chain node does not answer.")
        case "behind":
            return _("Minting waits: the chain node is catching up.")
        case "reorganised":
            return _("Minting pauses: the chain replaced its last blocks, and we are following.")
        case "rolled_back":
            return _("Minting waits: the chain node came back with an older state; what it lost is being sent again.")
        case _:
            return _("Minting waits: the chain node is not the one we know; an operator must look at it.")


def _index(connection: Connection, now: int) -> Component:
    query = (
        select(Chain.cursor_number, Chain.seen_ms).where(Chain.state != "retired").order_by(Chain.id.desc()).limit(1)
    )
    chain = connection.execute(query).one_or_none()
    if chain is None:
        return Component("index", "waits", _("The index has not begun"))
    age = max(0, now - chain.seen_ms)
    words = {"block": chain.cursor_number, "seconds": age // 1000}
    if age > QUIET_INDEX_MS:
        sentence = _("The index stands at block %(block)d; the node was last heard %(seconds)d s ago") % words
        return Component("index", "waits", sentence, rfc3339(chain.seen_ms))
    return Component("index", "works", _("The index is at block %(block)d") % words)


def _disk(free: int | None) -> Component:
    if free is None or free >= LOW_DISK_BYTES:
        return Component("disk", "works", _("There is room on the disk"))
    words = {"free": free // 1024**2}
    if free >= FULL_DISK_BYTES:
        sentence = _("Only %(free)d MiB are left on the disk: make room before sales stop") % words
        return Component("disk", "waits", sentence)
    sentence = _("The disk is full (%(free)d MiB left): sales stop until there is room. Nothing is lost") % words
    return Component("disk", "down", sentence)


def _summary(parts: list[Component]) -> str:
    full_stop = _(".")  # the language's own
    troubled = [
        part.sentence.rstrip(full_stop) + full_stop for part in parts if part.state != "works" and part.name != "index"
    ]
    return " ".join(troubled) if troubled else _("Everything works.")


def _without_database(disk: Component) -> dict[str, Any]:
    sentence = _("The database does not answer: nothing can be sold right now, nothing is lost. Gates go on working.")
    return {
        "summary": sentence,
        "state": "down",
        "mints_queued": None,
        "at": None,
        "components": [asdict(Component("sales", "down", sentence)), asdict(disk)],
    }

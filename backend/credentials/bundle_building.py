"""Build an event's bundle from one consistent read (SPEC 5.2, 5.5)."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from backend.credentials.bundle_rows import read_batches, read_contract, read_index_through, read_tickets
from backend.credentials.snapshot import Snapshot
from backend.credentials.validity import validity
from backend.db.tables.chain import Batch, Token
from backend.db.tables.credentials import Gate, GateRecord
from backend.db.tables.events import TicketClass
from backend.db.tables.orders import Ticket
from credential.bundle import Bundle, OfflinePolicy, Zone, encode_bundle, key_list_digest
from credential.bundle import Gate as BundleGate
from credential.bundle import TicketClass as BundleClass
from credential.keylist import KeyList

MAX_NAME_BYTES = 255  # one length byte
_POLICIES = {"local": OfflinePolicy.LOCAL, "home": OfflinePolicy.HOME, "refuse": OfflinePolicy.REFUSE}


@dataclass(frozen=True, slots=True)
class Built:
    """An encoded bundle, still to be signed, and what its row says."""

    version: int
    encoded: bytes
    rows_through_ms: int
    index_through: int
    fingerprint: bytes


def build(taken: Snapshot, event: Row[Any], key_list: KeyList, version: int) -> Built:
    """The event's bundle as of the snapshot."""
    connection = taken.connection
    window = validity(event.doors_ms, event.ends_ms)
    batches = read_batches(connection, event.id)
    classes = connection.execute(
        select(TicketClass).where(TicketClass.event_id == event.id).order_by(TicketClass.number)
    ).all()
    gates = connection.execute(select(Gate).where(Gate.event_id == event.id).order_by(Gate.number)).all()
    chain_id, contract = read_contract(connection, event.id)
    index_through = read_index_through(connection)
    bundle = Bundle(
        event_tag=event.tag,
        event_id=event.id,
        event_index=event.number,
        event_name=plain_name(event.name),
        chain_id=chain_id,
        contract=contract,
        version=version,
        issued_at=taken.taken_ms // 1000,
        rows_through=taken.rows_through_ms // 1000,
        index_through=index_through,
        freeze=event.freeze_ms // 1000,
        doors=event.doors_ms // 1000,
        ends=-(-event.ends_ms // 1000),
        offline_policy=_POLICIES[event.offline_policy],
        key_list_version=key_list.version,
        key_list_digest=key_list_digest(key_list),
        classes=tuple(
            BundleClass(one.number, plain_name(one.name), window.not_before, window.not_after) for one in classes
        ),
        zones=_zones(classes),
        gates=tuple(BundleGate(gate.number, plain_name(gate.name), gate.public_key) for gate in gates),
        batches=batches,
        tickets=read_tickets(connection, event.id, [batch.count for batch in batches]),
    )
    mark = fingerprint(connection, event, key_list.version)
    return Built(version, encode_bundle(bundle), taken.rows_through_ms, index_through, mark)


def fingerprint(connection: Connection, event: Row[Any], key_list_version: int) -> bytes:
    """32 bytes that change when anything that a bundle says has changed, cheaply: sums and counts, no rows.

    Sums rather than the latest time, since a row that is committed late may carry an earlier one.
    """
    tickets = connection.execute(
        select(
            func.count(),
            func.count(Ticket.token_id),
            func.coalesce(func.sum(Ticket.changed_ms % 1_000_000_007), 0),
            func.coalesce(func.sum(Ticket.serial), 0),
            func.coalesce(func.sum(case((Ticket.state == "valid", 0), else_=1)), 0),
        ).where(Ticket.event_id == event.id)
    ).one()
    tokens = connection.execute(
        select(
            func.coalesce(func.sum(Token.status), 0),
            func.coalesce(func.sum(case((Token.status != 0, Token.token_id % 1_000_003), else_=0)), 0),
            func.coalesce(func.sum(Token.epoch), 0),
        ).where(Token.event_id == event.id)
    ).one()
    batches = connection.scalar(select(func.count()).where(Batch.event_id == event.id))
    entered = connection.scalar(select(func.count()).where(GateRecord.event_id == event.id, GateRecord.admits))
    gates = connection.execute(
        select(Gate.number, Gate.name, Gate.public_key).where(Gate.event_id == event.id).order_by(Gate.number)
    ).all()
    parts = (
        tuple(event),
        tuple(map(int, tickets)),
        tuple(map(int, tokens)),
        batches,
        entered,
        tuple(map(tuple, gates)),
        read_contract(connection, event.id),
        key_list_version,
    )
    return hashlib.sha256(repr(parts).encode()).digest()


def plain_name(name: str) -> str:
    """The name without control characters, cut to what a bundle holds, between characters."""
    printable = "".join(char if char.isprintable() else " " for char in name)
    return printable.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


def _zones(classes: list[Row[Any]] | Any) -> tuple[Zone, ...]:  # noqa: ANN401 - rows of SQLAlchemy
    """Zones are named after the classes they are for; 0 is none."""
    numbers = sorted({one.zone for one in classes if one.zone})
    names = {number: ", ".join(one.name for one in classes if one.zone == number) for number in numbers}
    return tuple(Zone(number, plain_name(names[number])) for number in numbers)

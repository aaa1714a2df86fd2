"""Take over what gates have logged (SPEC 7.4).

Promises: a record that was acknowledged is stored; the same records again change nothing; what one log says is taken in
its order, without gaps, along its chain of hashes; two admissions of one ticket are both kept and told. The evidence in
a record is kept as it came: it is for a supervisor to judge, with the holders' signatures in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, insert, select, update

from backend.db.clock import now_ms
from backend.db.tables.credentials import GateLog, GateRecord
from backend.db.upsert import insert_missing
from backend.errors import Refused, refuse
from backend.gates.records import LogRecord, RecordType, first_head, next_head, read_record
from backend.i18n import gettext as _
from credential.results import Malformed

MAX_RECORDS = 150  # of one request; with answers as evidence they fill 50 KiB


@dataclass(frozen=True, slots=True)
class Handed:
    """Records of one log, from number `start` on; `head` is the chain's hash before the first of them."""

    log_id: bytes
    start: int
    head: bytes
    payloads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another admission of a ticket that was just handed over. `at` is that gate's clock, Unix seconds."""

    token_id: int
    gate_number: int
    at: int


@dataclass(frozen=True, slots=True)
class Collected:
    """`next` is the number of the first record that the platform does not have yet."""

    next: int
    conflicts: tuple[Conflict, ...]


def collect(engine: Engine, gate: Row[Any], event_tag: bytes, handed: Handed) -> Collected:
    """Store what is new of it.

    Refuses `record_unreadable`, `record_of_another_gate`, `log_gap` (details say from where to go on) and `log_forked`:
    records that contradict what the same log said before.
    """
    records = [_checked(gate.number, event_tag, payload) for payload in handed.payloads]
    with engine.begin() as connection:
        log = _locked(connection, gate, handed.log_id)
        if handed.start > log.next:
            sentence = _("Some records before these are missing; go on from the number given here")
            raise refuse("log_gap", sentence, next=log.next)
        known = min(log.next - handed.start, len(records))
        if list(handed.payloads[:known]) != _stored(connection, gate, handed, known):
            raise _forked()
        fresh = list(zip(handed.payloads, records, strict=True))[known:]
        head = handed.head if handed.start == log.next else log.head
        if fresh and head != log.head:
            raise _forked()
        _store(connection, gate, handed.log_id, log.next, head, fresh)
        return Collected(log.next + len(fresh), _conflicts(connection, gate, handed.log_id, records))


def _checked(gate_number: int, event_tag: bytes, payload: bytes) -> LogRecord:
    record = read_record(payload)
    if isinstance(record, Malformed):
        sentence = _("A record can't be read; update the gate's program, and keep its log")
        raise refuse("record_unreadable", sentence, reason=record.reason)
    if record.event_tag != event_tag or record.gate_number not in {None, gate_number}:
        raise refuse(
            "record_of_another_gate", _("A record belongs to another gate or event; hand it over as that gate")
        )
    return record


def _locked(connection: Connection, gate: Row[Any], log_id: bytes) -> Row[Any]:
    """The log's row, ours until the end of the transaction."""
    key = {"event_id": gate.event_id, "gate_number": gate.number, "log_id": log_id}
    insert_missing(connection, GateLog, [{**key, "next": 0, "head": first_head(log_id)}])
    return connection.execute(select(GateLog).filter_by(**key).with_for_update()).one()


def _stored(connection: Connection, gate: Row[Any], handed: Handed, count: int) -> list[bytes]:
    query = select(GateRecord.payload).where(
        *_of(gate.event_id, gate.number, handed.log_id),
        GateRecord.number >= handed.start,
        GateRecord.number < handed.start + count,
    )
    return list(connection.scalars(query.order_by(GateRecord.number)))


def _store(
    connection: Connection,
    gate: Row[Any],
    log_id: bytes,
    first: int,
    head: bytes,
    fresh: Sequence[tuple[bytes, LogRecord]],
) -> None:
    if not fresh:
        return
    received = now_ms(connection)
    rows = [
        {
            "event_id": gate.event_id,
            "gate_number": gate.number,
            "log_id": log_id,
            "number": first + place,
            "admits": record.record_type is RecordType.ADMISSION,
            "token_id": record.token_id,
            "at_s": record.at,
            "payload": payload,
            "received_ms": received,
        }
        for place, (payload, record) in enumerate(fresh)
    ]
    connection.execute(insert(GateRecord), rows)
    for payload, _record in fresh:
        head = next_head(head, payload)
    ours = (GateLog.event_id == gate.event_id) & (GateLog.gate_number == gate.number) & (GateLog.log_id == log_id)
    connection.execute(update(GateLog).where(ours).values(next=first + len(fresh), head=head))


def _conflicts(
    connection: Connection, gate: Row[Any], log_id: bytes, records: Sequence[LogRecord]
) -> tuple[Conflict, ...]:
    """Other admissions of the tickets that these records admit."""
    tokens = {record.token_id for record in records if record.record_type is RecordType.ADMISSION}
    if not tokens:
        return ()
    query = select(GateRecord.token_id, GateRecord.gate_number, GateRecord.log_id, GateRecord.at_s).where(
        GateRecord.event_id == gate.event_id, GateRecord.admits, GateRecord.token_id.in_(tokens)
    )
    rows = connection.execute(query.order_by(GateRecord.token_id, GateRecord.received_ms))
    return tuple(
        Conflict(row.token_id, row.gate_number, row.at_s)
        for row in rows
        if (row.gate_number, row.log_id) != (gate.number, log_id)
    )


def _of(event_id: UUID, gate_number: int, log_id: bytes) -> tuple[Any, ...]:
    return (GateRecord.event_id == event_id, GateRecord.gate_number == gate_number, GateRecord.log_id == log_id)


def _forked() -> Refused:
    sentence = _("This log says something else than it did before: it was set back or copied. Set the gate up anew")
    return refuse("log_forked", sentence)

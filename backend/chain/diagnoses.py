"""Diagnoses as rows: opened when a trouble begins, closed when it has passed; status pages and people read them.

A recovery (*reorganised*, *rolled back*) has passed when everything lost is back, not when the node looks well.
"""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from backend.chain.diagnosis import Kind
from backend.db.clock import now_ms
from backend.db.tables.chain import ChainJob, Diagnosis

_log = logging.getLogger(__name__)

RECOVERIES = (Kind.REORGANISED, Kind.ROLLED_BACK)
NOT_BACK = ("queued", "signed", "sent")  # states of a job whose effect is not on the chain
_SENTENCES = {  # for the log; which endpoint it is stays out of it, because its address may hold a password
    Kind.UNREACHABLE: "no endpoint answers as a chain node does; sales go on and mints wait",
    Kind.BEHIND: "the node lacks blocks that we have seen; mints wait until it has them",
    Kind.REORGANISED: "the chain swapped its newest blocks for others; what was lost is sent again",
    Kind.ROLLED_BACK: "the node lost blocks beyond finality",
    Kind.WIPED: "the node serves another chain, or our contracts have no code or other code there; minting is stopped",
}


def changes(connection: Connection, kind: Kind) -> bool:
    """Whether `note` would write anything."""
    rows = open_rows(connection)
    opens = kind is not Kind.OK and all(row.kind != kind for row in rows)
    return opens or any(_has_passed(connection, row, kind) for row in rows)


def note(connection: Connection, chain: int | None, kind: Kind, detail: dict[str, Any], since_ms: int) -> None:
    """The node is `kind`, since that Unix millisecond: open that trouble if it is not, and close those that passed."""
    rows = open_rows(connection)
    for row in rows:
        if _has_passed(connection, row, kind):
            close(connection, row.id)
            _log.info("this trouble with the chain is over: %s", row.kind)
    if kind is not Kind.OK and all(row.kind != kind for row in rows):
        values = {"chain": chain, "kind": kind.value, "detail": detail, "opened_ms": since_ms}
        connection.execute(insert(Diagnosis).values(values))
        _log.warning("trouble with the chain (%s): %s", kind.value, _SENTENCES[kind])


def open_rows(connection: Connection, *kinds: Kind) -> Sequence[Row[Any]]:
    """Open troubles, oldest first, of these kinds or of any."""
    query = select(Diagnosis.__table__).where(Diagnosis.closed_ms.is_(None)).order_by(Diagnosis.id)
    if kinds:
        query = query.where(Diagnosis.kind.in_([kind.value for kind in kinds]))
    return connection.execute(query).all()


def add_detail(connection: Connection, kind: Kind, detail: dict[str, Any]) -> None:
    """Write down more about an open trouble; lists are added to, the rest is replaced."""
    for row in open_rows(connection, kind):
        merged = dict(row.detail)
        for name, value in detail.items():
            if isinstance(value, list):
                known = merged.get(name, [])
                merged[name] = known + [one for one in value if one not in known]
            else:
                merged[name] = value
        connection.execute(update(Diagnosis).where(Diagnosis.id == row.id).values(detail=merged))


def close(connection: Connection, diagnosis: int) -> None:
    """The trouble is over."""
    connection.execute(update(Diagnosis).where(Diagnosis.id == diagnosis).values(closed_ms=now_ms(connection)))


def _has_passed(connection: Connection, row: Row[Any], found: Kind) -> bool:
    """Whether an open trouble is over, given what the node is now."""
    if row.kind == found or found is Kind.UNREACHABLE:
        return False
    if row.kind not in RECOVERIES:
        return True
    return found is Kind.OK and _all_back(connection, row.detail)


def _all_back(connection: Connection, detail: dict[str, Any]) -> bool:
    jobs = detail.get("jobs", [])
    waiting = select(func.count()).where(ChainJob.id.in_(jobs), ChainJob.state.in_(NOT_BACK))
    return not connection.scalar(waiting)

"""The next serial and binding number of a ticket: one more than the last, and further after a restore (SPEC 4.3).

A restored database has forgotten what was given after its backup. A serial is never given twice, and a binding that was
used then is not to be used again, so the first number after a restore steps over all that can have been given: the rate
at which a ticket gets credentials bounds it.
"""

from typing import Any

from sqlalchemy import Connection, Row, func, select

from backend.credentials.limits import CREDENTIAL_WINDOW_SECONDS, MAX_CREDENTIALS_PER_TICKET
from backend.db.tables.credentials import Credential
from backend.db.tables.restores import Restore


def step_of(connection: Connection, ticket: Row[Any]) -> int:
    """1, or the step over what is forgotten, where nothing was issued since the restore."""
    last = select(Restore.at_ms, Restore.made_ms, Restore.done_ms).order_by(Restore.at_ms.desc()).limit(1)
    restore = connection.execute(last).one_or_none()
    if restore is None or (restore.done_ms is not None and ticket.sold_ms > restore.done_ms):
        return 1
    issued = select(func.max(Credential.issued_ms)).where(Credential.ticket_id == ticket.id)
    newest = connection.scalar(issued)
    if newest is not None and newest >= restore.at_ms:
        return 1
    return step_over(restore.at_ms - restore.made_ms)


def step_over(forgotten_ms: int) -> int:
    """More than a ticket can have been given in so many milliseconds; restoring the same again later steps further."""
    windows = max(0, forgotten_ms) // (1000 * CREDENTIAL_WINDOW_SECONDS) + 2
    return 1 + MAX_CREDENTIALS_PER_TICKET * windows

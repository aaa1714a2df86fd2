"""Events that were cancelled on the chain by whoever may, past us: nothing more of them can ever be minted (SPEC 8.4).

Their sale is paused as soon as the index hears of it, not only when that is final: a pause costs little, and a ticket
sold meanwhile could never be on the chain. What becomes of the sold ones is for a person to say, at the desk.
"""

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import Connection, and_, func, select, update

from backend.chain.logs import EVENT_CANCELLED, WORD, RawLog
from backend.db.tables.chain import Chain, ChainContract, ChainLog
from backend.db.tables.events import Event

_log = logging.getLogger(__name__)


def pause_cancelled(connection: Connection, logs: Mapping[UUID, Iterable[RawLog]]) -> None:
    """Pause the sales of events of whose cancellation these logs, by event, tell; within the index's transaction."""
    told = [event for event, some in logs.items() if any(log.topics[:WORD] == EVENT_CANCELLED for log in some)]
    if not told:
        return
    selling = Event.id.in_(told) & (Event.state == "on_sale")
    paused = update(Event).where(selling).values(state="paused").returning(Event.slug)
    for slug in connection.scalars(paused).all():
        what_to_do = "cancel it at the desk, which gives the money back"
        _log.warning("event %s was cancelled on the chain, so its sale is paused; %s", slug, what_to_do)


def is_cancelled(connection: Connection, event_id: UUID) -> bool:
    """Whether the chain that we follow has the event's cancellation, final or not."""
    at = and_(ChainContract.chain == ChainLog.chain, ChainContract.address == ChainLog.address)
    query = (
        select(ChainLog.block_number)
        .join(ChainContract, at)
        .join(Chain, Chain.id == ChainLog.chain)
        .where(ChainContract.event_id == event_id, ChainContract.kind == "event", Chain.state != "retired")
        .where(func.substr(ChainLog.topics, 1, WORD) == EVENT_CANCELLED)
    )
    return connection.scalar(query.limit(1)) is not None

"""Make the index anew: `truestub index rebuild` (SPEC 10.6).

From the raw logs we stored, or from nothing, by reading the chain again: then logs, transactions and blocks are taken
back to where we began to follow, and the next rounds of the worker fetch them. Either way in one transaction: nobody
ever sees half an index, and a worker that is in the middle of a run finds its cursor moved and starts again.
"""

from sqlalchemy import Connection, Engine, delete, func, select, update

from backend.chain.apply import derive
from backend.db.tables.chain import Chain, ChainBlock, ChainContract, ChainLog, ChainTransaction, Token


def derive_again(engine: Engine, chain: int) -> int:
    """Make every token from the stored logs; how many there are."""
    with engine.begin() as connection:
        cursor = _lock(connection, chain)
        connection.execute(delete(Token))
        events = (ChainContract.chain == chain) & (ChainContract.kind == "event")
        for address, event_id in connection.execute(
            select(ChainContract.address, ChainContract.event_id).where(events)
        ):
            if event_id is not None:
                derive(connection, chain, address, event_id, up_to=cursor)
        return connection.execute(select(func.count()).select_from(Token)).scalar_one()


def forget(engine: Engine, chain: int) -> int:
    """Forget what was indexed, so that the worker reads the chain again; the block it begins after."""
    with engine.begin() as connection:
        _lock(connection, chain)
        start = connection.execute(select(Chain.start_block).where(Chain.id == chain)).scalar_one()
        first = connection.execute(
            select(ChainBlock.hash).where(ChainBlock.chain == chain, ChainBlock.number == start)
        ).scalar_one()
        connection.execute(delete(Token))
        for table in (ChainLog, ChainTransaction):
            connection.execute(delete(table).where(table.chain == chain))
        connection.execute(delete(ChainBlock).where(ChainBlock.chain == chain, ChainBlock.number > start))
        values = {"cursor_number": start, "cursor_hash": first, "final_number": start}
        connection.execute(update(Chain).where(Chain.id == chain).values(values))
        return int(start)


def _lock(connection: Connection, chain: int) -> int:
    """Keep the indexer out until the transaction ends; the cursor's block."""
    query = select(Chain.cursor_number).where(Chain.id == chain).with_for_update()
    return connection.execute(query).scalar_one()

"""Events that the chain has and a restored database lacks: made after the backup, by our own account.

What such an event is called, costs and seats is in its file, not on the chain, and its id is the name of the signer's
key folder; so a person is told, with the contract's address, and nothing is guessed.
"""

from sqlalchemy import Connection, and_, select

from backend.chain.logs import EVENT_CREATED, WORD
from backend.db.tables.chain import ChainContract, ChainLog, ChainNonce


def unknown_events(connection: Connection) -> tuple[bytes, ...]:
    """The 20-byte addresses of contracts that our accounts made by our factories, and that no event of ours has."""
    at = and_(ChainContract.chain == ChainLog.chain, ChainContract.address == ChainLog.address)
    query = select(ChainLog.chain, ChainLog.topics).join(ChainContract, at).where(ChainContract.kind == "factory")
    ours = set(connection.scalars(select(ChainNonce.signer).distinct()))
    known = {(row.chain, row.address) for row in connection.execute(select(ChainContract.chain, ChainContract.address))}
    made = [
        (chain, topics[3 * WORD :][-20:])
        for chain, topics in connection.execute(query.order_by(ChainLog.block_number, ChainLog.log_index))
        if topics[:WORD] == EVENT_CREATED and topics[2 * WORD : 3 * WORD][-20:] in ours
    ]
    return tuple(address for chain, address in made if (chain, address) not in known)

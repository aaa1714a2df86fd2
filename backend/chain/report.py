"""What there is to say about the chain, for people and programs: nodes, index, queue, diagnoses."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from backend.chain.rpc import Call, Node, NodeError, one
from backend.db.tables.chain import Chain, ChainJob, ChainTransaction, Diagnosis, Token
from backend.sales.answers import rfc3339

NEWEST_DIAGNOSES = 20


def nodes_report(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Each endpoint and what it answers now; never with what is secret in its address."""
    return [_node(node) for node in nodes]


def chain_report(connection: Connection) -> dict[str, Any]:
    """What the database knows: the chain followed, jobs by state, the newest diagnoses, newest first."""
    chain = connection.execute(
        select(Chain.__table__).where(Chain.state != "retired").order_by(Chain.id.desc()).limit(1)
    ).one_or_none()
    jobs = connection.execute(
        select(ChainJob.kind, ChainJob.state, func.count()).group_by(ChainJob.kind, ChainJob.state)
    )
    transactions = select(func.count()).select_from(ChainTransaction)
    return {
        "chain": None if chain is None else _chain(chain),
        "transactions": connection.scalar(transactions),
        "jobs": [{"kind": kind, "state": state, "count": count} for kind, state, count in jobs],
        "diagnoses": [_diagnosis(row) for row in _newest(connection)],
    }


def tokens_above(connection: Connection, block: int) -> list[int]:
    """The tokens that were minted above a block."""
    return list(connection.scalars(select(Token.token_id).where(Token.minted_block > block).order_by(Token.token_id)))


def _node(node: Node) -> dict[str, Any]:
    try:
        answers = node.batch([Call("eth_chainId"), Call("eth_blockNumber"), Call("web3_clientVersion")])
        chain_id, block, client = (one(answer) for answer in answers)
    except NodeError as error:
        return {"node": node.name, "answers": False, "reason": getattr(error, "reason", str(error))}
    return {
        "node": node.name,
        "answers": True,
        "chain_id": int(chain_id, 16),
        "block": int(block, 16),
        "client": str(client)[:80],
    }


def _chain(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of chains
    return {
        "chain_id": row.chain_id,
        "genesis": "0x" + row.genesis_hash.hex(),
        "state": row.state,
        "block": row.cursor_number,
        "final_block": row.final_number,
        "seen_at": rfc3339(row.seen_ms),
    }


def _newest(connection: Connection) -> Sequence[Any]:
    return connection.execute(select(Diagnosis.__table__).order_by(Diagnosis.id.desc()).limit(NEWEST_DIAGNOSES)).all()


def _diagnosis(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of chain_diagnoses
    return {
        "kind": row.kind,
        "opened_at": rfc3339(row.opened_ms),
        "closed_at": rfc3339(row.closed_ms) if row.closed_ms is not None else None,
        "closed": row.closed_ms is not None,
        "detail": row.detail,
    }

"""Write what logs mean into `tokens`, and take it back: the index as a function of the stored logs (design 8).

Everything here runs inside the caller's transaction (T3), with the cursor. Applying a log twice is the caller's
mistake; it can't happen while cursor and tokens are committed together.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from backend.chain.logs import ADDRESS, Marked, Minted, MintedRun, RawLog, decode, tokens_of
from backend.db.models import ChainLog, Token

ROWS_AT_ONCE = 500  # logs read at a time when deriving anew: bounds memory


@dataclass(slots=True)
class _Delta:
    """What a run of logs does to one token. None leaves a column as it is."""

    minted_block: int | None = None
    owner: bytes | None = None
    moves: int = 0
    status: int | None = None
    changed_block: int = 0


def apply_logs(connection: Connection, event_id: UUID, logs: Iterable[RawLog]) -> int:
    """Apply the logs of one event's contract, in chain order; how many tokens changed."""
    return _write(connection, event_id, _fold(logs))


def take_back(connection: Connection, chain: int, address: bytes, event_id: UUID, ancestor: int) -> list[int]:
    """Undo everything above the block `ancestor`; the tokens that are gone. The logs above it are still stored."""
    mine = Token.event_id == event_id
    gone = list(connection.scalars(select(Token.token_id).where(mine, Token.minted_block > ancestor)))
    connection.execute(delete(Token).where(mine, Token.minted_block > ancestor))
    changed = set(connection.scalars(select(Token.token_id).where(mine, Token.changed_block > ancestor)))
    if changed:
        connection.execute(delete(Token).where(mine, Token.changed_block > ancestor))
        derive(connection, chain, address, event_id, up_to=ancestor, only=changed)
    return sorted(gone)


def derive(
    connection: Connection,
    chain: int,
    address: bytes,
    event_id: UUID,
    up_to: int,
    only: Collection[int] | None = None,
) -> int:
    """Make an event's tokens anew from the stored logs up to a block; `only` limits it to some tokens.

    The tokens in question must not be in the table. How many were written, each chunk of logs counted by itself.
    """
    written = 0
    for logs in _stored(connection, chain, address, up_to):
        deltas = _fold(logs)
        if only is not None:
            deltas = {token: delta for token, delta in deltas.items() if token in only}
        written += _write(connection, event_id, deltas)
    return written


def _write(connection: Connection, event_id: UUID, deltas: dict[int, _Delta]) -> int:
    _insert(connection, event_id, {token: delta for token, delta in deltas.items() if delta.minted_block is not None})
    _update(connection, event_id, {token: delta for token, delta in deltas.items() if delta.minted_block is None})
    return len(deltas)


def _fold(logs: Iterable[RawLog]) -> dict[int, _Delta]:
    deltas: dict[int, _Delta] = {}
    for log in logs:
        change = decode(log)
        if isinstance(change, MintedRun):
            block, owners = log.block_number, change.owners
            for place, token in enumerate(change.token_ids):
                owner = owners[ADDRESS * place : ADDRESS * (place + 1)]
                deltas[token] = _Delta(minted_block=block, owner=owner, changed_block=block)
            continue
        if change is None:
            continue
        for token in tokens_of(change):
            delta = deltas.setdefault(token, _Delta())
            delta.changed_block = log.block_number
            if isinstance(change, Marked):
                delta.status = change.status
                continue
            delta.owner = change.owner
            if isinstance(change, Minted):
                delta.minted_block, delta.moves = log.block_number, 0
            else:
                delta.moves += 1
    return deltas


_COLUMNS = ("token_id", "owner", "epoch", "status", "minted_block", "changed_block")
_KEPT = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:])
_INTO = f"INSERT INTO tokens (event_id, {', '.join(_COLUMNS)})"
_AGAIN = f"ON CONFLICT (event_id, token_id) DO UPDATE SET {_KEPT}"
_IN_SQLITE = f"{_INTO} VALUES (?, ?, ?, ?, ?, ?, ?) {_AGAIN}"
_ARRAYS = "%s::bigint[], %s::bytea[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[]"
_IN_POSTGRESQL = f"{_INTO} SELECT %s::uuid, new.* FROM unnest({_ARRAYS}) AS new {_AGAIN}"  # noqa: S608 - names of ours


def _insert(connection: Connection, event_id: UUID, deltas: dict[int, _Delta]) -> None:
    """By the driver's own means: a sale's tokens come by the ten thousand."""
    if not deltas:
        return
    rows = [
        (token, one.owner, one.moves, one.status or 0, one.minted_block, one.changed_block)
        for token, one in deltas.items()
    ]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_IN_SQLITE, [(event_id.hex, *row) for row in rows])
    else:
        connection.exec_driver_sql(_IN_POSTGRESQL, (event_id, *map(list, zip(*rows, strict=True))))


def _update(connection: Connection, event_id: UUID, deltas: dict[int, _Delta]) -> None:
    if not deltas:
        return
    tokens = cast(Table, Token.__table__)
    statement = (
        update(tokens)
        .where(tokens.c.event_id == event_id, tokens.c.token_id == bindparam("token"))
        .values(
            owner=func.coalesce(bindparam("new_owner"), tokens.c.owner),
            epoch=tokens.c.epoch + bindparam("moves"),
            status=func.coalesce(bindparam("new_status"), tokens.c.status),
            changed_block=bindparam("block"),
        )
    )
    rows = [
        {
            "token": token,
            "new_owner": delta.owner,
            "moves": delta.moves,
            "new_status": delta.status,
            "block": delta.changed_block,
        }
        for token, delta in deltas.items()
    ]
    connection.execute(statement, rows)


def _stored(connection: Connection, chain: int, address: bytes, up_to: int) -> Iterator[list[RawLog]]:
    """The stored logs of a contract in chain order, some thousand at a time."""
    block, index = -1, -1
    while True:
        query = (
            select(
                ChainLog.block_number,
                ChainLog.log_index,
                ChainLog.block_hash,
                ChainLog.tx_hash,
                ChainLog.address,
                ChainLog.topics,
                ChainLog.data,
                ChainLog.count,
            )
            .where(
                ChainLog.chain == chain,
                ChainLog.address == address,
                ChainLog.block_number <= up_to,
                (ChainLog.block_number > block) | ((ChainLog.block_number == block) & (ChainLog.log_index > index)),
            )
            .order_by(ChainLog.block_number, ChainLog.log_index)
            .limit(ROWS_AT_ONCE)
        )
        logs = [RawLog(*row) for row in connection.execute(query)]
        if not logs:
            return
        yield logs
        block, index = logs[-1].block_number, logs[-1].log_index

"""Write what logs mean into `tokens`, and take it back: the index as a function of the stored logs (design 8).

Everything here runs inside the caller's transaction (T3), with the cursor. Applying a log twice is the caller's
mistake; it can't happen while cursor and tokens are committed together.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import cast
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from backend.chain.logs import ADDRESS, Change, Marked, Minted, MintedRun, RawLog, decode, tokens_of
from backend.db.tables.chain import ChainLog, Token

ROWS_AT_ONCE = 500  # logs read at a time when deriving anew: bounds memory
RAW_LOG = tuple(getattr(ChainLog, one.name) for one in fields(RawLog))  # the columns that make a `RawLog`, in its order


@dataclass(slots=True)
class _Delta:
    """What a run of logs does to one token. None leaves a column as it is."""

    minted_block: int | None = None
    owner: bytes | None = None
    moves: int = 0
    status: int | None = None
    changed_block: int = 0


@dataclass(slots=True)
class _Changes:
    """What logs come to: whole mints, each with its block, and then what befell single tokens."""

    mints: list[tuple[int, MintedRun]] = field(default_factory=list)
    deltas: dict[int, _Delta] = field(default_factory=dict)


def apply_logs(connection: Connection, event_id: UUID, logs: Iterable[RawLog]) -> int:
    """Apply the logs of one event's contract, in chain order; how many changes were written."""
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
        changes = _fold(logs, only)
        written += _write(connection, event_id, changes)
    return written


def _write(connection: Connection, event_id: UUID, changes: _Changes) -> int:
    deltas = changes.deltas
    for block, run in changes.mints:
        _insert_run(connection, event_id, block, run)
    _insert(connection, event_id, {token: delta for token, delta in deltas.items() if delta.minted_block is not None})
    _update(connection, event_id, {token: delta for token, delta in deltas.items() if delta.minted_block is None})
    return sum(len(run.token_ids) for _block, run in changes.mints) + len(deltas)


def _fold(logs: Iterable[RawLog], only: Collection[int] | None = None) -> _Changes:
    """What the logs come to. Mints may be written first: a token's mint is the first that is heard of it."""
    found = _Changes()
    deltas = found.deltas
    for log in logs:
        change = decode(log)
        if isinstance(change, MintedRun) and only is None:
            found.mints.append((log.block_number, change))
            continue
        for token, owner in minted(change):
            deltas[token] = _Delta(minted_block=log.block_number, owner=owner, changed_block=log.block_number)
        if change is None or isinstance(change, Minted | MintedRun):
            continue
        for token in tokens_of(change):
            delta = deltas.setdefault(token, _Delta())
            delta.changed_block = log.block_number
            if isinstance(change, Marked):
                delta.status = change.status
            else:
                delta.owner = change.owner
                delta.moves += 1
    if only is not None:
        found.deltas = {token: delta for token, delta in deltas.items() if token in only}
    return found


def minted(change: Change | None) -> Iterator[tuple[int, bytes]]:
    """The tokens that came into being, with their owners."""
    match change:
        case Minted():
            yield change.token_id, change.owner
        case MintedRun():
            for place, token in enumerate(change.token_ids):
                yield token, change.owners[ADDRESS * place : ADDRESS * (place + 1)]


_COLUMNS = ("token_id", "owner", "epoch", "status", "minted_block", "changed_block")
_KEPT = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:])
_INTO = f"INSERT INTO tokens (event_id, {', '.join(_COLUMNS)})"
_AGAIN = f"ON CONFLICT (event_id, token_id) DO UPDATE SET {_KEPT}"
_IN_SQLITE = f"{_INTO} VALUES (?, ?, ?, ?, ?, ?, ?) {_AGAIN}"
_ARRAYS = "%s::bigint[], %s::bytea[], %s::bigint[], %s::int[], %s::bigint[], %s::bigint[]"
_IN_POSTGRESQL = f"{_INTO} SELECT %s::uuid, new.* FROM unnest({_ARRAYS}) AS new {_AGAIN}"  # noqa: S608 - names of ours
_PLACES = "WITH RECURSIVE places (at) AS (VALUES (0) UNION ALL SELECT at + 1 FROM places WHERE at + 1 < :count)"
_OWNER = f"substr(:owners, {ADDRESS} * at + 1, {ADDRESS})"
_RUN_IN_SQLITE = (
    f"{_PLACES} {_INTO} SELECT :event_id, :first + at, {_OWNER}, 0, 0, :block, :block "  # noqa: S608 - names of ours
    f"FROM places WHERE true {_AGAIN}"
)
_RUN_IN_POSTGRESQL = (
    f"{_INTO} SELECT %(event_id)s::uuid, %(first)s::bigint + at, "  # noqa: S608 - names of ours
    f"substr(%(owners)s::bytea, {ADDRESS} * at + 1, {ADDRESS}), 0, 0, %(block)s::bigint, %(block)s::bigint "
    f"FROM generate_series(0, %(count)s::int - 1) AS at {_AGAIN}"
)


def _insert_run(connection: Connection, event_id: UUID, block: int, run: MintedRun) -> None:
    """A mint by one statement, in which the database takes the owners apart: no object for each of a million tokens.

    While SQLite is at it, Python is free to read the next logs.
    """
    values = {"first": run.first, "owners": run.owners, "block": block, "count": len(run.token_ids)}
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_RUN_IN_SQLITE, {"event_id": event_id.hex, **values})
    else:
        connection.exec_driver_sql(_RUN_IN_POSTGRESQL, {"event_id": event_id, **values})


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
            select(*RAW_LOG)
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

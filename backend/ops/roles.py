"""Whether our accounts have their roles in the contracts of events on sale: asked of the chain, changes nothing."""

from collections.abc import Iterator

from eth_hash.auto import keccak
from sqlalchemy import Engine, Row, select

from backend.chain.deploy import GATE, ISSUER, PAUSER, RELAYER, SETTLER
from backend.chain.follow import current_chain
from backend.chain.keys import ChainKeys
from backend.chain.rpc import Call, Node, one
from backend.db.engine import read
from backend.db.tables.chain import ChainContract
from backend.db.tables.events import Event

MAX_CONTRACTS = 200  # the newest; more would make an operator wait
NAMES = {ISSUER: "issuer", RELAYER: "relayer", GATE: "gate", PAUSER: "pauser", SETTLER: "settler"}
_ROLES_OF = keccak(b"rolesOf(address)")[:4]  # SPEC 8.4


def missing_roles(engine: Engine, node: Node, keys: ChainKeys) -> Iterator[str]:
    """`event: role of account` for each role that is not there. Raises `NodeError`."""
    contracts = _contracts(engine)
    accounts = {keys.issuer.address: ISSUER, keys.operator.address: RELAYER | GATE | PAUSER | SETTLER}
    asked = [(row, account, wanted) for row in contracts for account, wanted in accounts.items()]
    calls = [_call(row.address, account) for row, account, _wanted in asked]
    for (row, account, wanted), answer in zip(asked, node.batch(calls) if calls else [], strict=True):
        held = int(one(answer), 16)
        for role in (role for role in NAMES if wanted & ~held & role):
            yield f"{row.slug}: {NAMES[role]} of 0x{account.hex()}"


def _call(contract: bytes, account: bytes) -> Call:
    data = _ROLES_OF + bytes(12) + account
    return Call("eth_call", ({"to": f"0x{contract.hex()}", "data": f"0x{data.hex()}"}, "latest"))


def _contracts(engine: Engine) -> list[Row[tuple[bytes, str]]]:
    chain = current_chain(engine)
    if chain is None:
        return []
    query = (
        select(ChainContract.address, Event.slug)
        .join(Event, Event.id == ChainContract.event_id)
        .where(ChainContract.chain == chain.id, ChainContract.kind == "event", Event.state == "on_sale")
        .where(ChainContract.block_number.is_not(None))
        .order_by(ChainContract.block_number.desc())
    )
    with read(engine) as connection:
        return list(connection.execute(query.limit(MAX_CONTRACTS)))

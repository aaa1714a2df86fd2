"""Our contracts: deployed once for each chain instance, an event's made by the factory; jobs completed for signing.

A job is written when something is decided; addresses are known only once a nonce of a certain chain is allotted. Then
`Completion.complete` fills in what the job lacks and writes down where the contract will be, so that the indexer looks
there from its first block on. The code's hash is pinned when it was seen: an address alone proves nothing (design 8).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from backend.chain import abi
from backend.chain.addresses import clone_address, clone_code, created_address, event_hash
from backend.chain.jobs import NewJob, enqueue
from backend.chain.key_jobs import KEY_JOBS
from backend.chain.market import MARKET_JOBS, job_market
from backend.db.tables.chain import ChainContract, ChainJob, ChainNonce
from backend.db.tables.chain_money import ChainPrice
from backend.db.tables.classes import ClassOnChain
from backend.db.tables.events import Event, Platform, Stock, TicketClass
from backend.db.upsert import insert_missing
from backend.domain.event_file import POLICIES
from contracts import load_artifact

DEPLOY_GAS = 10_000_000  # the largest contract takes about six million
GRACE_SECONDS = 3600  # after an event's freeze, for moves that were queued before it
REGISTRY_DELAY_SECONDS = 86_400  # between the announcement of a key and its force (SPEC 8.10)

ISSUER, RELAYER, GATE, PAUSER, SETTLER = 1, 2, 4, 16, 32  # role bits (SPEC 8.4)
NOBODY = bytes(20)

# Kind of contract -> artifact and what its constructor takes: the address of a kind or of a role, or a number.
PLAN: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "renderer": ("MetadataRenderer", ()),
    "market": ("TicketMarket", ()),
    "implementation": ("EventTickets", ("market", "renderer")),
    "factory": ("EventFactory", ("implementation",)),
    "registry": ("KeyRegistry", ("admin", "operator", "operator", REGISTRY_DELAY_SECONDS)),
}


@dataclass(frozen=True, slots=True)
class Roster:
    """The addresses that get roles in an event's contract (SPEC 8.4)."""

    issuer: bytes
    operator: bytes
    admin: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """The place in the chain that a job is about to get."""

    chain: int  # row of `chains`
    signer: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class ChainToken:
    """What stands for a currency on the chain. `token` zero: the native coin; units for one minor unit."""

    token: bytes
    units_per_minor: int


class Completion:
    """Completes jobs for signing."""

    def __init__(self, roster: Roster, tokens: Mapping[str, ChainToken] | None = None) -> None:
        """`tokens`: by currency, what events are paid with on the chain; none: they are not."""
        self._roster, self._tokens = roster, tokens or {}

    def complete(self, connection: Connection, slot: Slot, job: Row[Any]) -> tuple[bytes | None, bytes] | None:
        """To whom and what, for this job in this slot; None while it can't be said yet."""
        match job.kind:
            case "deploy":
                return self._deployment(connection, slot, job)
            case "create_event":
                return self._event(connection, slot, job)
            case _:
                address = target_of(connection, slot.chain, job)
                return None if address is None else (address, job.calldata)

    def _deployment(self, connection: Connection, slot: Slot, job: Row[Any]) -> tuple[None, bytes] | None:
        kind = job.key.split(":")[1]
        name, wanted = PLAN[kind]
        arguments = [self._argument(connection, slot.chain, one) for one in wanted]
        if None in arguments:
            return None
        _expect(connection, slot.chain, created_address(slot.signer, slot.nonce), kind)
        return None, abi.creation(name, *arguments)

    def _argument(self, connection: Connection, chain: int, wanted: str | int) -> bytes | int | None:
        if isinstance(wanted, int):
            return wanted
        if wanted in PLAN:
            return deployed_address(connection, chain, wanted)
        return bytes(getattr(self._roster, wanted))

    def _event(self, connection: Connection, slot: Slot, job: Row[Any]) -> tuple[bytes, bytes] | None:
        factory = deployed_address(connection, slot.chain, "factory")
        implementation = deployed_address(connection, slot.chain, "implementation")
        event = connection.execute(select(Event.__table__).where(Event.id == job.event_id)).one()
        platform = connection.execute(select(Platform.platform_id)).scalar_one()
        if factory is None or implementation is None or event.custody_address is None:
            return None
        name = event_hash(platform, event.id)
        code = clone_code(implementation, event.custody_address, name)
        _expect(connection, slot.chain, clone_address(factory, slot.signer, name, code), "event", event.id)
        token = self._tokens.get(event.currency)
        _keep_price(connection, event.id, token)
        connection.execute(update(Event).where(Event.id == event.id).values(chain_freeze_ms=event.freeze_ms))
        return factory, abi.call("EventFactory", "createEvent", _config(connection, event, name, self._roster, token))


def enqueue_deployments(connection: Connection) -> None:
    """Ask for the contracts that every event needs; asking again for the same code changes nothing."""
    parent = None
    for kind, (name, _arguments) in PLAN.items():
        key = f"deploy:{kind}:{load_artifact(name).input_sha256[:16]}"
        parent = enqueue(connection, NewJob("deploy", key, None, DEPLOY_GAS, depends_on=parent))


def deployed_address(connection: Connection, chain: int, kind: str) -> bytes | None:
    """Where the newest contract of this kind is, or will be once its signed transaction is mined."""
    row = connection.execute(
        select(ChainNonce.signer, func.max(ChainNonce.nonce).label("nonce"))
        .join(ChainJob, ChainJob.id == ChainNonce.job_id)
        .where(ChainNonce.chain == chain, ChainJob.kind == "deploy", ChainJob.key.startswith(f"deploy:{kind}:"))
        .group_by(ChainNonce.signer, ChainJob.id)
        .order_by(ChainJob.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else created_address(row.signer, row.nonce)


def event_address(connection: Connection, chain: int, event_id: UUID) -> bytes | None:
    """Where the event's contract is, or will be once its signed transaction is mined."""
    mine = (ChainContract.chain == chain) & (ChainContract.event_id == event_id) & (ChainContract.kind == "event")
    return connection.scalar(select(ChainContract.address).where(mine))


def target_of(connection: Connection, chain: int, job: Row[Any]) -> bytes | None:
    """The contract that a job calls, where it is or will be."""
    if job.kind in KEY_JOBS:
        return deployed_address(connection, chain, "registry")
    if job.kind in MARKET_JOBS:
        mine = (ChainContract.chain == chain) & (ChainContract.address == job_market(job.key))
        return connection.scalar(select(ChainContract.address).where(mine))
    return event_address(connection, chain, job.event_id)


def matches_artifact(kind: str, code: bytes) -> bool:
    """Whether `code` is what the compiler made of the contract, immutables (zero in the artifact) aside."""
    expected = bytes.fromhex(load_artifact(PLAN[kind][0]).deployed_bytecode[2:])
    return len(code) == len(expected) and all(ours in (0, theirs) for ours, theirs in zip(expected, code, strict=True))


def is_our_code(connection: Connection, chain: int, contract: Row[Any], code: bytes) -> bool:
    """Whether `code` is what we deploy as this contract (a row of `chain_contracts`)."""
    if contract.kind in PLAN:
        return matches_artifact(contract.kind, code)
    custody = connection.scalar(select(Event.custody_address).where(Event.id == contract.event_id)) or b""
    platform = connection.execute(select(Platform.platform_id)).scalar_one()
    ours = (ChainContract.chain == chain) & (ChainContract.kind == "implementation")
    implementations = connection.scalars(select(ChainContract.address).where(ours))
    name = event_hash(platform, contract.event_id)
    return any(code == clone_code(implementation, custody, name) for implementation in implementations)


def _expect(connection: Connection, chain: int, address: bytes, kind: str, event_id: UUID | None = None) -> None:
    row = {"chain": chain, "address": address, "kind": kind, "event_id": event_id}
    insert_missing(connection, ChainContract, [row])


def _keep_price(connection: Connection, event_id: UUID, token: ChainToken | None) -> None:
    """What is about to be written into the event's contract for good: shops ask for just that."""
    connection.execute(delete(ChainPrice).where(ChainPrice.event_id == event_id))
    if token is not None:
        row = {"event_id": event_id, "token": token.token, "units_per_minor": token.units_per_minor}
        connection.execute(insert(ChainPrice).values(row))


def _config(
    connection: Connection, event: Row[Any], name: bytes, roster: Roster, token: ChainToken | None
) -> tuple[object, ...]:
    """The event as `EventConfig` has it."""
    rows = connection.execute(
        select(
            TicketClass.__table__,
            func.coalesce(ClassOnChain.price_minor, TicketClass.price_minor).label("price"),
            func.coalesce(ClassOnChain.capacity, Stock.capacity).label("capacity"),
        )
        .join(Stock, (Stock.event_id == TicketClass.event_id) & (Stock.class_number == TicketClass.number))
        .outerjoin(
            ClassOnChain,
            (ClassOnChain.event_id == TicketClass.event_id) & (ClassOnChain.class_number == TicketClass.number),
        )
        .where(TicketClass.event_id == event.id)
        .order_by(TicketClass.number)
    )
    closes = event.freeze_ms // 1000
    classes = [
        (
            _at_most(row.name, 31),
            row.capacity,
            row.price,
            row.resale_cap_bps,
            row.royalty_bps,
            *(0, closes, POLICIES.index(row.policy), 0),
            *(token.token if token else NOBODY, token.units_per_minor if token else 0, event.currency.encode()),
        )
        for row in rows
    ]
    roles = [(roster.issuer, ISSUER), (roster.operator, RELAYER | GATE | PAUSER | SETTLER)]
    return (
        *(name, roster.admin, event.custody_address, roster.admin, GRACE_SECONDS),
        *(event.name, "TICKET", event.venue, roles, classes),
    )


def _at_most(text: str, size: int) -> str:
    """The text, cut between characters so that its UTF-8 has at most `size` bytes."""
    return text.encode()[:size].decode(errors="ignore")

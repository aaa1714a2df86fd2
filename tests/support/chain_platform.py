"""A follower and both relayers with one lease, as the worker has them, turned by hand: for the chain's tests."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, insert, select, update

from backend.chain.batcher import close_batches
from backend.chain.deploy import Completion, Roster, enqueue_deployments
from backend.chain.diagnosis import Kind
from backend.chain.follow import Follower, current_chain
from backend.chain.jobs import enqueue_create_event
from backend.chain.keys import DEVELOPMENT_KEYS, Fees, RelayerKey
from backend.chain.leases import HeldLease, take
from backend.chain.relayer import ISSUED, OPERATED, Relayer
from backend.chain.rpc import Node
from backend.db.engine import make_engine
from backend.db.migrate import upgrade
from backend.db.tables.chain import ChainAttempt, ChainContract, ChainJob, Token
from backend.db.tables.chain import Diagnosis as DiagnosisRow
from backend.db.tables.events import Platform, TicketClass
from tests.support.chain_node import ChainNode
from tests.support.checker import check_chain
from tests.support.installation import wait_until
from tests.support.rows import add_event, add_paid_tickets

ISSUER, OPERATOR, ADMIN = (RelayerKey(DEVELOPMENT_KEYS[role]) for role in ("issuer", "operator", "admin"))
FINALITY = 2
completion = Completion(Roster(ISSUER.address, OPERATOR.address, ADMIN.address))


@dataclass
class ChainPlatform:
    """An event with its contract on the chain, and a worker's chain task in the test's hand."""

    engine: Engine
    anvil: ChainNode
    event_id: UUID
    held: HeldLease
    follower: Follower
    node: Node

    def round(self) -> Kind:
        """One turn of the worker."""
        close_batches(self.engine, 0)
        found = self.follower.follow([self.node], self.held).diagnosis.kind
        chain = current_chain(self.engine)
        if found is Kind.OK and chain is not None:
            for key, kinds in ((ISSUER, ISSUED), (OPERATOR, OPERATED)):
                Relayer(self.engine, self.node, key, chain.id, completion.complete, kinds).step(self.held)
        return found

    def until(self, ready: Callable[[], object], what: str) -> None:
        def turn() -> object:
            self.anvil.mine()  # faster than the node's own beat
            self.round()
            return ready()

        wait_until(turn, what, seconds=180)  # jobs that failed are put off for a while before they are tried again

    def sell(self, count: int, owner: int = 1) -> None:
        with self.engine.begin() as connection:
            add_paid_tickets(connection, self.event_id, [owner.to_bytes(20)] * count)

    def send(self, key: RelayerKey, calldata: bytes, kind: str = "event", gas: int = 400_000) -> bytes:
        """Call our contract past the outbox, as an operator or anybody could; mined at once. The hash."""
        with self.engine.connect() as connection:
            to = connection.scalars(select(ChainContract.address).where(ChainContract.kind == kind)).one()
        nonce = int(self.anvil.call("eth_getTransactionCount", "0x" + key.address.hex(), "pending"), 16)
        made = key.sign(31337, nonce, Fees(3 * 10**9, 10**9), gas, to, calldata)
        self.anvil.call("eth_sendRawTransaction", "0x" + made.raw.hex())
        self.anvil.mine()
        return made.hash

    def minted(self) -> int:
        with self.engine.connect() as connection:
            return len(connection.execute(select(Token.token_id)).all())

    def diagnoses(self) -> list[tuple[str, bool]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(DiagnosisRow.kind, DiagnosisRow.closed_ms).order_by(DiagnosisRow.id))
            return [(kind, closed is not None) for kind, closed in rows]

    def hashes(self) -> set[bytes]:
        with self.engine.connect() as connection:
            return set(connection.scalars(select(ChainAttempt.hash)))

    def agrees(self) -> None:
        """Once all is quiet: every paid ticket one token, and index equal to chain."""
        found = check_chain(self.engine, self.anvil.url)
        assert found.problems == []


def start_platform(
    engine: Engine, anvil: ChainNode, capacities: tuple[int, ...] = (5000,), policy: str = "market_only"
) -> ChainPlatform:
    """Make the event, with classes of this policy, and wait for its contract."""
    with engine.begin() as connection:
        connection.execute(insert(Platform).values(id=1, platform_id=bytes(range(16)), created_ms=0))
        event_id = add_event(connection, capacities)
        connection.execute(update(TicketClass).values(policy=policy))
        enqueue_deployments(connection)
        enqueue_create_event(connection, event_id)
    held = take(engine, "chain", "test", seconds=600)
    assert held
    made = ChainPlatform(engine, anvil, event_id, held, Follower(engine, 31337, FINALITY, True), anvil.node)
    made.until(lambda: final(engine, "create_event"), "the contracts")
    return made


def deploy_anew(anvil: ChainNode, database: Path) -> None:
    """Another platform with the same keys deploys on this node: our contracts, at the addresses that ours have."""
    engine = make_engine(f"sqlite:///{database}")
    upgrade(engine)
    try:
        start_platform(engine, anvil)
    finally:
        engine.dispose()


def final(engine: Engine, kind: str) -> bool:
    """Whether a job of this kind is final."""
    with engine.connect() as connection:
        return "final" in list(connection.scalars(select(ChainJob.state).where(ChainJob.kind == kind)))

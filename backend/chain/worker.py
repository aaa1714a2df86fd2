"""The chain's part of a worker: one round looks at the node, follows it, and relays what is queued."""

from collections.abc import Sequence

from sqlalchemy import Engine

from backend.chain.deploy import Completion, Roster, enqueue_deployments
from backend.chain.diagnosis import Kind
from backend.chain.follow import Follower, current_chain
from backend.chain.keys import ChainKeys
from backend.chain.leases import HeldLease
from backend.chain.relayer import Relayer
from backend.chain.rpc import Node
from backend.settings import Settings


class ChainWorker:
    """Follows and relays through the first endpoint that is fit for it. For one thread at a time."""

    def __init__(self, engine: Engine, settings: Settings, nodes: Sequence[Node], keys: ChainKeys) -> None:
        self._engine, self._nodes, self._keys, self._settings = engine, nodes, keys, settings
        self._complete = Completion(Roster(keys.issuer.address, keys.operator.address, keys.admin.address)).complete
        self._follower = Follower(
            engine, settings.chain_id, settings.finality_blocks, rewinds_by_itself=settings.development_chain
        )
        self._asked_for_contracts = False

    def round(self, held: HeldLease) -> int:
        """Do what there is to do; how much that was."""
        if not self._asked_for_contracts:
            with self._engine.begin() as connection:
                enqueue_deployments(connection)
            self._asked_for_contracts = True
        for node in self._nodes:
            found = self._follower.follow(node, held)
            if found.diagnosis.kind is Kind.UNREACHABLE:
                continue
            if found.diagnosis.kind is not Kind.OK:
                return found.blocks
            return found.blocks + self._relay(node, held)
        return 0

    def _relay(self, node: Node, held: HeldLease) -> int:
        chain = current_chain(self._engine, self._settings.chain_id)
        if chain is None:
            return 0
        progress = Relayer(self._engine, node, self._keys.issuer, chain, self._complete).step(held)
        return progress.signed + progress.sent

"""The chain's part of a worker: one round looks at the node, follows it, and relays what is queued."""

from collections.abc import Sequence

from sqlalchemy import Engine

from backend.chain.deploy import ChainToken, Completion, Roster, enqueue_deployments
from backend.chain.follow import Follower, current_chain
from backend.chain.keys import ChainKeys
from backend.chain.leases import HeldLease
from backend.chain.relayer import ISSUED, OPERATED, Relayer
from backend.chain.rpc import Node
from backend.settings import Settings


class ChainWorker:
    """Follows and relays through the endpoint that is fit for it. For one thread at a time."""

    def __init__(self, engine: Engine, settings: Settings, nodes: Sequence[Node], keys: ChainKeys) -> None:
        self._engine, self._nodes, self._keys, self._settings = engine, nodes, keys, settings
        roster = Roster(keys.issuer.address, keys.operator.address, keys.admin.address)
        tokens = {one.currency: ChainToken(one.token, one.units_per_minor) for one in settings.chain_tokens}
        self._complete = Completion(roster, tokens).complete
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
        found = self._follower.follow(self._nodes, held)
        done = found.blocks
        chain = current_chain(self._engine)
        if found.node is not None and chain is not None:
            for key, kinds in ((self._keys.issuer, ISSUED), (self._keys.operator, OPERATED)):
                progress = Relayer(self._engine, found.node, key, chain.id, self._complete, kinds).step(held)
                done += progress.signed + progress.sent
        return done

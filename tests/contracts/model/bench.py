"""The contracts and their models side by side, driven by Hypothesis.

Every rule does the same to both: they must agree on whether it works, on the error's name if it doesn't, on the events'
names if it does, and afterwards on every view.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.contracts import world
from tests.contracts.compiled import Compiled, hostile
from tests.contracts.model.market import Market, Signed
from tests.contracts.model.refusal import Refusal
from tests.contracts.model.registry import Registry
from tests.contracts.model.tickets import Clock, Kind, Tickets
from tests.contracts.model.views import Views
from tests.contracts.signing import Signer
from tests.contracts.world import DAY, ZERO, Class
from tests.support.evm import START, Contract, Receipt, Reverted, RevmChain, account

ANNA, BEN, CARA, DORA = (Signer(name) for name in ("anna", "ben", "cara", "dora"))
WORKERS = {
    "admin": world.ADMIN,
    "issuer": world.ISSUER_KEY,
    "relayer": world.RELAYER_KEY,
    "gate": world.GATE_KEY,
    "pauser": world.PAUSER_KEY,
    "settler": world.SETTLER_KEY,
    "keys": account("keys"),
}
COINS = 10**9  # what everybody has at the start
OPENS, CLOSES, GRACE = START + 2 * DAY, START + 20 * DAY, DAY

ONCE, FREE, UNKNOWN = 4, 5, 6  # classes

few = st.integers(0, 2**16)
seldom = st.sampled_from([False] * 7 + [True])

# Storage that no contract uses, where a build with planted faults looks up which of them is on (mutants.py).
MUTANT_SLOT = int.from_bytes(b"truestub test mutant")


class Bench(RuleBasedStateMachine):
    artifacts: dict[str, Compiled] | None = None  # instead of those that are committed
    mutant = 0

    @initialize()
    def deploy(self) -> None:
        self.chain = RevmChain(code_limit=2**20)
        self.platform = world.deploy_platform(self.chain, self.artifacts)
        self.market = self.platform.market
        coin = self.chain.deploy("", 0, artifact=hostile("Token"))
        wallet = self.chain.deploy("", DORA.address, 0, artifact=hostile("Wallet1271"))
        mute = self.chain.deploy("", artifact=hostile("Mute"))
        # Who signs for an address: itself, or the key behind an ERC-1271 wallet.
        self.signers = {who.address: who for who in (ANNA, BEN, CARA, world.CUSTODY_SIGNER)} | {wallet.address: DORA}
        self.people = (ANNA.address, BEN.address, CARA.address, wallet.address, mute.address, world.CUSTODY)
        self.wallet, self.mute = wallet, mute
        classes = [
            Class(label="market only", capacity=12, opens=0, closes=CLOSES),
            Class(label="open", policy=world.OPEN, capacity=9, opens=OPENS, closes=CLOSES + DAY, max_moves=2),
            Class(
                label="coin", capacity=6, closes=CLOSES, payment_token=coin.address, units_per_minor=7, royalty_bps=999
            ),
            Class(label="offline", policy=world.FROZEN, capacity=4, units_per_minor=0, face_value=1_001, cap_bps=9_999),
            Class(label="once", policy=world.OPEN, capacity=12, opens=0, closes=CLOSES, max_moves=1),
            Class(label="free", policy=world.OPEN, capacity=40, opens=0, closes=2**40 - 1),
        ]
        clock = Clock(START)
        config = world.event_config(*classes, grace_seconds=GRACE)
        receipt = self.platform.factory.send(world.DEPLOYER, "createEvent", config)
        address = receipt.named("EventCreated")[0]["tickets"]
        self.tickets = self.chain.at(address, self.platform.implementation.abi)
        artifact = (self.artifacts or {}).get("KeyRegistry")
        keys = (world.ADMIN, WORKERS["keys"], world.RELAYER_KEY, DAY)
        self.registry = self.chain.deploy("KeyRegistry", *keys, artifact=artifact)
        for contract in (self.tickets, self.market, self.registry):
            self.chain.evm.insert_account_storage(contract.address, MUTANT_SLOT, self.mutant)

        kinds = [Kind(one, one.capacity, one.opens, one.closes, one.policy) for one in classes]
        roles = dict(world.WORKING_ROLES)
        self.model = Tickets(
            clock, world.ADMIN, roles, custody=world.CUSTODY, payee=world.PAYEE, grace=GRACE, kinds=kinds
        )
        self.sales = Market(self.model)
        known = {WORKERS["keys"]: world.KEYS, world.RELAYER_KEY: world.RELAYER}
        self.list = Registry(clock, world.ADMIN, known, delay=DAY)
        self.coin = coin
        for who in map(self.actor, range(len(self.people))):
            self.chain.fund(who, 10**30)
            self.send(coin, who, "approve", self.market.address, 2**256 - 1, value=0)
            coin.send(world.DEPLOYER, "give", who, COINS)
            self.sales.coins[who] = self.sales.coins.get(who, 0) + COINS
        self.asks: list[Signed] = []
        self.moves: list[tuple[Any, ...]] = []
        models = (self.model, self.sales, self.list)
        for class_, number in ((0, 1), (1, 2), (FREE, 3), (ONCE, 4)):
            owners = sorted([*self.people, *self.people[: 5 if class_ == FREE else 2]])
            self.model.mint(world.ISSUER_KEY, number, class_, owners)
            self.tickets.send(world.ISSUER_KEY, "mint", number, class_, world.pack(owners))
        kept = owners.index(world.CUSTODY)
        self.focus = [1 << 16, 1 << 16 | 3, 2 << 16 | 1, 3 << 16, 3 << 16 | 2, 4 << 16 | (kept == 0), 4 << 16 | kept]
        contracts = (self.tickets, self.market, self.registry, coin)
        self.views = Views(self.chain, contracts, models, self.people, tuple(WORKERS.values()))

    @invariant()
    def every_view_agrees(self) -> None:
        if hasattr(self, "views"):
            self.views.compare()

    def both(
        self,
        model: Callable[[], list[str]],
        contract: Contract,
        caller: str,
        call: str,
        *arguments: Any,
        value: int = 0,
    ) -> None:
        """The same to both, with the same outcome."""
        try:
            expected: list[str] | str = model()
        except Refusal as refusal:
            expected = str(refusal)
        try:
            receipt = self.send(contract, caller, call, *arguments, value=value)
        except Reverted as reverted:
            found: list[str] | str = reverted.name
        else:
            found = [event.name for event in receipt.events if event.address.lower() != self.coin.address]
        assert found == expected, f"{call}{arguments} by {caller}: {found}, but the model says {expected}"

    def send(self, contract: Contract, caller: str, call: str, *arguments: Any, value: int) -> Receipt:
        if caller != self.wallet.address:
            return contract.send(caller, call, *arguments, value=value)
        data = contract.encode(call, *arguments)
        self.chain.fund(DORA.address, value)
        return self.wallet.send(DORA.address, "act", contract.address, data, value=value)

    def wait_until(self, time: int) -> None:
        self.chain.set_time(time)
        self.model.clock.now = self.chain.now

    # ---- drawing

    def person(self, pick: int) -> str:
        return self.people[pick % len(self.people)]

    def actor(self, pick: int) -> str:
        """A person who can send something: the mute contract can't."""
        return self.able(self.person(pick))

    def able(self, who: str) -> str:
        return who if who != self.mute.address else ANNA.address

    def worker(self, role: str, wrong: bool, pick: int) -> str:
        return self.able([*WORKERS.values(), *self.people][pick % 13]) if wrong else WORKERS[role]

    def some_token(self, pick: int, missing: bool = False) -> int:
        """Mostly one of a few, so that what happens to a ticket builds up."""
        if missing:
            return 77 << 16 | 3
        ids = sorted(self.model.tokens)
        return self.focus[pick // 4 % len(self.focus)] if pick % 4 else ids[pick // 4 % len(ids)]

    def somebody(self, token_id: int, as_: int, by: int) -> str:
        """The ticket's holder, or whom it is approved to, or anybody."""
        token = self.model.tokens.get(token_id)
        if as_ == 0 and token:
            return self.able(token.owner)
        if as_ == 1 and token and token.approved != ZERO:
            return self.able(token.approved)
        return self.actor(by)

    def owner(self, token_id: int) -> str:
        return self.model.tokens[token_id].owner if token_id in self.model.tokens else ANNA.address

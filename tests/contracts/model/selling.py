"""Rules: asks, fills, settlements, orders, withdrawals."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.contracts import world
from tests.contracts.model.bench import BEN, UNKNOWN, WORKERS, Bench, few, seldom
from tests.contracts.model.market import REFUNDED, RELEASED, Signed
from tests.contracts.signing import Ask
from tests.contracts.world import DAY, ZERO

SALTS = [b"\1" * 32, b"\2" * 32]
# Whether on top of the cap, and minor units.
PRICES = [(True, 0), (True, 1), (True, -1), (True, 0), (False, 0), (False, 900), (False, 2**41)]

ODD = [0, 0, 0, 0, 1, 2, 3, 3, 4, 4, 5]  # see `Selling.ask`
AMOUNTS, DIFFERENCES = [0, 1, 5_000, 2**40], [0] * 6 + [1, -1]


class Selling(Bench):
    @rule(pick=few, price=st.sampled_from(PRICES), odd=st.sampled_from(ODD), then=st.integers(0, 3), to=few, by=few)
    def ask(self, pick: int, price: tuple[bool, int], odd: int, then: int, to: int, by: int) -> None:
        """An ask, often filled or settled at once, the latter now and then by somebody who may not.

        `odd`: 1 for one buyer, 2 forged, 3 for another epoch, 4 without consent, 5 with another counter.
        """
        token_id = self.some_token(pick)
        token = self.model.tokens[token_id]
        relative, amount = price
        ask = Ask(
            self.tickets.address,
            token_id,
            (token.epoch - 1 if token.epoch and pick & 8 else token.epoch + 1) if odd == 3 else token.epoch,
            max(0, amount + relative * self.model.kinds[token.class_].cap),
            buyer=self.person(pick >> 3) if odd == 1 else ZERO,
            deadline=self.model.clock.now + pick % 3 * DAY,
            counter=self.sales.counters.get(token.owner, 0) + (odd == 5),
        )
        signer = BEN.address if odd == 2 or token.owner not in self.signers else token.owner
        signed = Signed(ask, signer, consented=odd != 4)
        self.asks.append(signed)
        if then == 1:
            self.settle_one(signed, self.worker("settler", by % 4 == 0, by >> 2), self.person(to))
        elif then:
            self.fill_one(signed, self.actor(by), self.person(to), -(pick >> 5 & 7 == 0))

    @precondition(lambda self: self.asks)
    @rule(pick=few, to=few, by=few, short=seldom, nowhere=seldom)
    def fill(self, pick: int, to: int, by: int, short: bool, nowhere: bool) -> None:
        signed = self.asks[-1 - pick % min(6, len(self.asks))]
        receiver = signed.ask.buyer if signed.ask.buyer != ZERO and to % 4 else self.person(to)
        self.fill_one(signed, self.actor(by), ZERO if nowhere else receiver, to % 3 - 1 if short else 0)

    @precondition(lambda self: self.asks)
    @rule(pick=few, to=few, wrong=seldom)
    def settle(self, pick: int, to: int, wrong: bool) -> None:
        signed = self.asks[-1 - pick % min(6, len(self.asks))]
        receiver = signed.ask.buyer if signed.ask.buyer != ZERO and to % 4 else self.person(to)
        self.settle_one(signed, self.worker("settler", wrong, pick), receiver)

    def fill_one(self, signed: Signed, caller: str, receiver: str, difference: int = 0) -> None:
        ask = signed.ask
        terms = self.model.kinds[self.model.tokens[ask.token_id].class_].terms
        value = ask.price * terms.units_per_minor if terms.payment_token == ZERO else 0
        value = max(0, min(value, 10**29) + difference)
        digest = ask.digest(self.market.address)
        signature = self.signers[signed.by].sign(digest)
        consent = world.RELAYER_SIGNER.sign(digest) if signed.consented else b""
        consented = signed.consented and self.model.has(world.RELAYER_KEY, world.RELAYER)
        known = Signed(ask, signed.by, consented)
        self.chain.fund(caller, 10**30)
        self.both(
            lambda: self.sales.fill(caller, known, receiver, value),
            self.market,
            caller,
            "fill",
            ask.abi(),
            receiver,
            signature,
            consent,
            value=value,
        )

    def settle_one(self, signed: Signed, caller: str, receiver: str) -> None:
        signature = self.signers[signed.by].sign(signed.ask.digest(self.market.address))
        self.both(
            lambda: self.sales.settle_fiat(caller, signed, receiver),
            self.market,
            caller,
            "settleFiat",
            signed.ask.abi(),
            receiver,
            signature,
            b"\7" * 32,
        )

    @precondition(lambda self: self.asks)
    @rule(pick=few, by=few, own=st.booleans())
    def cancel(self, pick: int, by: int, own: bool) -> None:
        signed = self.asks[-1 - pick % min(6, len(self.asks))]
        caller = signed.by if own else self.actor(by)
        self.both(lambda: self.sales.cancel_ask(caller, signed.ask), self.market, caller, "cancelAsk", signed.ask.abi())

    @rule(by=few)
    def cancel_all(self, by: int) -> None:
        caller = self.actor(by)
        self.both(lambda: self.sales.cancel_all(caller), self.market, caller, "cancelAllAsks")

    @rule(
        by=few,
        class_=st.integers(0, UNKNOWN),
        amount=st.sampled_from([0, 1, 5_000, 2**40]),
        odd=st.sampled_from([0] * 6 + [1, -1]),
    )
    def pay(self, by: int, class_: int, amount: int, odd: int) -> None:
        caller, salt = self.actor(by), SALTS[by >> 4 & 1]
        terms = self.model.kinds[class_].terms if class_ < len(self.model.kinds) else None
        native = terms is not None and terms.payment_token == ZERO
        value = min(amount * terms.units_per_minor, 10**29) if terms is not None and native else 0
        value = max(0, value + odd)
        self.chain.fund(caller, 10**30)
        arguments = (class_, amount, salt)
        self.both(
            lambda: self.sales.pay_order(caller, *arguments, value),
            self.market,
            caller,
            "payOrder",
            self.tickets.address,
            *arguments,
            value=value,
        )

    @precondition(lambda self: self.sales.orders)
    @rule(pick=few, wrong=seldom, release=st.booleans())
    def decide(self, pick: int, wrong: bool, release: bool) -> None:
        key = list(self.sales.orders)[pick % len(self.sales.orders)]
        caller = self.worker("settler", wrong, pick)
        ref = self.market.call("orderRefOf", self.tickets.address, *key)
        state, call = (RELEASED, "releaseOrders") if release else (REFUNDED, "refundOrders")
        self.both(lambda: self.sales.decide(caller, key, state), self.market, caller, call, [ref])

    @precondition(lambda self: self.sales.orders)
    @rule(pick=few, by=few, own=st.booleans())
    def reclaim(self, pick: int, by: int, own: bool) -> None:
        key = list(self.sales.orders)[pick % len(self.sales.orders)]
        caller = self.sales.orders[key].payer if own else self.actor(by)
        ref = self.market.call("orderRefOf", self.tickets.address, *key)
        self.both(lambda: self.sales.reclaim(caller, key), self.market, caller, "reclaimOrder", ref)

    @rule(pick=few, by=few, coin=st.booleans(), nowhere=seldom)
    def withdraw(self, pick: int, by: int, coin: bool, nowhere: bool) -> None:
        token = self.coin.address if coin else ZERO
        creditors = [who for (one, who), units in self.sales.owed.items() if one == token and units]
        caller = self.able(creditors[pick % len(creditors)]) if creditors and pick % 5 else self.actor(by)
        # The mute contract takes no native money, which is its own affair (test_reentrancy.py).
        receiver = ZERO if nowhere else WORKERS["gate"] if not coin else self.person(pick)
        self.both(
            lambda: self.sales.withdraw(caller, token, receiver), self.market, caller, "withdraw", token, receiver
        )

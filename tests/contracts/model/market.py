"""TicketMarket as a plain Python program, written from SPEC 8.7."""

from dataclasses import dataclass, field

from tests.contracts.model.refusal import refuse_if
from tests.contracts.model.tickets import ASK, FIAT, MINT, MOST, SETTLER, ZERO, Tickets
from tests.contracts.signing import Ask

RECLAIM_AFTER = 30 * 86_400
HELD, RELEASED, REFUNDED = 1, 2, 3


@dataclass(frozen=True)
class Signed:
    """An ask, who signed it, and whether a relayer did too."""

    ask: Ask
    by: str
    consented: bool


@dataclass
class Order:
    payer: str
    paid_at: int
    token: str
    units: int
    class_: int
    state: int = HELD


@dataclass
class Market:
    tickets: Tickets
    counters: dict[str, int] = field(default_factory=dict)
    cancelled: set[tuple[str, Ask]] = field(default_factory=set)
    owed: dict[tuple[str, str], int] = field(default_factory=dict)  # by token and account
    orders: dict[tuple[int, int, bytes], Order] = field(default_factory=dict)  # by class, amount, salt
    coins: dict[str, int] = field(default_factory=dict)  # of the one ERC-20; everybody has approved the market

    # ---- asks

    def fill(self, caller: str, signed: Signed, to: str, value: int) -> list[str]:
        ask = signed.ask
        seller = self.check(signed, to)
        terms = self.tickets.kinds[self.tickets.tokens[ask.token_id].class_].terms
        refuse_if(terms.units_per_minor == 0, "NotSoldOnChain")
        refuse_if(ask.price > MOST, "AmountInvalid")
        units = ask.price * terms.units_per_minor
        royalty = units * terms.royalty_bps // 10_000
        before = self.tickets.tokens[ask.token_id]
        undo = vars(before).copy()
        arguments = (ask.token_id, ask.epoch, to, ask.price, caller, ASK)
        events = self.tickets.settle(*arguments, consented=signed.consented)
        try:
            self.collect(caller, terms.payment_token, units, value)
        except Exception:
            vars(before).update(undo)
            raise
        events += self.credit(terms.payment_token, self.tickets.payee, royalty)
        events += self.credit(terms.payment_token, seller, units - royalty)
        return [*events, "AskFilled"]

    def settle_fiat(self, caller: str, signed: Signed, to: str) -> list[str]:
        ask = signed.ask
        self.check(signed, to)
        self.tickets.settle(ask.token_id, ask.epoch, to, ask.price, caller, FIAT, consented=False)
        return ["Transfer", "SaleSettled"]

    def cancel_ask(self, caller: str, ask: Ask) -> list[str]:
        refuse_if((caller, ask) in self.cancelled, "AskIsCancelled")
        self.cancelled.add((caller, ask))
        return ["AskCancelled"]

    def cancel_all(self, caller: str) -> list[str]:
        self.counters[caller] = self.counters.get(caller, 0) + 1
        return ["CounterRaised"]

    def check(self, signed: Signed, to: str) -> str:
        ask = signed.ask
        refuse_if(self.tickets.clock.now > ask.deadline, "AskExpired")
        refuse_if(ask.buyer not in (ZERO, to), "NotForBuyer")
        seller = self.tickets.token(ask.token_id).owner
        refuse_if(ask.counter != self.counters.get(seller, 0), "CounterMismatch")
        refuse_if((seller, ask) in self.cancelled, "AskIsCancelled")
        refuse_if(signed.by != seller, "SellerSignatureInvalid")
        return seller

    # ---- orders

    def pay_order(self, caller: str, class_: int, amount: int, salt: bytes, value: int) -> list[str]:
        key = (class_, amount, salt)
        refuse_if(key in self.orders, "OrderStateInvalid")
        refuse_if(amount == 0, "AmountInvalid")
        terms = self.tickets.kind(class_).terms
        refuse_if(terms.units_per_minor == 0, "NotSoldOnChain")
        refuse_if(amount > MOST, "AmountInvalid")
        refuse_if(self.tickets.cancelled or self.tickets.stops & MINT, "SaleClosed")
        units = amount * terms.units_per_minor
        self.collect(caller, terms.payment_token, units, value)
        self.orders[key] = Order(caller, self.tickets.clock.now, terms.payment_token, units, class_)
        return ["OrderPaid"]

    def decide(self, caller: str, key: tuple[int, int, bytes], state: int) -> list[str]:
        """Release or refund."""
        order = self.held(key)
        refuse_if(not self.tickets.has(caller, SETTLER), "NotSettler")
        order.state = state
        account = self.tickets.payee if state == RELEASED else order.payer
        name = "OrderReleased" if state == RELEASED else "OrderRefunded"
        return [name, *self.credit(order.token, account, order.units)]

    def reclaim(self, caller: str, key: tuple[int, int, bytes]) -> list[str]:
        order = self.held(key)
        refuse_if(caller != order.payer, "NotPayer")
        due = self.tickets.clock.now >= order.paid_at + RECLAIM_AFTER
        refuse_if(not due and not self.tickets.cancelled, "ReclaimTooEarly")
        order.state = REFUNDED
        return ["OrderRefunded", *self.credit(order.token, order.payer, order.units)]

    def held(self, key: tuple[int, int, bytes]) -> Order:
        refuse_if(key not in self.orders or self.orders[key].state != HELD, "OrderStateInvalid")
        return self.orders[key]

    # ---- money

    def withdraw(self, caller: str, token: str, to: str) -> list[str]:
        units = self.owed.get((token, caller), 0)
        refuse_if(units == 0, "NothingOwed")
        refuse_if(to == ZERO, "RecipientMissing")
        self.owed[token, caller] = 0
        if token != ZERO:
            self.coins[to] = self.coins.get(to, 0) + units
        return ["Withdrawn"]

    def held_in_all(self, token: str) -> int:
        """What the market must have of a token: what it owes, and what orders still hold."""
        owed = sum(units for (one, _), units in self.owed.items() if one == token)
        return owed + sum(order.units for order in self.orders.values() if (order.token, order.state) == (token, HELD))

    def collect(self, caller: str, token: str, units: int, value: int) -> None:
        refuse_if(value != (units if token == ZERO else 0), "WrongPayment")
        if token != ZERO:
            refuse_if(self.coins.get(caller, 0) < units, "ERC20InsufficientBalance")
            self.coins[caller] = self.coins.get(caller, 0) - units

    def credit(self, token: str, account: str, units: int) -> list[str]:
        if units:
            self.owed[token, account] = self.owed.get((token, account), 0) + units
        return ["Credited"] if units else []

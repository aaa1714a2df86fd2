"""EventTickets as a plain Python program, written from SPEC 8. Slow, obvious, no packing.

Each call either returns the names of the events it emits, or raises Refusal and has changed nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.contracts.model.refusal import Refusal, refuse_if
from tests.contracts.world import Class

OPEN, MARKET_ONLY, FROZEN, SOULBOUND = range(4)
VALID, REDEEMED, REVOKED, SUSPENDED = range(4)
TRANSFER, GIFT, ASK, FIAT, CLAIM = "transfer", "gift", "ask", "fiat", "claim"
ISSUER, RELAYER, GATE, KEYS, PAUSER, SETTLER = (1 << bit for bit in range(6))
MINT, MOVE, REDEEM = 1, 2, 4

ALLOWED = {
    OPEN: {TRANSFER, GIFT, ASK, FIAT, CLAIM},
    MARKET_ONLY: {GIFT, ASK, FIAT, CLAIM},
    FROZEN: {CLAIM},
    SOULBOUND: {CLAIM},
}
TIGHTER: dict[int, set[int]] = {
    OPEN: {MARKET_ONLY, FROZEN, SOULBOUND},
    MARKET_ONLY: {FROZEN, SOULBOUND},
    FROZEN: {MARKET_ONLY, SOULBOUND},
    SOULBOUND: set(),
}
MOST = 2**40 - 1  # the highest price, in minor units
ADMIN_DELAY = 2 * 86_400
ZERO = "0x" + "00" * 20


@dataclass
class Clock:
    now: int


@dataclass
class Token:
    owner: str
    class_: int
    epoch: int = 0
    status: int = VALID
    last_paid: int = 0
    claimed: bool = False
    approved: str = ZERO


@dataclass
class Kind:
    """A class as it stands."""

    terms: Class
    capacity: int
    opens: int
    closes: int
    policy: int
    issued: int = 0

    @property
    def cap(self) -> int:
        return MOST if self.policy == OPEN else min(MOST, self.terms.face_value * self.terms.cap_bps // 10_000)


@dataclass
class Roles:
    clock: Clock
    admin: str
    roles: dict[str, int] = field(default_factory=dict)
    pending: tuple[str, int] = (ZERO, 0)
    known: int = ISSUER | RELAYER | GATE | PAUSER | SETTLER

    def has(self, who: str, role: int) -> bool:
        return bool(self.roles.get(who, 0) & role)

    def need(self, who: str, role: int) -> None:
        refuse_if(not self.has(who, role), "MissingRole")

    def need_admin(self, who: str) -> None:
        refuse_if(who != self.admin, "NotAdmin")

    def grant_roles(self, caller: str, who: str, roles: int) -> list[str]:
        self.need_admin(caller)
        refuse_if(roles == 0 or roles & ~self.known, "UnknownRoles")
        refuse_if(who == ZERO, "ZeroAddress")
        self.roles[who] = self.roles.get(who, 0) | roles
        return ["RolesChanged"]

    def revoke_roles(self, caller: str, who: str, roles: int) -> list[str]:
        self.need_admin(caller)
        refuse_if(roles == 0 or roles & ~self.known, "UnknownRoles")
        self.roles[who] = self.roles.get(who, 0) & ~roles
        return ["RolesChanged"]

    def propose_admin(self, caller: str, who: str) -> list[str]:
        self.need_admin(caller)
        self.pending = (who, self.clock.now + ADMIN_DELAY) if who != ZERO else (ZERO, 0)
        return ["AdminProposed"]

    def accept_admin(self, caller: str) -> list[str]:
        refuse_if(caller != self.pending[0], "NotPendingAdmin")
        refuse_if(self.clock.now < self.pending[1], "AdminDelayRunning")
        self.admin, self.pending = caller, (ZERO, 0)
        return ["AdminChanged"]


@dataclass
class Tickets(Roles):
    custody: str = ZERO
    payee: str = ZERO
    grace: int = 0
    kinds: list[Kind] = field(default_factory=list)
    batches: dict[int, tuple[int, tuple[str, ...], int]] = field(default_factory=dict)  # class, owners, minted at
    tokens: dict[int, Token] = field(default_factory=dict)
    operators: set[tuple[str, str]] = field(default_factory=set)
    stops: int = 0
    cancelled: bool = False

    # ---- reading

    def token(self, token_id: int) -> Token:
        if token_id not in self.tokens:
            raise Refusal("ERC721NonexistentToken")
        return self.tokens[token_id]

    def held_by(self, who: str) -> list[int]:
        return sorted(token_id for token_id, token in self.tokens.items() if token.owner == who)

    def running(self, what: int) -> None:
        refuse_if(self.cancelled, "CancelledEvent")
        refuse_if(self.stops & what, "Stopped")

    def kind(self, class_: int) -> Kind:
        refuse_if(class_ >= len(self.kinds), "UnknownClass")
        return self.kinds[class_]

    # ---- minting

    def mint(self, caller: str, number: int, class_: int, owners: Sequence[str]) -> list[str]:
        self.need(caller, ISSUER)
        self.running(MINT)
        refuse_if(not 1 <= number < 2**24, "BatchNumberInvalid")
        refuse_if(not 1 <= len(owners) <= 1_228, "OwnersLengthInvalid")
        refuse_if(owners[0] == ZERO, "ERC721InvalidReceiver")
        kind = self.kind(class_)
        if number in self.batches:
            refuse_if(self.batches[number][:2] != (class_, tuple(owners)), "BatchTaken")
            return ["BatchAlreadyMinted"]
        refuse_if(number > len(self.batches) + 1_024, "BatchTooFarAhead")
        refuse_if(kind.issued + len(owners) > kind.capacity, "CapacityExceeded")
        refuse_if(list(owners) != sorted(owners), "OwnersNotSorted")
        kind.issued += len(owners)
        self.batches[number] = (class_, tuple(owners), self.clock.now)
        for index, owner in enumerate(owners):
            self.tokens[number << 16 | index] = Token(owner, class_)
        locked = ["Locked"] * len(owners) if kind.policy == SOULBOUND else []
        return ["BatchMinted", *["Transfer"] * len(owners), *locked]

    # ---- moving

    def transfer_from(self, caller: str, from_: str, to: str, token_id: int) -> list[str]:
        refuse_if(to == ZERO, "ERC721InvalidReceiver")
        token = self.token(token_id)
        allowed = caller in (token.owner, token.approved) or (token.owner, caller) in self.operators
        refuse_if(not allowed, "ERC721InsufficientApproval")
        refuse_if(from_ != token.owner, "ERC721IncorrectOwner")
        return self.move(token_id, to, TRANSFER, caller)

    def safe_transfer_from(self, caller: str, from_: str, to: str, token_id: int, *, accepts: bool) -> list[str]:
        """`accepts`: the receiver is no contract, or one that says yes."""
        token = self.tokens.get(token_id)
        before = vars(token).copy() if token else {}
        events = self.transfer_from(caller, from_, to, token_id)
        if token and not accepts:
            vars(token).update(before)
            raise Refusal("ERC721InvalidReceiver")
        return events

    def move_with_sig(
        self, caller: str, token_id: int, to: str, deadline: int, *, signed: bool, consented: bool
    ) -> list[str]:
        """`signed`: the holder signed exactly this at this epoch; `consented`: so did a relayer."""
        token = self.token(token_id)
        refuse_if(self.clock.now > deadline, "DeadlinePassed")
        refuse_if(not signed, "SignatureInvalid")
        if self.kinds[token.class_].policy == MARKET_ONLY:
            refuse_if(not consented and not self.has(caller, RELAYER), "ConsentMissing")
        return self.move(token_id, to, GIFT, caller)

    def claim(self, caller: str, token_id: int, to: str, deadline: int, *, signed: bool) -> list[str]:
        self.need(caller, RELAYER)
        refuse_if(self.token(token_id).owner != self.custody, "NotInCustody")
        refuse_if(self.clock.now > deadline, "DeadlinePassed")
        refuse_if(not signed, "SignatureInvalid")
        return [*self.move(token_id, to, CLAIM, caller), "TicketClaimed"]

    def settle(
        self, token_id: int, epoch: int, to: str, price: int, operator: str, path: str, *, consented: bool
    ) -> list[str]:
        token = self.token(token_id)
        kind = self.kinds[token.class_]
        refuse_if(epoch != token.epoch, "EpochMismatch")
        refuse_if(price > kind.cap, "PriceAboveCap")
        if path == FIAT:
            self.need(operator, SETTLER)
        elif kind.policy == MARKET_ONLY:
            refuse_if(not consented and not self.has(operator, RELAYER), "ConsentMissing")
        events = self.move(token_id, to, path, operator)
        token.last_paid = price
        return events

    def move(self, token_id: int, to: str, path: str, operator: str) -> list[str]:
        token = self.tokens[token_id]
        kind = self.kinds[token.class_]
        refuse_if(to == ZERO, "ERC721InvalidReceiver")
        refuse_if(token.status != VALID, "TicketNotValid")
        self.running(MOVE)
        refuse_if(path not in ALLOWED[kind.policy], "PathNotAllowed")
        refuse_if(to == self.custody, "CustodyOnly")
        refuse_if((token.owner == self.custody) != (path == CLAIM), "CustodyOnly")
        if path != CLAIM:
            now = self.clock.now
            refuse_if(now < kind.opens, "NotOpenYet")
            graced = self.has(operator, RELAYER) and now < kind.closes + self.grace
            refuse_if(now >= kind.closes and not graced, "MovesClosed")
            limit = kind.terms.max_moves
            refuse_if(limit and token.epoch - token.claimed >= limit, "MoveLimitReached")
        token.claimed |= path == CLAIM
        token.owner, token.epoch, token.approved = to, token.epoch + 1, ZERO
        return ["Transfer"]

    # ---- approving

    def approve(self, caller: str, to: str, token_id: int) -> list[str]:
        token = self.token(token_id)
        allowed = caller == token.owner or (token.owner, caller) in self.operators
        refuse_if(not allowed, "ERC721InvalidApprover")
        token.approved = to
        return ["Approval"]

    def set_approval_for_all(self, caller: str, operator: str, approved: bool) -> list[str]:
        refuse_if(operator == ZERO, "ERC721InvalidOperator")
        (self.operators.add if approved else self.operators.discard)((caller, operator))
        return ["ApprovalForAll"]

    # ---- statuses

    def redeem(self, caller: str, marks: Sequence[tuple[int, Sequence[int]]]) -> list[str]:
        """`marks`: words, each with the places (0 to 127) of the tickets in it."""
        self.need(caller, GATE)
        self.running(REDEEM)
        refuse_if(not marks, "EmptyList")
        last = -1
        for word, places in marks:
            refuse_if(last >= 0 and word <= last, "WordsNotAscending")
            refuse_if(not places, "MaskInvalid")
            refuse_if(any(word << 7 | place not in self.tokens for place in places), "NoSuchTickets")
            last = word
        events = ["TicketsRedeemed", "BatchMetadataUpdate"]
        for word, places in marks:
            tokens = [self.tokens[word << 7 | place] for place in places]
            if any(token.status != VALID for token in tokens):
                events.append("RedeemOverlap")
            for token in tokens:
                if token.status == VALID:
                    token.status = REDEEMED
        return events

    def change_status(self, caller: str, token_ids: Sequence[int], name: str) -> list[str]:
        before, after, event = {
            "revoke": ({VALID, SUSPENDED}, REVOKED, "TicketRevoked"),
            "suspend": ({VALID}, SUSPENDED, "TicketSuspended"),
            "reinstate": ({SUSPENDED}, VALID, "TicketReinstated"),
        }[name]
        self.need(caller, RELAYER)
        refuse_if(not token_ids, "EmptyList")
        for place, token_id in enumerate(token_ids):
            repeated = token_id in token_ids[:place]
            refuse_if(self.token(token_id).status not in before or repeated, "StatusChangeRefused")
        for token_id in token_ids:
            self.tokens[token_id].status = after
            if after == REVOKED:
                self.kinds[self.tokens[token_id].class_].issued -= 1
        return ["MetadataUpdate", event] * len(token_ids)

    # ---- the admin's and the pauser's

    def stop(self, caller: str, what: int) -> list[str]:
        self.need(caller, PAUSER)
        refuse_if(not 1 <= what <= 7, "ConfigInvalid")
        self.stops |= what
        return ["StopsChanged"]

    def resume(self, caller: str, what: int) -> list[str]:
        self.need_admin(caller)
        refuse_if(not 1 <= what <= 7, "ConfigInvalid")
        self.stops &= ~what
        return ["StopsChanged"]

    def cancel_event(self, caller: str) -> list[str]:
        self.need_admin(caller)
        refuse_if(self.cancelled, "CancelledEvent")
        self.cancelled = True
        return ["EventCancelled", "ContractURIUpdated", "BatchMetadataUpdate"]

    def set_capacity(self, caller: str, class_: int, capacity: int) -> list[str]:
        self.need_admin(caller)
        kind = self.kind(class_)
        refuse_if(capacity < kind.issued, "CapacityBelowIssued")
        kind.capacity = capacity
        return ["CapacityChanged"]

    def set_times(self, caller: str, class_: int, opens: int, closes: int) -> list[str]:
        self.need_admin(caller)
        refuse_if(opens >= closes, "ConfigInvalid")
        kind = self.kind(class_)
        kind.opens, kind.closes = opens, closes
        return ["TimesChanged", "BatchMetadataUpdate"]

    def set_policy(self, caller: str, class_: int, policy: int) -> list[str]:
        self.need_admin(caller)
        kind = self.kind(class_)
        refuse_if(policy not in TIGHTER[kind.policy], "PolicyChangeRefused")
        kind.policy = policy
        return ["PolicyChanged", "BatchMetadataUpdate"]

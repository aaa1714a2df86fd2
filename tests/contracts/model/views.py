"""What every view of the three contracts should say, according to the model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.contracts.model.market import Market
from tests.contracts.model.registry import Registry
from tests.contracts.model.tickets import OPEN, ZERO, Tickets
from tests.contracts.world import pack
from tests.support.evm import CALL_GAS, Contract, RevmChain, account

ANYONE = account("anyone")
PRICE = 10_001  # asked of royaltyInfo
NONEXISTENT = keccak(text="ERC721NonexistentToken(uint256)")[:4]

Expected = Iterator[tuple[Contract, str, tuple[Any, ...], bytes | None]]


@dataclass
class Views:
    """The deployed contracts beside their models."""

    chain: RevmChain
    contracts: tuple[Contract, Contract, Contract, Contract]  # tickets, market, registry, coin
    models: tuple[Tickets, Market, Registry]
    people: tuple[str, ...]
    workers: tuple[str, ...]
    _calldata: dict[tuple[str, str, tuple[Any, ...]], bytes] = field(default_factory=dict)

    def compare(self) -> None:
        """Every view answers what the model expects, or refuses where it expects nothing (None)."""
        for contract, function, arguments, expected in self.expected():
            found = self._ask(contract, function, arguments)
            if found != expected:
                answer = "a refusal" if found is None else found.hex()
                wanted = "a refusal" if expected is None else expected.hex()
                raise AssertionError(f"{function}{arguments}: {answer}, but the model says {wanted}")

    def expected(self) -> Expected:
        tickets, market, registry, coin = self.contracts
        yield from self._tokens(tickets)
        yield from self._people(tickets, market, coin)
        yield from self._event(tickets)
        yield from self._market(market, coin)
        yield from self._registry(registry)

    def _tokens(self, contract: Contract) -> Expected:
        model = self.models[0]
        for token_id, token in model.tokens.items():
            kind = model.kinds[token.class_]
            royalty = word(model.payee) + word(PRICE * kind.terms.royalty_bps // 10_000)
            yield contract, "ownerOf", (token_id,), word(token.owner)
            yield contract, "epochOf", (token_id,), word(token.epoch)
            yield contract, "statusOf", (token_id,), word(token.status)
            yield contract, "classOf", (token_id,), word(token.class_)
            yield contract, "lastPaidOf", (token_id,), word(token.last_paid)
            yield contract, "getApproved", (token_id,), word(token.approved)
            yield contract, "locked", (token_id,), word(kind.policy != OPEN)
            yield contract, "royaltyInfo", (token_id, PRICE), royalty
        missing = 99 << 16
        for function in ("ownerOf", "epochOf", "statusOf", "getApproved", "locked", "tokenURI"):
            yield contract, function, (missing,), None
        for number, (class_, owners, minted_at) in model.batches.items():
            info = word(len(owners)) + word(class_) + word(minted_at) + keccak(b"\0" + pack(owners))
            yield contract, "batchInfo", (number,), info
            yield contract, "batchOwners", (number,), encode(["bytes"], [pack(owners)])
            bits = (token.status << 2 * (one & 127) for one, token in model.tokens.items() if one >> 16 == number)
            yield contract, "statusWord", (number << 9,), word(sum(bits))

    def _people(self, tickets: Contract, market: Contract, coin: Contract) -> Expected:
        model, sales, _ = self.models
        for who in self.people:
            held = model.held_by(who)
            yield tickets, "balanceOf", (who,), word(len(held))
            yield tickets, "tokensOfOwner", (who,), encode(["uint256[]"], [held])
            yield market, "counterOf", (who,), word(sales.counters.get(who, 0))
            yield market, "owed", (ZERO, who), word(sales.owed.get((ZERO, who), 0))
            yield market, "owed", (coin.address, who), word(sales.owed.get((coin.address, who), 0))
            yield coin, "balanceOf", (who,), word(sales.coins.get(who, 0))
            for operator in self.people[:3]:
                yield tickets, "isApprovedForAll", (who, operator), word((who, operator) in model.operators)
        for who in (*self.people, *self.workers):
            yield tickets, "rolesOf", (who,), word(model.roles.get(who, 0))
        yield market, "owed", (ZERO, model.payee), word(sales.owed.get((ZERO, model.payee), 0))

    def _event(self, contract: Contract) -> Expected:
        model = self.models[0]
        yield contract, "admin", (), word(model.admin)
        yield contract, "pendingAdmin", (), word(model.pending[0]) + word(model.pending[1])
        for class_, kind in enumerate(model.kinds):
            terms = kind.terms
            yield (
                contract,
                "classInfo",
                (class_,),
                encode(
                    [
                        "(string,uint32,uint32,uint40,uint16,uint16,uint40,uint40,uint8,uint8,bool,address,uint72,bytes3)"
                    ],
                    [
                        (
                            terms.label,
                            kind.capacity,
                            kind.issued,
                            terms.face_value,
                            terms.cap_bps,
                            terms.royalty_bps,
                            kind.opens,
                            kind.closes,
                            kind.policy,
                            terms.max_moves,
                            model.cancelled or bool(model.stops & 2),
                            terms.payment_token,
                            terms.units_per_minor,
                            terms.currency,
                        )
                    ],
                ),
            )
            active = not model.cancelled and not model.stops & 1
            payment = word(terms.payment_token) + word(terms.units_per_minor) + word(model.payee) + word(active)
            yield contract, "paymentOf", (class_,), payment
        counts = len(model.batches), max(model.batches, default=0)
        found = self._ask(contract, "eventInfo", ())
        tail = (model.grace, len(model.kinds), model.stops, model.cancelled, *counts)
        head, rest = (found or b"")[: 32 * 5], (found or b"")[32 * 11 :]
        yield contract, "eventInfo", (), head + b"".join(map(word, tail)) + rest

    def _market(self, contract: Contract, coin: Contract) -> Expected:
        sales, event = self.models[1], self.contracts[0].address
        for (class_, amount, salt), order in sales.orders.items():
            ref = keccak(word(event) + word(class_) + word(amount) + salt)
            fields: tuple[Any, ...] = (order.payer, order.paid_at, order.state, order.token, order.units, event, class_)
            yield contract, "orderOf", (ref,), b"".join(map(word, fields))
        for seller, ask in sales.cancelled:
            yield contract, "isCancelled", (seller, ask.digest(contract.address)), word(1)
        yield coin, "balanceOf", (contract.address,), word(sales.held_in_all(coin.address))
        if self.chain.balance(contract.address) != sales.held_in_all(ZERO):
            raise AssertionError("the market holds other money than it owes")

    def _registry(self, contract: Contract) -> Expected:
        model = self.models[2]
        yield contract, "keyCount", (), word(len(model.keys))
        for place, (key_id, key) in enumerate(model.keys.items()):
            yield contract, "keyIdAt", (place,), key_id.ljust(32, b"\0")
            fields = (key.not_before, key.not_after, key.active_at, key.revoked_at, key.reason)
            head = key.public_key + word(1) + word(key.role) + key.event_tag.ljust(32, b"\0")
            yield contract, "keyOf", (key_id,), head + b"".join(map(word, fields))
            for time in {
                key.not_before,
                key.not_after,
                key.active_at,
                key.revoked_at,
                key.revoked_at + 1,
                model.clock.now,
            }:
                for tag in (key.event_tag, b"event xx"):
                    valid = model.valid(key_id, key.role, tag, time)
                    yield contract, "isValidAt", (key_id, key.role, tag, time), word(valid)
        for who in (*self.people, *self.workers):
            yield contract, "rolesOf", (who,), word(model.roles.get(who, 0))
        for tag in {tag for tag, _ in model.anchors}:
            yield contract, "bundleVersion", (tag,), word(model.version(tag))
        yield contract, "keyOf", (sha256(b"missing").digest()[:4],), None

    def _ask(self, contract: Contract, function: str, arguments: tuple[Any, ...]) -> bytes | None:
        key = (contract.address, function, arguments)
        calldata = self._calldata.get(key)
        if calldata is None:
            calldata = self._calldata[key] = contract.encode(function, *arguments)
        try:
            answer = bytes(self.chain.evm.message_call(ANYONE, contract.address, calldata, 0, CALL_GAS))
        except RuntimeError:
            return None
        # Where a batch's owners are kept, and the order of a holder's tickets, are the contract's own business.
        if function == "tokensOfOwner":
            return answer[:64] + b"".join(sorted(answer[at : at + 32] for at in range(64, len(answer), 32)))
        return answer[32:] if function == "batchInfo" else answer


def word(value: str | int) -> bytes:
    return (int(value, 16) if isinstance(value, str) else int(value)).to_bytes(32)

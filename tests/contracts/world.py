"""A platform as the backend would deploy it, and events on it, for the tests of this room."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pytest

from tests.contracts.signing import FAR, Ask, Signer, claim_digest, move_digest
from tests.support.evm import Chain, Contract, Receipt, Reverted, account

OPEN, MARKET_ONLY, FROZEN, SOULBOUND = range(4)
VALID, REDEEMED, REVOKED, SUSPENDED = range(4)
ISSUER, RELAYER, GATE, KEYS, PAUSER, SETTLER = (1 << bit for bit in range(6))

DAY = 86_400
GRACE = 3_600  # seconds
ZERO = "0x" + "00" * 20

RELAYER_SIGNER, CUSTODY_SIGNER = Signer("relayer"), Signer("custody")
ADMIN, CUSTODY, PAYEE = account("admin"), CUSTODY_SIGNER.address, account("payee")
ISSUER_KEY, RELAYER_KEY, GATE_KEY = account("issuer"), RELAYER_SIGNER.address, account("gate")
PAUSER_KEY, SETTLER_KEY, DEPLOYER = account("pauser"), account("settler"), account("deployer")

WORKING_ROLES = (
    (ISSUER_KEY, ISSUER),
    (RELAYER_KEY, RELAYER),
    (GATE_KEY, GATE),
    (PAUSER_KEY, PAUSER),
    (SETTLER_KEY, SETTLER),
)


@dataclass(frozen=True)
class Class:
    """A class of tickets, as ClassConfig has it."""

    label: str = "Standing"
    capacity: int = 5_000
    face_value: int = 5_000
    cap_bps: int = 11_000
    royalty_bps: int = 500
    opens: int = 0
    closes: int = 4_000_000_000
    policy: int = MARKET_ONLY
    max_moves: int = 0
    payment_token: str = ZERO
    units_per_minor: int = 10**14
    currency: bytes = b"EUR"

    def abi(self) -> tuple[Any, ...]:
        return tuple(self.__dict__.values())


@dataclass(frozen=True)
class Platform:
    """What is deployed once."""

    chain: Chain
    market: Contract
    renderer: Contract
    implementation: Contract
    factory: Contract

    def create(self, *classes: Class, name: str = "Night of Lights", creator: str = DEPLOYER) -> Contract:
        """An event with these classes; the default roles."""
        config = event_config(*classes, name=name)
        receipt = self.factory.send(creator, "createEvent", config)
        address = receipt.named("EventCreated")[0]["tickets"]
        return self.chain.at(address, self.implementation.abi)


def deploy_platform(chain: Chain, artifacts: Mapping[str, Any] | None = None) -> Platform:
    """The committed contracts, or others of the same names."""
    other = artifacts or {}
    renderer = chain.deploy("MetadataRenderer", artifact=other.get("MetadataRenderer"))
    market = chain.deploy("TicketMarket", artifact=other.get("TicketMarket"))
    implementation = chain.deploy("EventTickets", market.address, renderer.address, artifact=other.get("EventTickets"))
    factory = chain.deploy("EventFactory", implementation.address, artifact=other.get("EventFactory"))
    return Platform(chain, market, renderer, implementation, factory)


def event_config(*classes: Class, name: str = "Night of Lights", **changes: Any) -> tuple[Any, ...]:
    fields: dict[str, Any] = {
        "event_hash": sha256(name.encode()).digest(),
        "admin": ADMIN,
        "custody": CUSTODY,
        "payee": PAYEE,
        "grace_seconds": GRACE,
        "name": name,
        "symbol": "LIGHTS",
        "description": "An evening of light and music",
        "roles": WORKING_ROLES,
        "classes": [one.abi() for one in classes or (Class(),)],
    }
    return tuple((fields | changes).values())


def refused(attempt: Callable[[], Any], name: str, *arguments: Any) -> None:
    """The attempt reverts with this custom error, and these arguments where any are given."""
    with pytest.raises(Reverted) as caught:
        attempt()
    assert caught.value.name == name
    if arguments:
        assert caught.value.arguments == arguments


def pack(owners: Sequence[str]) -> bytes:
    """Owners as `mint` takes them: sorted, 20 bytes each."""
    return b"".join(sorted(bytes.fromhex(owner[2:]) for owner in owners))


def mint(tickets: Contract, number: int, owners: Sequence[str], class_: int = 0) -> Receipt:
    return tickets.send(ISSUER_KEY, "mint", number, class_, pack(owners))


def token_id(number: int, index: int) -> int:
    return number << 16 | index


def people(count: int, name: str = "person") -> list[str]:
    """Distinct addresses, sorted as a batch sorts them."""
    return sorted(account(f"{name} {index}") for index in range(count))


def gift(tickets: Contract, token: int, holder: Signer, to: str, *, by: str = RELAYER_KEY, **fields: Any) -> Receipt:
    """moveWithSig with the holder's signature. Sent by the relayer, it carries the platform's consent."""
    signature = holder.sign(move_digest(tickets, token, to, **fields))
    return tickets.send(by, "moveWithSig", token, to, fields.get("deadline", FAR), signature, b"")


def claim(tickets: Contract, token: int, to: str, *, by: str = RELAYER_KEY) -> Receipt:
    signature = CUSTODY_SIGNER.sign(claim_digest(tickets, token, to))
    return tickets.send(by, "claim", token, to, FAR, signature)


@dataclass(frozen=True)
class Offer:
    """A signed ask, with the platform's consent unless it was held back."""

    market: Contract
    ask: Ask
    signature: bytes
    consent: bytes

    def fill(self, buyer: str, *, to: str = "", value: int | None = None) -> Receipt:
        """Pays what the market asks for, in the native coin, or what is given."""
        wei = self.quote()[1] if value is None else value
        self.market.chain.fund(buyer, self.market.chain.balance(buyer) + wei)
        arguments = (self.ask.abi(), to or buyer, self.signature, self.consent)
        return self.market.send(buyer, "fill", *arguments, value=wei)

    def settle(self, to: str, *, by: str = SETTLER_KEY, payment: bytes = b"\1" * 32) -> Receipt:
        return self.market.send(by, "settleFiat", self.ask.abi(), to, self.signature, payment)

    def quote(self) -> tuple[str, int, int, str]:
        answer: tuple[str, int, int, str] = self.market.call(
            "quote", self.ask.tickets, self.ask.token_id, min(self.ask.price, 2**40 - 1)
        )
        return answer


def offer(
    market: Contract, tickets: Contract, token: int, seller: Signer, price: int, *, consent: bool = True, **fields: Any
) -> Offer:
    """An ask for the ticket as it stands."""
    stand = {"epoch": tickets.call("epochOf", token), "counter": market.call("counterOf", seller.address)}
    ask = Ask(tickets.address, token, price=price, **(stand | fields))
    digest = ask.digest(market.address)
    return Offer(market, ask, seller.sign(digest), RELAYER_SIGNER.sign(digest) if consent else b"")

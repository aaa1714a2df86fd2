"""A platform as the backend would deploy it, and events on it, for the tests of this room."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from tests.support.evm import Chain, Contract, Receipt, account

OPEN, MARKET_ONLY, FROZEN, SOULBOUND = range(4)
VALID, REDEEMED, REVOKED, SUSPENDED = range(4)
ISSUER, RELAYER, GATE, KEYS, PAUSER, SETTLER = (1 << bit for bit in range(6))

DAY = 86_400
GRACE = 3_600  # seconds
ZERO = "0x" + "00" * 20

ADMIN, CUSTODY, PAYEE = account("admin"), account("custody"), account("payee")
ISSUER_KEY, RELAYER_KEY, GATE_KEY = account("issuer"), account("relayer"), account("gate")
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


def deploy_platform(chain: Chain) -> Platform:
    renderer = chain.deploy("MetadataRenderer")
    market = chain.deploy("TicketMarket")
    implementation = chain.deploy("EventTickets", market.address, renderer.address)
    factory = chain.deploy("EventFactory", implementation.address)
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

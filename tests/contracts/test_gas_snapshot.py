"""Gas of every external function, in a file, so that a change shows in the diff: `make gas-snapshot` writes it anew.

One transaction each on anvil, through a clone where there is one; views are sent as transactions too.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import load_artifact
from tests.contracts import world
from tests.contracts.compiled import hostile
from tests.contracts.signing import ANYBODY, FAR, Signer, claim_digest, move_digest
from tests.contracts.world import (
    ADMIN,
    CUSTODY,
    CUSTODY_SIGNER,
    DAY,
    GATE_KEY,
    GRACE,
    ISSUER_KEY,
    OPEN,
    PAUSER_KEY,
    PAYEE,
    RELAYER_KEY,
    RELAYER_SIGNER,
    SETTLER_KEY,
    ZERO,
    Class,
    mint,
    offer,
    pack,
    people,
    token_id,
)
from tests.support.anvil import start_anvil
from tests.support.evm import START, NodeChain, Receipt, account

FILE = Path(__file__).parent / "gas.snapshot"
ANNA, BEN = Signer("anna"), Signer("ben")
KEYS_KEY = account("keys")
SALTS = [bytes([index]) * 32 for index in range(4)]

Calls = Iterator[tuple[str, Receipt]]


@pytest.fixture(scope="module")
def measured() -> dict[str, int]:
    with start_anvil(arguments=["--timestamp", str(START)]) as node:
        chain = NodeChain(node)
        platform = world.deploy_platform(chain)
        found: dict[str, int] = {}
        for name, receipt in (*tickets_calls(platform), *market_calls(platform), *registry_calls(chain)):
            assert name not in found, name
            found[name] = receipt.gas_used
        return found


def test_every_external_function_is_measured(measured: dict[str, int]) -> None:
    contracts = ("EventFactory", "EventTickets", "TicketMarket", "KeyRegistry")
    functions = {
        f"{name}.{entry['name']}"
        for name in contracts
        for entry in load_artifact(name).abi
        if entry["type"] == "function"
    }
    assert {name.split(" ")[0] for name in measured} == functions


def test_gas_is_what_the_snapshot_says(measured: dict[str, int]) -> None:
    text = "".join(f"{name}: {gas}\n" for name, gas in sorted(measured.items()))
    if os.environ.get("WRITE_GAS_SNAPSHOT"):
        FILE.write_text(text)
    assert text == FILE.read_text(), "gas changed: look at the difference, then run make gas-snapshot"


def tickets_calls(platform: world.Platform) -> Calls:
    factory = platform.factory
    config = world.event_config(Class(policy=OPEN), Class(), name="measured")
    created = factory.send(world.DEPLOYER, "createEvent", config)
    yield "EventFactory.createEvent (two classes)", created
    tickets = platform.chain.at(created.named("EventCreated")[0]["tickets"], platform.implementation.abi)
    yield "EventFactory.eventOf", factory.send(BEN.address, "eventOf", world.DEPLOYER, config[0])
    yield "EventFactory.isEvent", factory.send(BEN.address, "isEvent", tickets.address)
    yield "EventFactory.predictEvent", factory.send(BEN.address, "predictEvent", world.DEPLOYER, config[0], CUSTODY)
    yield "EventFactory.implementation", factory.send(BEN.address, "implementation")
    # A clone is set up in the transaction that makes it; this one is made by hand, to see what the set-up costs.
    bare = platform.chain.deploy("", platform.implementation.address, CUSTODY, artifact=hostile("BareClone"))
    clone = platform.chain.at(bare.call("made"), platform.implementation.abi)
    yield "EventTickets.initialize (two classes)", clone.send(BEN.address, "initialize", config)

    def yields(name: str, sender: str, *arguments: Any, note: str = "") -> tuple[str, Receipt]:
        label = name if "(" not in name else name.split("(", maxsplit=1)[0]
        return f"EventTickets.{label}{f' ({note})' if note else ''}", tickets.send(sender, name, *arguments)

    anna, ben = ANNA.address, BEN.address
    everyone = sorted([*people(90), *[anna] * 8, CUSTODY, CUSTODY])
    yield yields("mint", ISSUER_KEY, 1, 0, pack(everyone), note="100 owners, first batch")
    yield yields("mint", ISSUER_KEY, 2, 1, pack(everyone), note="100 owners")
    yield yields("mint", ISSUER_KEY, 2, 1, pack(everyone), note="100 owners, repeated")
    hers = [token for token in tickets.call("tokensOfOwner", anna) if token >> 16 == 1]
    capped = [token for token in tickets.call("tokensOfOwner", anna) if token >> 16 == 2]
    kept = tickets.call("tokensOfOwner", CUSTODY)

    yield yields("approve", anna, ben, hers[0])
    yield yields("setApprovalForAll", anna, account("operator"), True)
    yield yields("transferFrom", ben, anna, ben, hers[0], note="first move, by the approved")
    yield yields("transferFrom", ben, ben, account("cara"), hers[0], note="later move")
    yield yields("safeTransferFrom(address,address,uint256)", anna, anna, ben, hers[1])
    yield yields("safeTransferFrom(address,address,uint256,bytes)", anna, anna, ben, hers[2], b"data", note="with data")
    digest = move_digest(tickets, capped[0], ben)
    consent = RELAYER_SIGNER.sign(digest)
    yield yields("moveWithSig", ben, capped[0], ben, FAR, ANNA.sign(digest), consent, note="first move, with consent")
    signature = CUSTODY_SIGNER.sign(claim_digest(tickets, kept[0], ben))
    yield yields("claim", RELAYER_KEY, kept[0], ben, FAR, signature)
    yield yields("suspend", RELAYER_KEY, [hers[3]])
    yield yields("reinstate", RELAYER_KEY, [hers[3]])
    yield yields("revoke", RELAYER_KEY, [hers[3]])
    yield yields(
        "redeemWords", GATE_KEY, [hers[4] >> 7], [2**200 // 3 & ~(1 << 2 * (hers[3] & 127))], note="99 tickets"
    )

    for name, arguments in {
        "balanceOf": (anna,),
        "ownerOf": (hers[5],),
        "getApproved": (hers[5],),
        "isApprovedForAll": (anna, ben),
        "name": (),
        "symbol": (),
        "tokenURI": (hers[5],),
        "contractURI": (),
        "supportsInterface": (bytes.fromhex("80ac58cd"),),
        "royaltyInfo": (hers[5], 10_000),
        "locked": (hers[5],),
        "eip712Domain": (),
        "admin": (),
        "owner": (),
        "pendingAdmin": (),
        "rolesOf": (ISSUER_KEY,),
        "custody": (),
        "market": (),
        "eventInfo": (),
        "classInfo": (1,),
        "paymentOf": (1,),
        "batchInfo": (1,),
        "batchOwners": (1,),
        "tokensOfOwner": (anna,),
        "tokensOfOwnerIn": (anna, 1, 2, True),
        "epochOf": (hers[0],),
        "statusOf": (hers[5],),
        "statusWord": (hers[5] >> 7,),
        "classOf": (hers[5],),
        "lastPaidOf": (hers[5],),
    }.items():
        yield yields(name, ben, *arguments)

    yield yields("addClass", ADMIN, Class().abi())
    yield yields("setCapacity", ADMIN, 1, 9_000)
    yield yields("setTimes", ADMIN, 1, 5, 2**33)
    yield yields("setDetails", ADMIN, PAYEE, "Another description of the evening")
    yield yields("setPolicy", ADMIN, 1, world.FROZEN)
    yield yields("grantRoles", ADMIN, ben, world.GATE)
    yield yields("revokeRoles", ADMIN, ben, world.GATE)
    yield yields("stop", PAUSER_KEY, 7, note="three classes")
    yield yields("resume", ADMIN, 7, note="three classes")
    yield yields("proposeAdmin", ADMIN, ben)
    platform.chain.set_time(platform.chain.now + 3 * DAY)
    yield yields("acceptAdmin", ben)
    yield yields("cancelEvent", ben, note="three classes")


def market_calls(platform: world.Platform) -> Calls:
    market, seller = platform.market, ANNA
    tickets = platform.create(Class(), name="market")
    mint(tickets, 1, [seller.address] * 4)
    ids = [token_id(1, index) for index in range(4)]
    made = [offer(market, tickets, token, seller, 5_000) for token in ids]
    # `settle` is the tickets' part of a fill and can't be called alone.
    yield "EventTickets.settle (within a fill)", made[3].fill(account("first buyer"))
    yield "TicketMarket.fill (native coin, with consent)", made[0].fill(BEN.address)
    yield "TicketMarket.settleFiat", made[1].settle(BEN.address)
    yield "TicketMarket.cancelAsk", market.send(seller.address, "cancelAsk", made[2].ask.abi())
    yield "TicketMarket.cancelAllAsks", market.send(seller.address, "cancelAllAsks")
    market.chain.fund(BEN.address, 10**24)
    orders = [
        market.send(BEN.address, "payOrder", tickets.address, 0, 5_000, salt, value=5_000 * 10**14)
        for salt in SALTS[:3]
    ]
    refs = [receipt.named("OrderPaid")[0]["orderRef"] for receipt in orders]
    yield "TicketMarket.payOrder (native coin)", orders[0]
    yield "TicketMarket.releaseOrders (one)", market.send(SETTLER_KEY, "releaseOrders", refs[:1])
    yield "TicketMarket.refundOrders (one)", market.send(SETTLER_KEY, "refundOrders", refs[1:2])
    for name, arguments in {
        "orderOf": (refs[0],),
        "orderRefOf": (tickets.address, 0, 5_000, SALTS[0]),
        "owed": (ANYBODY, seller.address),
        "counterOf": (seller.address,),
        "isCancelled": (seller.address, SALTS[0]),
        "askDigest": (made[0].ask.abi(),),
        "quote": (tickets.address, ids[0], 5_000),
        "eip712Domain": (),
    }.items():
        yield f"TicketMarket.{name}", market.send(BEN.address, name, *arguments)
    yield "TicketMarket.withdraw (native coin)", market.send(seller.address, "withdraw", ZERO, seller.address)
    market.chain.set_time(market.chain.now + 31 * DAY)
    yield "TicketMarket.reclaimOrder", market.send(BEN.address, "reclaimOrder", refs[2])


def registry_calls(chain: NodeChain) -> Calls:
    registry = chain.deploy("KeyRegistry", ADMIN, KEYS_KEY, RELAYER_KEY, GRACE)

    def yields(name: str, sender: str, *arguments: Any) -> tuple[str, Receipt]:
        return f"KeyRegistry.{name}", registry.send(sender, name, *arguments)

    key = (1, 1, b"event001", b"\x07" * 32, START, 2**32 - 1)
    added = registry.send(KEYS_KEY, "addKey", *key)
    key_id = added.named("KeyAdded")[0]["keyId"]
    yield "KeyRegistry.addKey", added
    for name, arguments in {
        "keyCount": (),
        "keyIdAt": (0,),
        "keyOf": (key_id,),
        "isValidAt": (key_id, 1, b"event001", START + DAY),
        "additionDelay": (),
        "bundleVersion": (b"event001",),
        "bundleAnchor": (b"event001", 1),
        "admin": (),
        "pendingAdmin": (),
        "rolesOf": (KEYS_KEY,),
    }.items():
        yield yields(name, BEN.address, *arguments)
    yield yields("revokeKey", KEYS_KEY, key_id, 1)
    yield yields("anchorBundle", RELAYER_KEY, b"event001", 1, b"\x09" * 32)
    yield yields("grantRoles", ADMIN, BEN.address, world.KEYS)
    yield yields("revokeRoles", ADMIN, BEN.address, world.KEYS)
    yield yields("proposeAdmin", ADMIN, BEN.address)
    chain.set_time(chain.now + 3 * DAY)
    yield yields("acceptAdmin", BEN.address)

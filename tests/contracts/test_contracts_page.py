"""docs/contracts.md does what it says: its blocks run, one after the other, against contracts on a real node."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3

from tests.contracts import world
from tests.contracts.signing import Signer
from tests.contracts.world import RELAYER_SIGNER, Class, mint, token_id
from tests.support.anvil import start_anvil
from tests.support.evm import Contract, NodeChain

pytestmark = pytest.mark.xdist_group("anvil")

PAGE = Path(__file__).parents[2] / "docs" / "contracts.md"
LINES = 10  # a block's
SELLER, BUYER, SETTLER = Signer("page seller"), Signer("page buyer"), Signer("page settler")
TICKET, OTHER = token_id(1, 0), token_id(1, 1)
PRICE, UNITS = 5_500, 5_500 * 10**14
COINS = 10**20  # wei that everybody has at the start


def blocks() -> dict[str, str]:
    """The page's Python, by the comment in its first line."""
    found = re.findall(r"^```python\n# (.+?)\n(.+?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


def test_every_block_is_named_and_short() -> None:
    assert PAGE.read_text().count("```python") == len(blocks())
    assert list(blocks()) == [
        "connect",
        "list",
        "verify",
        "buy",
        "settle",
        "settle what was paid outside the chain",
    ]
    for name, block in blocks().items():
        lines = [line for line in block.splitlines() if line and not line.startswith(("from ", "import "))]
        assert len(lines) <= LINES, name


class Reader:
    """Somebody who has the page, two keys and three addresses."""

    def __init__(self, tickets: Contract, names: dict[str, Any]) -> None:
        self.tickets, self.names = tickets, names

    def run(self, block: str) -> None:
        exec(compile(blocks()[block], f"{PAGE.name}: {block}", "exec"), self.names)  # noqa: S102 - our own page

    def list(self, token: int) -> None:
        self.names["TOKEN"] = token
        self.run("list")
        market = self.names["market"]
        assert market.functions.askDigest(self.names["ask"]).call()
        # What the platform answers when it consents.
        self.names["CONSENT"] = RELAYER_SIGNER.sign(market.functions.askDigest(self.names["ask"]).call())

    def owner(self, token: int) -> str:
        return str(self.tickets.call("ownerOf", token))


@pytest.fixture
def reader() -> Iterator[Reader]:
    with start_anvil() as node:
        chain = NodeChain(node)
        platform = world.deploy_platform(chain)
        tickets = platform.create(Class())
        mint(tickets, 1, [SELLER.address] * 2)
        tickets.send(world.ADMIN, "grantRoles", SETTLER.address, world.SETTLER)
        names: dict[str, Any] = {
            "NODE_URL": node.url,
            "TICKETS": Web3.to_checksum_address(tickets.address),
            "FACTORY": Web3.to_checksum_address(platform.factory.address),
            "PAYMENT_REF": b"\x01" * 32,
        }
        for name, who in (("SELLER", SELLER), ("BUYER", BUYER), ("SETTLER", SETTLER)):
            chain.fund(who.address, COINS)
            names |= {name: Web3.to_checksum_address(who.address), f"{name}_KEY": who.key.secret}
        yield Reader(tickets, names)


def test_a_market_that_knows_only_the_abi_lists_verifies_buys_and_settles(reader: Reader) -> None:
    reader.run("connect")
    reader.list(TICKET)
    reader.run("verify")
    assert (reader.names["genuine"], reader.names["valid"], reader.names["problem"]) == (True, True, "")
    reader.run("buy")
    assert reader.owner(TICKET) == BUYER.address
    assert (reader.names["sale"]["price"], reader.names["sale"]["units"]) == (PRICE, UNITS)
    reader.run("settle")
    assert reader.names["paid"] == UNITS - UNITS * Class().royalty_bps // 10_000
    assert reader.names["owed"] == reader.names["paid"]


def test_a_sale_paid_outside_the_chain_is_settled_by_the_settler(reader: Reader) -> None:
    reader.run("connect")
    reader.list(OTHER)
    reader.run("settle what was paid outside the chain")
    assert reader.owner(OTHER) == BUYER.address
    assert reader.tickets.call("lastPaidOf", OTHER) == PRICE


def test_a_listing_that_cannot_be_filled_is_told_in_a_sentence(reader: Reader) -> None:
    reader.run("connect")
    reader.list(TICKET)
    reader.names["CONSENT"] = b""
    reader.run("verify")
    assert "consent" in reader.names["problem"]
    reader.tickets.send(world.RELAYER_KEY, "suspend", [TICKET])
    reader.list(TICKET)
    reader.run("verify")
    assert reader.names["valid"] is False
    assert "suspended" in reader.names["problem"]

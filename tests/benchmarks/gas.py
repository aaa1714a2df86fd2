"""What the contracts cost, beside OpenZeppelin, ERC721A and Solady compiled in the same run: `make bench-gas`.

Everything runs on anvil, through a clone, under the default policy where there is a choice. A table goes to standard
output (and, with --write, to docs/gas.md); the last line is one JSON object.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contracts import build, load_artifact
from contracts.artifact import artifact_names
from tests.contracts import world
from tests.contracts.compiled import compile_cached, contract, hostile
from tests.contracts.signing import Signer
from tests.contracts.world import GATE_KEY, ISSUER_KEY, MARKET_ONLY, OPEN, Class, Platform, mint, pack, people, token_id
from tests.support.anvil import ROOT, start_anvil
from tests.support.evm import Contract, NodeChain, account

PEERS = {"OpenZeppelin": "OpenZeppelinPeer", "ERC721A": "Erc721aPeer", "Solady": "SoladyPeer"}
SIZES = (1, 2, 5, 10, 50, 100, 500, 1_200)
PEER_CHUNK = 250  # tickets of a peer that fit below EIP-7825's 16.7 million gas
BASE = 21_000  # gas of any transaction
BATCHES, BATCH_SIZE = 2_000, 500  # a million tickets
PRUNED = ["--prune-history", "50"]
CALLS, BLOCKS = 15, 60  # how often a time is taken; of calls the shortest counts, of blocks the median

# What this project promises; gas, times Solady's, milliseconds, times an empty chain's block, bytes.
LIMITS = {
    "mint_500": 6_700,
    "mint_1200": 6_550,
    "redeem_dense_500": 260,
    "transfer_later_vs_solady": 1.15,
    "transfer_later_vs_solady_worst": 1.15,
    "owner_of": 11_000,
    "balance_of_2000_ms": 100,
    "tokens_of_owner_2000_ms": 100,
    "block_ratio_100k": 3,
    "largest_code_bytes": 24_000,
}

Row = tuple[str, str]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="write docs/gas.md")
    write = arguments.parse_args().write
    rows: list[Row] = []
    figures: dict[str, float] = {}
    for measure in (minting, moving, redeeming, reading, blocks):
        with start_anvil(arguments=PRUNED) as node:
            chain = NodeChain(node)
            measure(world.deploy_platform(chain), rows, figures)
    sizes(rows, figures)
    text = table(rows)
    print(text)
    if write:
        (ROOT / "docs" / "gas.md").write_text(f"{HEAD}{limits(figures)}\n\n{text}\n")
    print(json.dumps(figures))


# ---- what is measured


def minting(platform: Platform, rows: list[Row], figures: dict[str, float]) -> None:
    """Gas a ticket, to distinct owners; ours carries class, capacity and policy, the peers nothing of the kind."""
    tickets = platform.create(Class(policy=MARKET_ONLY, capacity=10**6))
    mint(tickets, 900, people(1, "warm"))  # the event is under way: its counters are not zero
    peers = {name: deploy_peer(platform, file) for name, file in PEERS.items()}
    for peer in peers.values():
        peer.send(ISSUER_KEY, "mint", 10**6, people(1, "warm"))
    for number, size in enumerate(SIZES, start=1):
        owners = people(size, f"size {size}")
        ours = mint(tickets, number, owners).gas_used / size
        theirs = {name: peer_mint(peer, number * 10_000, owners) / size for name, peer in peers.items()}
        rows.append((f"mint to {size:,} distinct owners, a ticket", compare(ours, theirs)))
        figures[f"mint_{size}"] = round(ours, 1)
    one = [account("bulk buyer")] * 500
    ours = mint(tickets, 100, one).gas_used / 500
    theirs = {name: peer_mint(peer, 2_000_000, one) / 500 for name, peer in peers.items()}
    rows.append(("mint 500 to one owner, a ticket", compare(ours, theirs)))


def moving(platform: Platform, rows: list[Row], figures: dict[str, float]) -> None:
    """A whole transaction each. First: the ticket never moved. Later: it did."""
    tickets = platform.create(Class(policy=OPEN, capacity=10**6), name="open")
    peers = {name: deploy_peer(platform, file) for name, file in PEERS.items()}
    mint(tickets, 9, people(3, "warm"))
    ours = transfers(tickets, partial(mint_ids, tickets))
    theirs = {name: transfers(peer, partial(peer_ids, peer)) for name, peer in peers.items()}
    for case, gas in ours.items():
        rows.append((f"transferFrom, {case}", compare(gas, {name: found[case] for name, found in theirs.items()})))
    ratios = {case: ours[case] / theirs["Solady"][case] for case in ours if case.startswith("later")}
    figures["transfer_first"] = ours["first, to a new holder"]
    figures["transfer_later_vs_solady"] = round(ratios[ORDINARY], 4)
    figures["transfer_later_vs_solady_worst"] = round(max(ratios.values()), 4)
    # Like for like: ours is a clone, so Solady's behind the same kind of clone.
    made = platform.chain.deploy("", peers["Solady"].address, world.CUSTODY, artifact=hostile("BareClone")).call("made")
    cloned = platform.chain.at(made, peers["Solady"].abi)
    behind = transfers(cloned, partial(peer_ids, cloned))
    rows.extend(
        (f"the same beside Solady behind a clone, {case}", f"{ours[case]:,} | | | {behind[case]:,}") for case in ratios
    )
    figures["transfer_later_vs_solady_cloned_worst"] = round(max(ours[case] / behind[case] for case in ratios), 4)

    capped = platform.create(Class(capacity=10**6), name="capped")
    seller = Signer("seller")
    mint(capped, 1, [seller.address] * 4)
    first, second, third = (token_id(1, index) for index in range(3))
    gift = world.gift(capped, first, seller, account("friend"))
    rows.append(("moveWithSig by the relayer, first move", f"{gift.gas_used:,}"))
    fill = world.offer(platform.market, capped, second, seller, 5_000).fill(account("fan"))
    rows.append(("market fill with consent, native coin, first move", f"{fill.gas_used:,}"))
    settle = world.offer(platform.market, capped, third, seller, 5_000).settle(account("fan 2"))
    rows.append(("fiat settlement, first move", f"{settle.gas_used:,}"))


def redeeming(platform: Platform, rows: list[Row], figures: dict[str, float]) -> None:
    """Gas a ticket for 500 tickets."""
    chance = random.Random(1)
    tickets = platform.create(Class(capacity=10**6))
    mint(tickets, 1, people(500, "dense"))
    dense = redeem(tickets, [token_id(1, index) for index in range(500)])
    rows.append(("redeemWords, 500 of one batch of 500, one call, a ticket", f"{dense / 500:,.1f}"))
    figures["redeem_dense_500"] = round(dense / 500, 1)

    mint(tickets, 2, people(500, "random"))
    arrivals = chance.sample([token_id(2, index) for index in range(500)], 500)
    minutes = [arrivals[start::60] for start in range(60)]
    by_minute = sum(redeem(tickets, minute) for minute in minutes)
    rows.append(("the same in random order, handed over every minute of an hour", f"{by_minute / 500:,.1f}"))
    figures["redeem_random_500"] = round(by_minute / 500, 1)

    for number in range(3, 23):
        mint(tickets, number, people(500, f"venue {number}"))
    venue = [token_id(number, index) for number in range(3, 23) for index in range(500)]
    scattered = chance.sample(venue, 500)
    by_minute = sum(redeem(tickets, scattered[start::60]) for start in range(60))
    rows.append(("500 of 10,000 in random order, handed over every minute", f"{by_minute / 500:,.1f}"))
    left = chance.sample(sorted(set(venue) - set(scattered)), 500)
    rows.append(("500 more of the same 10,000, handed over once", f"{redeem(tickets, left) / 500:,.1f}"))
    mint(tickets, 50, people(1, "alone"))
    rows.append(("one ticket alone in its word, a transaction", f"{redeem(tickets, [token_id(50, 0)]):,}"))


def reading(platform: Platform, rows: list[Row], figures: dict[str, float]) -> None:
    """ownerOf as gas beyond the transaction's own; the searches as milliseconds of an eth_call."""
    tickets = platform.create(Class(policy=OPEN, capacity=2**32 - 1))
    fan, collector = account("fan"), account("collector")
    mint(tickets, 1, [fan, fan, *people(BATCH_SIZE - 2)])
    mine = tickets.call("tokensOfOwner", fan)
    unmoved = execution(tickets, "ownerOf", mine[0])
    tickets.send(fan, "transferFrom", fan, collector, mine[1])
    moved = execution(tickets, "ownerOf", mine[1])
    rows.append(("ownerOf before / after the first move, gas of the call", f"{unmoved:,} / {moved:,}"))
    figures["owner_of"] = unmoved

    owners = [pack([fan, *people(BATCH_SIZE - 1, f"crowd {index}")]) for index in range(20)]
    for number in range(2, BATCHES + 1):
        tickets.send(ISSUER_KEY, "mint", number, 0, owners[number % 20])
    assert tickets.call("balanceOf", fan) == BATCHES
    for who, name in ((fan, "a ticket in each"), (collector, "one moved ticket"), (account("nobody"), "none")):
        balance = milliseconds(partial(tickets.call, "balanceOf", who))
        listed = milliseconds(partial(tickets.call, "tokensOfOwner", who))
        rows.append(
            (
                f"balanceOf / tokensOfOwner among {BATCHES:,} batches of {BATCH_SIZE}, a holder with {name}",
                f"{balance:.1f} / {listed:.1f} ms",
            )
        )
        figures["balance_of_2000_ms"] = max(figures.get("balance_of_2000_ms", 0), round(balance, 1))
        figures["tokens_of_owner_2000_ms"] = max(figures.get("tokens_of_owner_2000_ms", 0), round(listed, 1))


def blocks(platform: Platform, rows: list[Row], figures: dict[str, float]) -> None:
    """How long the node takes for a block with one ticket in it: on an empty chain, and with 100,000 tickets minted.

    Two nodes, a block of each in turn, so that whatever else the machine does is met by both.
    """
    full = platform.create(Class(policy=OPEN, capacity=10**6), name="full")
    for number in range(1, 201):
        mint(full, number, people(500, f"hall {number % 10}"))
    with start_anvil(arguments=PRUNED) as node:
        empty = world.deploy_platform(NodeChain(node)).create(Class(policy=OPEN, capacity=10**6), name="empty")
        pairs = [
            (block_milliseconds(empty, turn), block_milliseconds(full, 200 + turn)) for turn in range(1, BLOCKS + 1)
        ]
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    rows.append(("a block with one ticket, empty chain / 100,000 tickets", f"{before:.2f} / {after:.2f} ms"))
    figures["block_ratio_100k"] = round(after / before, 2)


def sizes(rows: list[Row], figures: dict[str, float]) -> None:
    """Bytes of code; EIP-170 allows 24,576."""
    for name in artifact_names():
        size = len(load_artifact(name).deployed_bytecode) // 2 - 1
        rows.append((f"code of {name}, bytes", f"{size:,}"))
        figures["largest_code_bytes"] = max(figures.get("largest_code_bytes", 0), size)


# ---- how


ORDINARY = "later, the only ticket, to a new holder"


def transfers(collection: Contract, make: Callable[[list[str]], list[int]]) -> dict[str, int]:
    """Gas of a transferFrom in each of the cases that differ."""
    anna, ben, cara, dora, erik = (account(f"{name} of {collection.address}") for name in ("a", "b", "c", "d", "e"))
    ids = make([anna] * 6)

    def send(holder: str, to: str, token: int) -> int:
        return collection.send(holder, "transferFrom", holder, to, token).gas_used

    found = {"first, to a new holder": send(anna, ben, ids[0]), "first, to a holder of others": send(anna, ben, ids[1])}
    send(anna, ben, ids[2])
    found["later, one of several, to a new holder"] = send(ben, cara, ids[0])
    found["later, one of several, to a holder of others"] = send(ben, cara, ids[1])
    found["later, the only ticket, to a holder of others"] = send(ben, cara, ids[2])
    send(anna, dora, ids[3])
    found[ORDINARY] = send(dora, erik, ids[3])
    return found


def mint_ids(tickets: Contract, owners: list[str]) -> list[int]:
    mint(tickets, 1, owners)
    return [token_id(1, index) for index in range(len(owners))]


def peer_ids(peer: Contract, owners: list[str]) -> list[int]:
    peer.send(ISSUER_KEY, "mint", 0, owners)
    return list(range(len(owners)))


def deploy_peer(platform: Platform, name: str) -> Contract:
    output = compile_cached(build.compiler_input(Path(__file__).parent / "peers"))
    found = contract(output, f"src/{name}.sol", name)
    return platform.chain.deploy(name, artifact=SimpleNamespace(abi=found.abi, bytecode=found.bytecode))


def peer_mint(peer: Contract, first_id: int, owners: list[str]) -> int:
    chunks = [owners[start : start + PEER_CHUNK] for start in range(0, len(owners), PEER_CHUNK)]
    return sum(
        peer.send(ISSUER_KEY, "mint", first_id + index * PEER_CHUNK, chunk).gas_used
        for index, chunk in enumerate(chunks)
    )


def redeem(tickets: Contract, ids: Iterable[int]) -> int:
    masks: dict[int, int] = {}
    for token in ids:
        masks[token >> 7] = masks.get(token >> 7, 0) | 1 << 2 * (token & 127)
    words = sorted(masks)
    receipt = tickets.send(GATE_KEY, "redeemWords", words, [masks[word] for word in words])
    assert receipt.named("RedeemOverlap") == []
    return receipt.gas_used


def execution(tickets: Contract, function: str, *arguments: Any) -> int:
    """Gas of a call beyond what its transaction costs anyway."""
    data = tickets.encode(function, *arguments)
    calldata = sum(16 if byte else 4 for byte in data)
    return tickets.send(account("anyone"), function, *arguments).gas_used - BASE - calldata


def milliseconds(call: Callable[[], Any]) -> float:
    """The shortest of several: what the call takes, without what else the machine does."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times) * 1_000


def block_milliseconds(tickets: Contract, number: int) -> float:
    """The time of `evm_mine` with one one-ticket mint waiting."""
    chain = tickets.chain
    assert isinstance(chain, NodeChain)
    node = chain.node
    chain.fund(ISSUER_KEY, 10**24)
    node.rpc("evm_setAutomine", False)
    data = tickets.encode("mint", number, 0, pack([account(f"late {number}")]))
    fields = {"from": ISSUER_KEY, "to": tickets.address, "data": "0x" + data.hex(), "gas": hex(10**6)}
    sent = node.rpc("eth_sendTransaction", fields)
    start = time.perf_counter()
    node.rpc("evm_mine")
    passed = time.perf_counter() - start
    assert node.rpc("eth_getTransactionReceipt", sent)["status"] == "0x1"
    node.rpc("evm_setAutomine", True)
    return passed * 1_000


# ---- the table


HEAD = """# What the contracts cost

Measured by `make bench-gas WRITE=1` on anvil, through a clone, policies on; peers compiled with the same compiler and
settings and measured in the same run. Gas is exact and does not depend on the machine; milliseconds are of a 2-core
machine that had other work to do: of calls the shortest of 15, of blocks the median of 60 pairs. Moves are whole
transactions of an `open` class, since the peers have no policies; every check of SPEC 8.6 runs all the same. Why a
later transfer costs what it does: [decision 12](decisions/0012-transfer.md). The gas of every external function:
`tests/contracts/gas.snapshot` (`make gas-snapshot`).

"""


def compare(ours: float, theirs: dict[str, float]) -> str:
    """A row of four figures."""
    return " | ".join(f"{value:,.0f}" for value in (ours, *theirs.values()))


def limits(figures: dict[str, float]) -> str:
    lines = ["| figure | measured | at most |", "| --- | ---: | ---: |"]
    return "\n".join([*lines, *(f"| {name} | {figures[name]:,} | {most:,} |" for name, most in LIMITS.items())])


def table(rows: list[Row]) -> str:
    lines = [f"| what | Truestub | {' | '.join(PEERS)} |", "| --- |" + " ---: |" * (len(PEERS) + 1)]
    for what, values in rows:
        lines.append(f"| {what} | {values} |" + " |" * (len(PEERS) - values.count("|")))
    return "\n".join(lines)


if __name__ == "__main__":
    main()

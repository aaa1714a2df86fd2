"""The chain node and the way to it, broken in every way we know: each test is a row of docs/faults.md."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from backend.chain.fees import MAX_FEE
from backend.chain.node import BLOCK_GAS_LIMIT
from backend.domain.batching import mint_gas
from tests.faults.arena import ISSUER, SETTLE_SECONDS, Arena, Seen
from tests.support.chain_node import ChainNode
from tests.support.chain_platform import deploy_anew
from tests.support.installation import wait_until

CHAIN = "tests/backend/chain/"
DEAD = CHAIN + "test_follow.py::test_while_the_node_is_dead_batches_close_and_all_is_minted_once_it_is_back"
HANGS = CHAIN + "test_rpc.py::test_a_hanging_node_ends_at_the_deadline_and_answers_once_woken"
DRIPS = CHAIN + "test_rpc.py::test_misbehaviour_has_a_name_and_ends_at_the_deadline"
REPLAYED = CHAIN + "test_replay.py::test_a_mixed_history_comes_back_in_order_at_its_times_and_the_rest_is_named"
GAP = CHAIN + "test_relayer.py::test_a_gap_below_our_nonces_is_filled_and_what_waited_above_goes_through"
LASTING = CHAIN + "test_stuck.py::test_what_keeps_us_from_the_chain_for_long_is_told_and_then_all_is_minted_once"
FAULTY = CHAIN + "test_node_faults.py::test_no_misbehaviour_of_a_node_loses_or_doubles_a_ticket"


def by_proxy(arena: Arena, seen: Seen, mode: str, only: str = "", *, opens: bool = True) -> None:
    def begin() -> None:
        arena.proxy.mode, arena.proxy.only = mode, only

    def end() -> None:
        arena.proxy.mode, arena.proxy.only = "pass", ""

    arena.row(seen, begin, end, opens=opens)


@pytest.mark.faults(
    row="node: killed",
    short=DEAD,
)
def test_killed(arena: Arena, seen: Seen) -> None:
    kept = arena.save("platform/node.state")
    arena.row(seen, lambda: arena.platform.kill("node"), lambda: arena.start_node(kept))


@pytest.mark.faults(row="node: hanging (SIGSTOP)", short=HANGS)
def test_hanging(arena: Arena, seen: Seen) -> None:
    arena.row(seen, lambda: arena.pause_process("node"), lambda: arena.wake_process("node"))


@pytest.mark.faults(row="node: 1 byte/s", short=DRIPS)
def test_drip(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "drip")


@pytest.mark.faults(row="node: HTTP 500", short=FAULTY)
def test_status_500(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "status:500")


@pytest.mark.faults(row="node: HTTP 429", short=FAULTY)
def test_status_429(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "status:429")


@pytest.mark.faults(row="node: junk bodies", short=FAULTY)
def test_junk(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "junk")


@pytest.mark.faults(
    row="node: answer lost after acceptance",
    short=CHAIN + "test_node_faults.py::test_an_answer_lost_after_acceptance_is_not_sent_as_something_new",
)
def test_answer_lost(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "lose", "eth_sendRawTransaction", opens=False)


@pytest.mark.faults(row="node: wrong chain id", short=FAULTY)
def test_wrong_chain_id(arena: Arena, seen: Seen) -> None:
    by_proxy(arena, seen, "other_chain")


@pytest.mark.faults(
    row="node: wiped", short=CHAIN + "test_follow.py::test_a_wiped_node_stops_minting_and_the_right_one_resumes_it"
)
def test_wiped(arena: Arena, seen: Seen) -> None:
    kept = arena.save("right")

    def begin() -> None:
        arena.platform.kill("node")
        (arena.platform.folder / "platform" / "node.state").unlink(missing_ok=True)
        arena.start_node()

    arena.row(seen, begin, lambda: arena.restart_node(kept))


@pytest.mark.faults(
    row="node: redeployed at the same address",
    short=CHAIN + "test_follow.py::test_code_that_is_not_ours_at_our_address_is_noticed",
)
def test_redeployed(arena: Arena, seen: Seen) -> None:
    address = arena.event_contract()
    ours = arena.rpc("eth_getCode", address, "latest")
    arena.row(
        seen,
        lambda: arena.rpc("anvil_setCode", address, "0x600160005260206000f3"),
        lambda: arena.rpc("anvil_setCode", address, ours),
    )


@pytest.mark.faults(
    row="node: another chain with our contracts at the same addresses",
    short=CHAIN + "test_follow.py::test_a_wiped_node_stops_minting_and_the_right_one_resumes_it",
)
def test_redeployed_elsewhere(arena: Arena, seen: Seen, tmp_path: Path) -> None:
    other = ChainNode(flags=("--timestamp", "1700000000"))  # a genesis of its own
    other.start()

    def follow(url: str) -> None:
        arena.proxy.upstream = url

    try:
        deploy_anew(other, tmp_path / "other.sqlite")
        arena.row(seen, partial(follow, other.url), partial(follow, arena.platform.node_url))
    finally:
        other.close()


@pytest.mark.faults(
    row="node: reorganisation within finality",
    short=CHAIN + "test_follow.py::test_a_reorganisation_within_finality_is_swapped_and_sent_again",
)
def test_reorganised(arena: Arena, seen: Seen) -> None:
    arena.row(seen, lambda: arena.rpc("anvil_reorg", 2, []), lambda: None, opens=False)


@pytest.mark.faults(row="node: reorganisation beyond finality", short=REPLAYED)
def test_reorganised_beyond_finality(arena: Arena, seen: Seen) -> None:
    arena.sell(1)
    arena.settle()
    arena.row(seen, lambda: arena.rpc("anvil_reorg", 8, []), lambda: None, opens=False)


@pytest.mark.faults(
    row="node: rolled back to an older state",
    short=CHAIN + "test_follow.py::test_a_node_rolled_back_to_an_older_state_gets_the_same_bytes_and_nothing_twice",
)
def test_rolled_back(arena: Arena, seen: Seen) -> None:
    older = arena.save("older")
    arena.sell(3)
    arena.settle()
    arena.row(seen, lambda: arena.restart_node(older), lambda: None, opens=False)


@pytest.mark.faults(
    row="node: behind its head",
    short=CHAIN + "test_follow.py::test_an_endpoint_that_stands_still_is_left_for_one_that_goes_on",
)
def test_behind(arena: Arena, seen: Seen) -> None:
    head = int(arena.rpc("eth_blockNumber"), 16)
    by_proxy(arena, seen, f"lag:{head - 6}")


@pytest.mark.faults(
    row="transaction: dropped", short=CHAIN + "test_relayer.py::test_a_transaction_the_node_dropped_is_sent_again"
)
def test_dropped(arena: Arena, seen: Seen) -> None:
    with arena.without_blocks():
        sell_until_sent(arena, seen)
        arena.rpc("anvil_dropAllTransactions")
    arena.row(seen, lambda: None, lambda: None, opens=False)


@pytest.mark.faults(
    row="transaction: nonce gap",
    short=GAP,
)
def test_nonce_gap(arena: Arena, seen: Seen) -> None:
    count = int(arena.rpc("eth_getTransactionCount", ISSUER, "latest"), 16)
    with arena.without_blocks():
        arena.rpc("anvil_setNonce", ISSUER, hex(count + 2))
        sell_until_sent(arena, seen)
        arena.rpc("anvil_dropAllTransactions")
        arena.rpc("anvil_setNonce", ISSUER, hex(count))
    arena.row(seen, lambda: None, lambda: None, opens=False)


@pytest.mark.faults(
    row="transaction: nonce too low",
    short=CHAIN + "test_relayer.py::test_a_job_whose_nonce_somebody_else_used_is_queued_again",
)
def test_nonce_too_low(arena: Arena, seen: Seen) -> None:
    with arena.without_blocks():
        count = int(arena.rpc("eth_getTransactionCount", ISSUER, "latest"), 16)
        sell_until_sent(arena, seen)
        arena.rpc("anvil_dropAllTransactions")
        arena.rpc("anvil_setNonce", ISSUER, hex(count + 1))
    arena.row(seen, lambda: None, lambda: None, opens=False)


@pytest.mark.faults(
    row="transaction: underpriced",
    short=CHAIN + "test_relayer.py::test_an_underpriced_transaction_is_offered_more_and_not_at_every_refusal",
)
def test_underpriced(arena: Arena, seen: Seen) -> None:
    with arena.without_blocks():
        sell_until_sent(arena, seen)
        arena.rpc("anvil_dropAllTransactions")
        arena.rpc("anvil_setNextBlockBaseFeePerGas", hex(40_000_000_000))
        arena.rpc("evm_mine")
    arena.row(seen, lambda: None, lambda: None, opens=False)


@pytest.mark.faults(
    row="transaction: dropped as often as it is sent",
    short=LASTING,
)
def test_dropped_again_and_again(arena: Arena, seen: Seen) -> None:
    """The node takes every transaction and has forgotten it a moment later."""
    by_proxy(arena, seen, "forget", "eth_sendRawTransaction")


@pytest.mark.faults(
    row="transaction: nonce gap that stays",
    short=LASTING,
)
def test_lasting_nonce_gap(arena: Arena, seen: Seen) -> None:
    """The node forgets the next nonce's transaction, however often it is sent, and keeps all above it."""
    first = int(arena.rpc("eth_getTransactionCount", ISSUER, "latest"), 16)

    def begin() -> None:
        arena.proxy.forgets = (ISSUER, first)
        arena.proxy.mode, arena.proxy.only = "forget", "eth_sendRawTransaction"

    def meanwhile() -> None:
        arena.sell(1, codes=False)  # another batch, above the gap
        seen.sold += 1
        wait_until(lambda: above_a_gap(arena), "a transaction above the gap", SETTLE_SECONDS)
        assert int(arena.rpc("eth_getTransactionCount", ISSUER, "latest"), 16) == first, "the chain still waits for it"

    def end() -> None:
        arena.proxy.mode, arena.proxy.only, arena.proxy.forgets = "pass", "", None

    arena.row(seen, begin, end, meanwhile=meanwhile)


@pytest.mark.faults(
    row="transaction: underpriced until the market falls",
    short=LASTING,
)
def test_lasting_underpriced(arena: Arena, seen: Seen) -> None:
    """Blocks cost more than we ever offer; nothing is bid beyond that, and it is told."""
    market = DearMarket(arena)

    def meanwhile() -> None:
        assert any("fees" in one["sentence"] for one in arena.incidents()), arena.incidents()

    try:
        arena.row(seen, market.start, market.end, meanwhile=meanwhile)
    finally:
        market.end()


class DearMarket:
    """Holds the base fee above what we offer at most: each block's is set anew, since an empty block lowers it."""

    def __init__(self, arena: Arena) -> None:
        self._arena, self._ended = arena, Event()
        self._before = arena.rpc("eth_getBlockByNumber", "latest", False)["baseFeePerGas"]
        self._thread = Thread(target=self._hold, daemon=True)

    def start(self) -> None:
        self._arena.rpc("anvil_setNextBlockBaseFeePerGas", hex(DEAR))
        self._thread.start()

    def end(self) -> None:
        if not self._ended.is_set():
            self._ended.set()
            if self._thread.ident:
                self._thread.join()
            self._arena.rpc("anvil_setNextBlockBaseFeePerGas", self._before)

    def _hold(self) -> None:
        while not self._ended.wait(0.2):
            self._arena.rpc("anvil_setNextBlockBaseFeePerGas", hex(DEAR))


DEAR = 3 * MAX_FEE  # wei for a gas; eight blocks without a word leave it above what we offer


def above_a_gap(arena: Arena) -> bool:
    """Whether the node keeps something of the issuer that it can't put into a block yet."""
    queued = arena.rpc("txpool_content")["queued"]
    return any(address.lower() == ISSUER and kept for address, kept in queued.items())


@pytest.mark.faults(
    row="transaction: mempool stuck",
    short=CHAIN + "test_relayer.py::test_a_stuck_transaction_is_offered_more_on_the_same_nonce",
)
def test_stuck(arena: Arena, seen: Seen) -> None:
    """No block is made any more; it is told although the node answers all the time."""
    arena.row(seen, partial(arena.make_blocks, 0), partial(arena.make_blocks, 1))


@pytest.mark.faults(
    row="transaction: account without funds",
    short=CHAIN + "test_stuck.py::test_an_account_without_funds_is_told_until_it_has_some",
)
def test_unfunded(arena: Arena, seen: Seen) -> None:
    had = arena.rpc("eth_getBalance", ISSUER, "latest")
    arena.row(
        seen,
        partial(arena.rpc, "anvil_setBalance", ISSUER, "0x0"),
        partial(arena.rpc, "anvil_setBalance", ISSUER, had),
    )


@pytest.mark.faults(
    row="node: two endpoints that disagree",
    short=CHAIN + "test_follow.py::test_the_endpoint_that_has_our_blocks_is_followed_whatever_the_first_says",
)
def test_two_endpoints(arena: Arena, seen: Seen) -> None:
    other = ChainNode()
    other.start()

    def work_with(*urls: str) -> None:
        arena.platform.environ["TRUESTUB_NODE_URLS"] = ",".join(urls)
        arena.platform.kill("work")
        arena.platform.start("work")

    try:
        arena.row(seen, lambda: work_with(other.url, arena.proxy.url), lambda: work_with(arena.proxy.url), opens=False)
    finally:
        other.close()


def sell_until_sent(arena: Arena, seen: Seen) -> None:
    """Sell two tickets and wait until a node has their mint."""
    before = arena.jobs("sent")
    arena.sell(2)
    seen.sold += 2
    wait_until(lambda: arena.jobs("sent") > before, "the mint to be sent", SETTLE_SECONDS)


@pytest.mark.faults(
    row="node: hanging until a backlog takes half a minute to drain",
    short="tests/backend/ops/test_estimate.py::test_once_two_blocks_took_some_the_estimate_is_within_a_factor_of_two_until_the_end",
)
def test_backlog(arena: Arena, seen: Seen) -> None:
    """Batches of one, and blocks that hold one each: what the status says of the end must come true."""
    said = Estimates(arena)
    try:

        def begin() -> None:
            arena.rpc("evm_setBlockGasLimit", hex(mint_gas(1) * 3 // 2))
            arena.pause_process("node")

        def end() -> None:
            arena.wake_process("node")
            said.start()

        arena.row(seen, begin, end, codes=False, quantity=1, meanwhile=lambda: pile_up(arena, seen), fair=False)
    finally:
        said.stop()
        arena.rpc("evm_setBlockGasLimit", hex(BLOCK_GAS_LIMIT))
    judged = said.judged()
    assert said.took_s >= BACKLOG_SECONDS
    assert len(judged) >= BACKLOG_SECONDS / 2
    assert all(1 / 2 <= told / true <= 2 for told, true in judged), judged
    seen.eta, seen.took_s = f"{judged[0][0]:.0f} s", judged[0][1]


BACKLOG = 28  # batches
BACKLOG_SECONDS = 20
FIRST_SECONDS = 5  # of the drain, in which its rate is learnt
FAIR_SECONDS = 4  # before the end, from where a block more or less is all that is left


def pile_up(arena: Arena, seen: Seen) -> None:
    """One batch after another."""
    for _ in range(BACKLOG):
        waiting = partial(arena.jobs, "queued", "signed", "sent")
        before = waiting()
        arena.sell(1, codes=False)
        seen.sold += 1
        wait_until(partial(_exceeds, waiting, before), "the batch")


def _exceeds(counted: Callable[[], int], before: int) -> bool:
    return counted() > before


class Estimates:
    """What the status says of the end, every half second until it comes."""

    def __init__(self, arena: Arena) -> None:
        self._arena, self._stop = arena, Event()
        self._told: list[tuple[float, float]] = []  # when (Unix seconds), and the end that was told
        self._end = 0.0
        self._thread = Thread(target=self._look)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join()

    @property
    def took_s(self) -> float:
        """From the first estimate to the end."""
        return self._end - self._told[0][0]

    def judged(self) -> list[tuple[float, float]]:
        """Seconds told and true, from when the rate could be known until just before the end."""
        first = self._told[0][0]
        return [
            (told - at, self._end - at)
            for at, told in self._told
            if at - first >= FIRST_SECONDS and self._end - at >= FAIR_SECONDS
        ]

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            ends = [one["eta_at"] for one in self._arena.incidents() if one["eta_at"]]
            if ends:
                self._told.append((time.time(), datetime.fromisoformat(ends[0]).timestamp()))
            if self._told and self._arena.minted():
                self._end = time.time()
                return

"""From a fault to the banner within 10 s at the worst moment: by the periods and patiences that are in use."""

import pytest

from backend.chain.rpc import DEADLINE_SECONDS
from backend.cli.work import CHAIN_SECONDS
from backend.ops.glance import GLANCE_SECONDS
from backend.ops.health import STALLED_COMMIT_MS, WORKER_GONE_MS
from backend.ops.incidents import Memory, Trouble, step
from backend.ops.readings import SIGNER_SECONDS
from backend.ops.watch import LEASE_SECONDS, LOOK_SECONDS
from backend.sales.till.trouble import LATELY_SECONDS
from backend.web.pages.status import REMEMBER_SECONDS

BANNER_SECONDS = 10.0
ENDPOINTS = 2  # that all hang, each until its deadline

NOTICED = {  # how long at most until what the status is judged by tells of the fault
    "every endpoint hangs": CHAIN_SECONDS + ENDPOINTS * DEADLINE_SECONDS,
    "the signer is dead": SIGNER_SECONDS,
    "the database hangs": GLANCE_SECONDS + LATELY_SECONDS,
    "no worker is left": LEASE_SECONDS + WORKER_GONE_MS / 1000,
    "the synchronous standby hangs": LOOK_SECONDS + STALLED_COMMIT_MS / 1000,
}


@pytest.mark.parametrize("fault", NOTICED)
def test_a_fault_is_in_the_banner_of_every_page_that_is_asked_for_ten_seconds_later(fault: str) -> None:
    assert NOTICED[fault] + REMEMBER_SECONDS <= BANNER_SECONDS


@pytest.mark.parametrize(
    ("noticed_s", "takes_over_s"),
    [
        pytest.param(CHAIN_SECONDS + DEADLINE_SECONDS, 0, id="a node hangs"),
        pytest.param(SIGNER_SECONDS, LEASE_SECONDS, id="the signer dies with the worker that watched"),
    ],
)
def test_an_incident_is_open_ten_seconds_after_the_fault(noticed_s: float, takes_over_s: float) -> None:
    noticed_ms = round(1000 * noticed_s)
    trouble = Trouble("chain", "unreachable", "waits", {}, noticed_ms, ("minting",))
    memory, now_ms = Memory(), noticed_ms - 1 + round(1000 * takes_over_s)  # the watcher looked just before
    while True:
        now_ms += round(1000 * LOOK_SECONDS)
        decided = step(memory, [], {"chain": trouble}, now_ms)
        if decided.opened:
            break
        memory = decided.memory
    assert now_ms / 1000 <= BANNER_SECONDS

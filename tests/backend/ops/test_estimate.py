"""The estimate of when a backlog is gone, against simulated chains that take it."""

from collections.abc import Iterator

import pytest

from backend.ops.estimate import ASSUMED_PER_S, FEW_SECONDS, Drain, Sample, seconds_after_return, seconds_to_drain

OUTAGE_MS = 60_000
FAIR_FROM_S = 4  # remaining; below it the block that is being made is all there is to wait for


def drained(backlog: int, per_block: int, block_ms: int, done: int = 7) -> Iterator[Sample]:
    """Samples of each second from the chain's return until nothing waits; blocks come between the samples."""
    waiting, at_ms, next_block = backlog, 0, block_ms // 3
    while waiting:
        while next_block <= at_ms and waiting:
            taken = min(per_block, waiting)
            waiting, done, next_block = waiting - taken, done + taken, next_block + block_ms
        yield Sample(OUTAGE_MS + at_ms, done, waiting)
        at_ms += 1000


@pytest.mark.parametrize(
    ("backlog", "per_block", "block_ms"),
    [(50, 2, 1000), (30_000, 1_228, 1000), (9_000, 300, 2000), (40_000, 4_600, 12_000), (400_000, 11_000, 1000)],
)
def test_once_two_blocks_took_some_the_estimate_is_within_a_factor_of_two_until_the_end(
    backlog: int, per_block: int, block_ms: int
) -> None:
    drain, samples = Drain(), list(drained(backlog, per_block, block_ms))
    end_ms, judged = samples[-1].at_ms, 0
    for sample in samples:
        drain.note(sample)
        remaining_s = (end_ms - sample.at_ms) / 1000
        taken_blocks = (sample.done - 7) // per_block
        if taken_blocks >= 2 and remaining_s >= max(FAIR_FROM_S, block_ms / 1000):
            estimate = seconds_to_drain(sample.waiting, drain.per_s, block_ms / 1000)
            assert remaining_s / 2 <= estimate <= remaining_s * 2, sample
            judged += 1
    assert judged > 5


def test_a_slow_sale_says_nothing_of_what_the_chain_can_take() -> None:
    drain = Drain()
    for second in range(300):
        drain.note(Sample(second * 1000, second * 2, 0))  # two tickets a second, and no backlog ever
    assert drain.per_s == ASSUMED_PER_S


def test_time_in_which_the_chain_was_away_is_not_slowness() -> None:
    drain = Drain()
    for sample in drained(500, 10, 1000):
        drain.note(sample)
    learnt = drain.per_s
    assert learnt == pytest.approx(10, rel=0.3)
    for second in range(100, 400):
        drain.note(Sample(OUTAGE_MS + second * 1000, 507, 80))
    assert drain.per_s == learnt
    drain.note(Sample(OUTAGE_MS + 400_000, 517, 70))
    drain.note(Sample(OUTAGE_MS + 401_000, 527, 60))
    assert drain.per_s == pytest.approx(10, rel=0.5)


def test_a_backlog_gone_at_once_shows_that_the_chain_is_at_least_so_fast() -> None:
    drain = Drain()
    drain.note(Sample(0, 0, 20_000))
    drain.note(Sample(1000, 20_000, 0))
    assert drain.per_s >= 10_000
    drain.note(Sample(2000, 20_000, 4))
    drain.note(Sample(3000, 20_004, 0))
    assert drain.per_s >= 10_000


@pytest.mark.parametrize("backlog", [2, 4, 28])
def test_a_short_backlog_says_nothing_of_a_long_one(backlog: int) -> None:
    drain = Drain()
    for _outage in range(3):
        for sample in drained(backlog, 14, 1000):
            drain.note(sample)
    assert drain.learnt is None
    assert seconds_to_drain(backlog, drain.per_s, 1.0) <= FEW_SECONDS


def test_what_was_learnt_helps_the_next_worker_from_its_first_look() -> None:
    before = Drain()
    for sample in drained(300, 10, 1000):
        before.note(sample)
    after = Drain(before.learnt)
    assert seconds_to_drain(300, after.per_s, 1.0) == pytest.approx(30, rel=0.3)


def test_a_queue_needs_its_blocks_and_a_node_that_comes_back_is_noticed_after_a_rest() -> None:
    assert seconds_to_drain(1, ASSUMED_PER_S, 12.0) == 24
    assert seconds_after_return(1, ASSUMED_PER_S, 12.0) == 28

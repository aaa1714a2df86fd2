"""A worker's tasks: one that fails never stops another, and one process at a time leads each."""

import logging
import time
from threading import Event, Thread

import pytest
from sqlalchemy import Engine, update

from backend.chain import leases
from backend.chain.leases import LONGEST_LEASE_MS, HeldLease
from backend.db.clock import now_ms
from backend.db.tables.chain import Lease
from backend.ops import crew
from backend.ops.crew import Task, work
from backend.ops.restore import mark, unmark
from backend.sales.installation import ensure_platform
from tests.support.installation import wait_until


class Counting:
    """A task that counts its runs, and fails as told."""

    def __init__(self, name: str, error: Exception | None = None) -> None:
        self.runs, self.error = 0, error
        self.task = Task(name, 0.01, self.run)

    def run(self, _held: HeldLease) -> int:
        self.runs += 1
        if self.error:
            raise self.error
        return 0


def started(engine: Engine, stop: Event, holder: str, *tasks: Counting) -> Thread:
    thread = Thread(target=work, args=(engine, [one.task for one in tasks], holder, stop))
    thread.start()
    return thread


def test_a_task_that_fails_is_tried_again_and_stops_no_other(
    engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "FIRST_PAUSE_SECONDS", 0.01)
    caplog.set_level(logging.WARNING)
    stop, broken, healthy = Event(), Counting("broken", RuntimeError("no")), Counting("healthy")
    thread = started(engine, stop, "one", broken, healthy)
    wait_until(lambda: broken.runs >= 3 and healthy.runs >= 3, "both to run")
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert sum("broken" in line for line in caplog.messages) == 1  # said once, not at every try


def test_one_worker_leads_and_another_takes_over_when_it_stops(engine: Engine) -> None:
    stops, first, second = (Event(), Event()), Counting("t"), Counting("t")
    one = started(engine, stops[0], "one", first)
    wait_until(lambda: first.runs, "the first leader")
    two = started(engine, stops[1], "two", second)
    runs = first.runs
    wait_until(lambda: first.runs > runs + 5, "some rounds")
    assert second.runs == 0
    stops[0].set()
    one.join(20)
    wait_until(lambda: second.runs, "the successor")
    stops[1].set()
    two.join(20)


def test_a_database_restored_under_a_running_worker_is_left_alone_until_it_is_reconciled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "REST_SECONDS", 0.01)
    with engine.begin() as connection:
        ensure_platform(connection)
    stop, task = Event(), Counting("t")
    thread = started(engine, stop, "one", task)
    try:
        wait_until(lambda: task.runs, "the worker")
        with engine.begin() as connection:
            mark(connection, made_at=1)
        wait_until(lambda: leases.take(engine, "t", "reconcile"), "the task to let go")
        runs = task.runs
        with engine.begin() as connection:
            connection.execute(update(Lease).values(expires_ms=0))
        time.sleep(20 * crew.REST_SECONDS)
        assert task.runs == runs
        with engine.begin() as connection:
            unmark(connection)
        wait_until(lambda: task.runs > runs, "the worker to go on by itself")
    finally:
        stop.set()
        thread.join(20)


def test_a_leader_that_lost_its_lease_does_not_go_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "RENEW_SECONDS", 0.05)
    stop, task = Event(), Counting("t")
    thread = started(engine, stop, "one", task)
    wait_until(lambda: task.runs, "the leader")
    with engine.begin() as connection:
        far = now_ms(connection) + LONGEST_LEASE_MS - 10_000
        connection.execute(update(Lease).values(holder="other", fence=Lease.fence + 1, expires_ms=far))
    seen = [-1]

    def still() -> bool:
        seen.append(task.runs)
        return len(seen) > 5 and seen[-1] == seen[-5]

    try:
        wait_until(still, "the old leader to stop")
    finally:
        stop.set()
        thread.join(20)

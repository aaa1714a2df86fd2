"""There is one leader, and one that was away can't undo what its successor did."""

import threading

import pytest
from sqlalchemy import Engine, update

from backend.chain.leases import HeldLease, LeaseLostError, release, require_held, take
from backend.db.tables.chain import Lease


def expire(engine: Engine) -> None:
    """As if the holder had been silent for long."""
    with engine.begin() as connection:
        connection.execute(update(Lease).values(expires_ms=1))


def test_only_one_of_many_becomes_leader(engine: Engine) -> None:
    taken: list[HeldLease] = []

    def compete(holder: str) -> None:
        if held := take(engine, "relayer", holder):
            taken.append(held)

    threads = [threading.Thread(target=compete, args=(f"process-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


def test_a_leader_prolongs_without_a_new_fence(engine: Engine) -> None:
    assert take(engine, "relayer", "a") == take(engine, "relayer", "a") == HeldLease("relayer", "a", 1)
    assert take(engine, "relayer", "b") is None


def test_a_stalled_leader_that_wakes_writes_nothing(engine: Engine) -> None:
    stalled = take(engine, "relayer", "a")
    assert stalled
    expire(engine)
    assert take(engine, "relayer", "b") == HeldLease("relayer", "b", 2)
    with pytest.raises(LeaseLostError), engine.begin() as connection:
        require_held(connection, stalled)
    assert take(engine, "relayer", "a") is None


def test_a_leader_that_wakes_before_anybody_noticed_goes_on(engine: Engine) -> None:
    held = take(engine, "relayer", "a")
    assert held
    expire(engine)
    with engine.begin() as connection:
        require_held(connection, held)


def test_a_lease_given_up_is_free_at_once_and_the_old_fence_is_void(engine: Engine) -> None:
    held = take(engine, "relayer", "a")
    assert held
    release(engine, held)
    again = take(engine, "relayer", "a")
    assert again == HeldLease("relayer", "a", 2)
    with pytest.raises(LeaseLostError), engine.begin() as connection:
        require_held(connection, held)


def test_a_lease_of_a_clock_that_was_ahead_does_not_lock_everybody_out(engine: Engine) -> None:
    assert take(engine, "relayer", "a")
    with engine.begin() as connection:  # the clock was set back by an hour since
        connection.execute(update(Lease).values(expires_ms=Lease.expires_ms + 3_600_000))
    assert take(engine, "relayer", "b") == HeldLease("relayer", "b", 2)

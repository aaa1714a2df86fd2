"""Incidents open and close by themselves, once each, and say until when."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import OperationalError

from backend.chain import leases
from backend.db.engine import read
from backend.db.tables.chain import Chain, ChainJob, Diagnosis
from backend.db.tables.telling import Incident, IncidentNote
from backend.ops.estimate import SETTLE_BLOCKS, Drain, Sample, seconds_to_drain
from backend.ops.health import Health
from backend.ops.incidents import CLOSE_AFTER_MS, OPEN_AFTER_MS, Memory, OpenIncident, step, troubles_of
from backend.ops.readings import kept
from backend.ops.watch import Watcher

NODE = Health("node", "down", "unreachable", {}, None)
MINTING = Health("minting", "waits", "unreachable", {"waiting": 3}, None)


def test_a_hiccup_shorter_than_the_limit_opens_nothing() -> None:
    troubles = troubles_of([NODE, MINTING])
    first = step(Memory(), [], troubles, 1000)
    second = step(first.memory, [], troubles, 1000 + OPEN_AFTER_MS - 1)
    assert (first.opened, second.opened) == ((), ())
    gone = step(second.memory, [], {}, 1000 + OPEN_AFTER_MS)
    again = step(gone.memory, [], troubles, 1001 + OPEN_AFTER_MS)
    assert again.opened == ()


def test_one_cause_is_one_incident_and_names_all_it_affects() -> None:
    troubles = troubles_of([NODE, MINTING, Health("index", "waits", "old")])
    assert list(troubles) == ["chain"]
    assert troubles["chain"].affected == ("node", "minting", "index")
    assert troubles["chain"].state == "down"
    assert troubles["chain"].facts == {"waiting": 3}


def test_it_opens_as_of_the_moment_the_trouble_began() -> None:
    troubles = troubles_of([NODE])
    first = step(Memory(), [], troubles, 5000)
    opened = step(first.memory, [], troubles, 5000 + OPEN_AFTER_MS).opened
    assert [since for _trouble, since in opened] == [5000]


def test_a_fault_that_comes_back_soon_is_the_same_incident() -> None:
    known = [OpenIncident(1, "chain", "unreachable")]
    troubles = troubles_of([NODE])
    well = step(Memory(), known, {}, 1000)
    back = step(well.memory, known, troubles, 1000 + CLOSE_AFTER_MS - 1)
    assert (well.closed, back.closed, back.opened) == ((), (), ())
    calm = step(back.memory, known, {}, 20_000)
    assert calm.closed == ()
    closed = step(calm.memory, known, {}, 20_000 + CLOSE_AFTER_MS).closed
    assert [(one.id, since) for one, since in closed] == [(1, 20_000)]


def test_a_change_of_cause_is_told_and_not_another_incident() -> None:
    catching_up = Health("minting", "waits", "catching_up", {"behind": 3})
    changed = step(Memory(), [OpenIncident(1, "chain", "unreachable")], troubles_of([catching_up]), 1000)
    assert [trouble.cause for _one, trouble in changed.changed] == ["catching_up"]
    assert changed.opened == ()


def test_what_was_never_set_up_is_no_incident() -> None:
    assert troubles_of([Health("minting", "waits", "no_node_yet"), Health("node", "waits", "unseen")]) == {}


@pytest.mark.parametrize(("waiting", "per_s"), [(0, 100.0), (1000, 100.0), (100_000, 5000.0)])
def test_the_estimate_is_backlog_by_rate_and_a_block_or_two(waiting: int, per_s: float) -> None:
    drain = Drain()
    for second in range(10):
        drain.note(Sample(1000 * second, round(second * per_s), 10**6))
    assert drain.per_s == pytest.approx(per_s)
    assert seconds_to_drain(waiting, drain.per_s, 1.0) == pytest.approx(max(SETTLE_BLOCKS, waiting / per_s), abs=1)


def test_idle_time_and_a_standing_node_do_not_slow_the_estimate() -> None:
    drain = Drain()
    for second in range(7):
        drain.note(Sample(1000 * second, 100 * second, 600 - 100 * second))
    for at, done, waiting in ((20_000, 600, 0), (30_000, 600, 900)):
        drain.note(Sample(at, done, waiting))
    assert drain.per_s == pytest.approx(100)


class Hand:
    """A clock turned by hand; also of the database."""

    def __init__(self) -> None:
        self.ms = 1_900_000_000_000

    def __call__(self) -> float:
        return self.ms / 1000

    def of(self, _connection: Any) -> int:
        return self.ms


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    hand = Hand()
    for place in ("backend.ops.readings", "backend.chain.leases"):
        monkeypatch.setattr(f"{place}.now_ms", hand.of)
    return hand


@pytest.fixture
def watcher(engine: Engine, tmp_path: Path, hand: Hand) -> Watcher:
    with engine.begin() as connection:
        connection.execute(
            insert(Chain).values(
                chain_id=1,
                genesis_hash=bytes(32),
                state="active",
                start_block=0,
                cursor_number=5,
                cursor_hash=bytes(32),
                final_number=3,
                seen_ms=9_000_000_000_000,
                created_ms=0,
            )
        )
    return Watcher(engine, tmp_path, tmp_path / "no.sock", hand, "one")


def look(watcher: Watcher, hand: Hand, seconds: float) -> None:
    for _ in range(round(seconds)):
        hand.ms += 1000
        assert watcher.look()


def rows(engine: Engine, component: str) -> list[Any]:
    with read(engine) as connection:
        query = select(Incident.__table__).where(Incident.component == component).order_by(Incident.id)
        return list(connection.execute(query))


def mint_job(tickets: int, state: str, created_ms: int) -> dict[str, Any]:
    return {
        "kind": "mint",
        "key": f"mint:{created_ms}",
        "tickets": tickets,
        "calldata": b"",
        "gas_limit": 1,
        "state": state,
        "created_ms": created_ms,
        "changed_ms": created_ms,
    }


def test_a_node_that_dies_and_comes_back_is_one_incident_with_an_estimate(
    engine: Engine, watcher: Watcher, hand: Hand
) -> None:
    died = hand.ms
    with engine.begin() as connection:
        connection.execute(insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=died))
        connection.execute(insert(ChainJob).values(**mint_job(40, "queued", died + 1)))
    look(watcher, hand, 4)
    (incident,) = rows(engine, "chain")
    assert (incident.opened_ms, incident.cause, incident.state, incident.closed_ms) == (
        died,
        "unreachable",
        "down",
        None,
    )
    assert incident.facts["waiting"] == 40
    assert incident.facts["eta_s"] >= SETTLE_BLOCKS
    assert incident.facts["eta_ms"] is None, "nobody knows when the node comes back"
    with engine.begin() as connection:
        connection.execute(update(Diagnosis).values(closed_ms=hand.ms))
    look(watcher, hand, 2)
    (incident,) = rows(engine, "chain")
    assert (incident.cause, incident.facts["behind"]) == ("catching_up", 40)
    assert incident.facts["eta_ms"] > hand.ms
    with engine.begin() as connection:
        connection.execute(update(ChainJob).values(state="included"))
    well = hand.ms + 1000
    look(watcher, hand, 1 + CLOSE_AFTER_MS / 1000)
    (incident,) = rows(engine, "chain")
    assert incident.closed_ms == well
    with read(engine) as connection:
        told = connection.scalars(
            select(IncidentNote.what).where(IncidentNote.incident_id == incident.id).order_by(IncidentNote.id)
        ).all()
    assert told == ["opened", "changed", "closed"]


def test_how_fast_the_chain_took_a_backlog_is_known_to_the_worker_that_comes_after_a_restart(
    engine: Engine, watcher: Watcher, tmp_path: Path, hand: Hand
) -> None:
    began = hand.ms
    with engine.begin() as connection:
        over = insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=began, closed_ms=began + 100)
        connection.execute(over)
        connection.execute(insert(ChainJob), [mint_job(10, "queued", began + number) for number in range(40)])
    for number in range(20):  # ten tickets a second
        look(watcher, hand, 1)
        with engine.begin() as connection:
            minted = update(ChainJob).where(ChainJob.key == f"mint:{began + number}")
            connection.execute(minted.values(state="included"))
    successor = Watcher(engine, tmp_path, tmp_path / "no.sock", hand, "two")
    hand.ms += 20_000  # until the lease of the one before has run out
    look(successor, hand, 1)
    (incident,) = rows(engine, "chain")
    assert incident.facts["behind"] == 200
    assert incident.facts["eta_s"] == pytest.approx(20, rel=0.3)


def test_two_watchers_open_one_incident(engine: Engine, watcher: Watcher, tmp_path: Path, hand: Hand) -> None:
    other = Watcher(engine, tmp_path, tmp_path / "no.sock", hand, "two")
    with engine.begin() as connection:
        connection.execute(insert(Diagnosis).values(kind="unreachable", detail={}, opened_ms=hand.ms))
    for _ in range(4):
        hand.ms += 1000
        watcher.look()
        assert not other.look()
    assert len(rows(engine, "chain")) == 1


def test_a_database_that_was_away_is_written_down_when_it_is_back(
    engine: Engine, watcher: Watcher, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(watcher, hand, 1)
    take = leases.take

    def away(*_arguments: Any) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise OperationalError("SELECT 1", {}, error)

    monkeypatch.setattr(leases, "take", away)
    hand.ms += 1000
    died = hand.ms
    assert not watcher.look()
    alarms: list[int] = []
    watcher._alarm = lambda _failure: alarms.append(hand.ms)
    for _ in range(4):
        hand.ms += 5_000
        assert not watcher.look()
    for thread in threading.enumerate():
        if thread.name == "alarm":
            thread.join()
    assert len(alarms) == 1
    monkeypatch.setattr(leases, "take", take)
    look(watcher, hand, 1)
    (incident,) = rows(engine, "database")
    assert (incident.opened_ms, incident.state) == (died, "down")
    look(watcher, hand, 1 + CLOSE_AFTER_MS / 1000)
    assert rows(engine, "database")[0].closed_ms == died + 22_000


def test_what_was_last_known_is_kept_on_disk(watcher: Watcher, hand: Hand, tmp_path: Path) -> None:
    look(watcher, hand, 1)
    known = kept(tmp_path)
    assert known is not None
    assert known.index_block == 5
    (tmp_path / "last-readings.json").write_text('{"nonsense"')
    assert kept(tmp_path) is None

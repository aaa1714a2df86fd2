"""Our own processes, disk and clocks, broken: each test is a row of docs/faults.md."""

import os
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.faults import holds
from tests.faults.arena import SETTLE_SECONDS, SHOWN_SECONDS, SLUG, START_SECONDS, Arena, Seen
from tests.support import processes
from tests.support.installation import wait_until

LOW_MIB, HOUR_SECONDS = 100, 3600
PRELOADED = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
KEY = {"Idempotency-Key": "0123456789abcdef0123456789abcdef"}


@pytest.mark.faults(
    row="ours: two relayers, the lease holder stopped and woken",
    short="tests/backend/chain/test_node_faults.py::test_a_sleeping_leader_that_wakes_beside_its_successor_does_no_harm",
)
def test_two_relayers(arena: Arena, seen: Seen) -> None:
    def begin() -> None:
        arena.pause_process("work")
        arena.platform.start("work-two", "work")

    def end() -> None:
        wait_until(arena.minted, "the second worker to mint", SETTLE_SECONDS)
        arena.wake_process("work")

    try:
        arena.row(seen, begin, end, opens=None)
    finally:
        arena.platform.kill("work-two")


@pytest.mark.faults(
    row="ours: worker stopped in the middle of a write, and woken",
    short="tests/backend/web/test_app.py::test_while_somebody_holds_sqlites_only_lock_buyers_are_asked_to_come_back",
)
def test_stopped_in_a_write(arena: Arena, seen: Seen) -> None:
    """On SQLite it holds the only write lock: buyers are told so with a 503. On PostgreSQL they buy on."""
    key, stopped = {"Idempotency-Key": uuid4().hex}, list[float]()

    def begin() -> None:
        arena.platform.kill("work")
        armed = arena.platform.start("work", kill_at="batcher.written:1:stop")
        seen.sold += 1
        arena.sell(1, codes=False)
        wait_until(lambda: processes.stands(armed.pid), "the worker to stand in the middle of its write", START_SECONDS)
        stopped.append(time.monotonic())
        wait_until(lambda: holds.held(arena.engine, arena.bank), "others to wait for what it holds", START_SECONDS)

    def meanwhile() -> None:
        if arena.pair is None:
            wait_until(
                lambda: arena.told_state() == "down", "the status to say that nothing can be sold", SHOWN_SECONDS
            )
            seen.opened_s = time.monotonic() - stopped[0]
            assert seen.opened_s <= SHOWN_SECONDS
        answer = _order(arena, key)
        if arena.pair is not None:
            assert answer.status_code == 201, answer.text
            return
        told = (answer.status_code, answer.json()["code"])
        assert told in {(503, "too_busy"), (503, "database_unreachable")}, answer.text
        assert int(answer.headers["Retry-After"]) > 0
        assert len(answer.json()["detail"].split()) > 5, "a sentence"
        shown = httpx.get(f"{arena.platform.url}/api/v1/events/{SLUG}", timeout=10)
        assert shown.status_code == 200, "what only reads goes on"
        status = httpx.get(arena.platform.url + "/api/v1/status", timeout=10).json()
        assert (status["state"], "nothing can be sold right now" in status["banner"]) == ("down", True)

    def end() -> None:
        arena.wake_process("work")

    arena.row(seen, begin, end, opens=None, sells=False, crowd=True, meanwhile=meanwhile)
    assert _order(arena, key).status_code == 201, "the same request with the same key has its order now"


@pytest.mark.faults(
    row="ours: signer dead",
    short="tests/e2e/test_kill.py::test_killed_at_every_boundary_no_paid_ticket_is_lost_or_doubled",
)
def test_signer_dead(arena: Arena, seen: Seen) -> None:
    """Tickets are sold; codes wait for the signer, and nothing else does."""
    arena.row(seen, lambda: arena.platform.kill("signer"), lambda: arena.start_process("signer"), codes=False)


@pytest.mark.faults(
    row="ours: disk full (warned of before)",
    short="tests/backend/web/test_app.py::test_a_full_disk_is_said_and_loses_nothing",
)
def test_disk_full(arena: Arena, seen: Seen) -> None:
    """The data folder's own file system fills up: a warning first, then a clean 503, then on as if nothing was."""
    assert arena.small_disk, (
        "this row needs a file system of its own, which only root may mount: run make faults as root"
    )
    filler = arena.data / "filler"

    def causes() -> list[str]:
        return [one["sentence"] for one in arena.incidents() if one["component"] == "disk"]

    def begin() -> None:
        _fill(filler, leave=LOW_MIB * 1024**2)
        wait_until(causes, "the warning")
        assert "make room before sales stop" in causes()[0]
        arena.sell(1)  # a warning stops nobody
        _fill(filler, leave=0)

    def meanwhile() -> None:
        answer = _order(arena, KEY)
        assert answer.status_code in (201, 503), answer.text
        assert answer.status_code == 201 or (answer.json()["code"] == "storage_full" and answer.headers["Retry-After"])
        wait_until(lambda: any("full" in one for one in causes()), "the full disk to be told")

    arena.row(seen, begin, lambda: filler.unlink(missing_ok=True), sells=False, crowd=True, meanwhile=meanwhile)


@pytest.mark.faults(
    row="ours: clock an hour ahead, then an hour behind",
    short="tests/backend/chain/test_leases.py::test_a_lease_of_a_clock_that_was_ahead_does_not_lock_everybody_out",
)
def test_clock_jumps(arena: Arena, seen: Seen) -> None:
    """Of every process of ours, under way (libfaketime); on SQLite the database's clock is theirs."""
    assert PRELOADED, "this row needs libfaketime: apt-get install libfaketime (make faults does)"
    told = arena.platform.folder / "clock"

    def jump(seconds: int) -> None:
        draft = told.with_suffix(".new")
        draft.write_text(f"{seconds:+d}")
        draft.replace(told)

    def begin() -> None:
        jump(0)
        arena.restart_processes(
            LD_PRELOAD=str(PRELOADED[0]),
            FAKETIME_TIMESTAMP_FILE=str(told),
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
        )
        arena.sell(2)
        jump(HOUR_SECONDS)
        arena.sell(2, codes=False)
        wait_until(arena.minted, "minting with a clock that is ahead", SETTLE_SECONDS)
        arena.sell(2, codes=False)
        jump(-HOUR_SECONDS)
        arena.sell(2, codes=False)
        wait_until(arena.minted, "minting with a clock that is behind", SETTLE_SECONDS)
        seen.sold += 8

    def end() -> None:
        jump(0)
        names = ("LD_PRELOAD", "FAKETIME_TIMESTAMP_FILE", "FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC")
        arena.restart_processes(**dict.fromkeys(names))

    arena.row(seen, begin, end, opens=None, codes=False)


def _order(arena: Arena, key: dict[str, str]) -> httpx.Response:
    return httpx.post(
        f"{arena.platform.url}/api/v1/events/{SLUG}/orders",
        json={"lines": [{"class": "standing", "quantity": 1}]},
        headers=key,
        timeout=30,
    )


def _fill(filler: Path, leave: int) -> None:
    """Make the file so long that `leave` bytes are left, as far as there is room."""
    place = os.statvfs(filler.parent)
    size = filler.stat().st_size if filler.exists() else 0
    with filler.open("ab") as file:
        for length in (place.f_bavail * place.f_frsize - leave, 1024**2, 4096):
            while True:
                try:
                    os.posix_fallocate(file.fileno(), size, max(1, length))
                except OSError:
                    break
                size += length
                if leave or length > 4096 * 256:
                    break
            if leave:
                return

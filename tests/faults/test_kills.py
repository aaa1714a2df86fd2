"""SIGKILL at every step boundary, many rounds: web server, worker and signer die beside one another, all the time.

Each process is armed with one of its places, killed there, and started again armed with the next, while buyers buy,
take codes and give tickets back. So that a round costs little, workers are forked from a server that has imported
everything, and a dead worker's leases are let expire at once.
"""

import json
import signal
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from threading import Thread

import pytest
from nacl.public import PrivateKey

from backend.ops.sealed_file import MAGIC
from backend.settings import settings_from
from tests.e2e.test_kill import ELSEWHERE, PLACES
from tests.faults.arena import ARGUMENTS, SLUG, Arena, Seen
from tests.faults.load import Crowd
from tests.support.forked_worker import killed_at, let_leases_expire, start_worker
from tests.support.upkeep_steps import back_up, drill_newest

ROUND_SECONDS = 900  # until an armed place was reached; like every deadline here, it only ends what hangs
UPKEEP = [place for place in ELSEWHERE if place.startswith(("backup.", "drill."))]
PASSES = {"web": 4, "signer": 2}  # how often a place is passed before the kill, so that some get what they want


@dataclass
class Killed:
    """How many rounds each place has seen. One thread for each process adds to it."""

    file: Path  # where one who waits may look
    rounds: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        self.rounds[place] = self.rounds.get(place, 0) + 1
        self.file.write_text(json.dumps(self.rounds))


@pytest.mark.faults(
    row="ours: SIGKILL at every step boundary",
    short="tests/e2e/test_kill.py::test_killed_at_every_boundary_no_paid_ticket_is_lost_or_doubled",
)
def test_killed_at_every_boundary_many_rounds(arena: Arena, seen: Seen, request: pytest.FixtureRequest) -> None:
    rounds = request.config.getoption("--kill-rounds")
    killed = Killed(arena.platform.folder / "kills.json")
    began = time.monotonic()
    for name in ARGUMENTS:
        arena.platform.kill(name)
    drivers = {name: Thread(target=_drive, args=(arena, name, rounds, killed)) for name in ARGUMENTS}
    for driver in drivers.values():
        driver.start()
    crowds = [Crowd(arena.platform, SLUG, arena.acknowledged, codes=codes) for codes in (True, False)]
    try:
        while drivers:
            for name in [name for name, driver in drivers.items() if not driver.is_alive()]:
                drivers.pop(name)
                arena.start_process(name)  # by this thread: a process ends with the thread that started it
            time.sleep(0.1)
    finally:
        for crowd in crowds:
            crowd.stop()
    assert [*killed.problems, *crowds[0].odd, *crowds[1].odd] == []
    assert killed.rounds == dict.fromkeys(PLACES, rounds)
    arena.check()
    seen.sold, seen.checked = sum(crowd.sold for crowd in crowds), True
    seen.incident = f"{sum(killed.rounds.values())} kills, {rounds} at each place, in {time.monotonic() - began:.0f} s"


@pytest.mark.faults(
    row="ours: SIGKILL at every step of backups and drills",
    short="tests/backend/ops/test_backup.py::test_a_backup_killed_at_any_step_leaves_nothing_in_clear_in_its_folder",
)
def test_backups_and_drills_killed_at_every_step(arena: Arena, seen: Seen, request: pytest.FixtureRequest) -> None:
    """While tickets are sold: nothing is ever in clear where backups are, and the next of each is whole."""
    rounds = request.config.getoption("--kill-rounds")
    began, now, folder = time.monotonic(), time.time(), arena.platform.folder / "killed-backups"
    key, settings = bytes(PrivateKey.generate()), settings_from(arena.platform.environ)
    server = arena.pair.primary.url("postgres") if arena.pair else None
    buyers = Crowd(arena.platform, SLUG, arena.acknowledged)
    try:
        back_up(settings, folder, key, now)
        for later, place in enumerate(chain.from_iterable([UPKEEP] * rounds), 1):
            if place.startswith("backup."):
                killed_at(place, back_up, settings, folder, key, now + later)  # each has a second of its own
            else:
                killed_at(place, drill_newest, settings, folder, key, server)
            assert in_clear(folder) == [], place
        back_up(settings, folder, key, now + 1 + rounds * len(UPKEEP))
        assert drill_newest(settings, folder, key, server).checked.problems == ()
    finally:
        buyers.stop()
    assert buyers.odd == []
    left = [path for name in (".backup", ".drill") for path in (arena.data / name).rglob("*")]
    assert left == [], "what those that were killed left is gone"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    arena.check()
    seen.sold, seen.checked = buyers.sold, True
    seen.incident = f"{rounds * len(UPKEEP)} kills, {rounds} at each place, in {time.monotonic() - began:.0f} s"


def in_clear(folder: Path) -> list[str]:
    """Files that whoever sees the folder of backups could read something in; checksums tell nothing."""
    found = [path for path in folder.iterdir() if path.suffix != ".sha256" and path.stat().st_size]
    return [path.name for path in found if not path.read_bytes().startswith(MAGIC)]


def _drive(arena: Arena, name: str, rounds: int, killed: Killed) -> None:
    """Every place of a process in turn, `rounds` times."""
    places = [place for place, who in PLACES.items() if who == name]
    for place in chain.from_iterable([places] * rounds):
        try:
            if name == "work":
                _kill_worker(arena, place, killed)
            else:
                _kill_program(arena, name, place, killed)
        except AssertionError as error:
            killed.problems.append(f"{place}: {error}")
            return
        killed.add(place)


def _kill_program(arena: Arena, name: str, place: str, killed: Killed) -> None:
    armed = arena.platform.start(name, *ARGUMENTS[name], kill_at=f"{place}:{PASSES[name]}")
    deadline = time.monotonic() + ROUND_SECONDS
    while armed.poll() is None:
        assert time.monotonic() < deadline, "never reached"
        assert not killed.problems, "given up, because of another"
        time.sleep(0.05)
    arena.platform.kill(name)
    # The web server is a process that watches another; it ends when that one was killed.
    assert armed.returncode == -signal.SIGKILL or name == "web", f"ended with {armed.returncode}"


def _kill_worker(arena: Arena, place: str, killed: Killed) -> None:
    let_leases_expire(arena.engine)
    armed = start_worker(arena.platform.environ, str(arena.platform.folder / "work.log"), place)
    deadline = time.monotonic() + ROUND_SECONDS
    try:
        while armed.exitcode is None:
            assert time.monotonic() < deadline, "never reached"
            assert not killed.problems, "given up, because of another"
            armed.join(0.05)
        assert armed.exitcode == -signal.SIGKILL, f"ended with {armed.exitcode}"
    finally:
        armed.kill()

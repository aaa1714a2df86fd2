"""SIGKILL of a real gate process, at the write boundaries and right after it said "admit": nobody enters twice."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.platform import Platform
from verifier.log import read_contents

ROUNDS = 8

# Runs a gate whose named function kills the whole process, by SIGKILL, at its nth call.
KILLED_AT = """
import os, signal, sys
import verifier.log, verifier.files
from verifier.cli import main

boundary, half = sys.argv[1], float(sys.argv[2])
real_write, real_flush = verifier.log.write_all, verifier.log.flush

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write_all(descriptor, data):
    if boundary == "before_write":
        die()
    if boundary == "half_way":
        real_write(descriptor, data[: int(len(data) * half)])
        die()
    real_write(descriptor, data)
    if boundary == "after_write":
        die()

def flush(descriptor):
    real_flush(descriptor)
    if boundary == "after_flush":
        die()

verifier.log.write_all, verifier.log.flush = write_all, flush
sys.exit(main(sys.argv[3:]))
"""


class GateProcess:
    """A real `truestub-gate scan --json`, spoken to line by line."""

    def __init__(self, folder: Path, *command: str) -> None:
        command = command or ("-m", "verifier")
        self.process = subprocess.Popen(
            [sys.executable, *command, "--data", str(folder), "scan", "--no-network", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def scan(self, text: str) -> dict[str, Any] | None:
        """The verdict, or None if the process died over it."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def folder(platform: Platform, tmp_path: Path) -> Path:
    return platform.gate_with_data(tmp_path / "gate")


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., GateProcess]]:
    started: list[GateProcess] = []

    def begin(*command: str) -> GateProcess:
        started.append(GateProcess(folder, *command))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.close()


def code(verdict: dict[str, Any] | None) -> str | None:
    return verdict["code"] if verdict else None


def test_killed_right_after_admit_was_printed_still_knows_the_ticket(
    platform: Platform, start: Callable[..., GateProcess]
) -> None:
    for ticket in range(ROUNDS):
        gate = start()
        assert code(gate.scan(platform.full(ticket))) == "admit"
        gate.kill()

        again = start()
        assert code(again.scan(platform.full(ticket))) == "already_used"
        assert code(again.scan(platform.compact(ticket))) == "already_used"
        again.kill()


@pytest.mark.parametrize("boundary", ["before_write", "half_way", "after_write", "after_flush"])
def test_killed_at_a_write_boundary_admits_at_most_once(
    boundary: str, platform: Platform, start: Callable[..., GateProcess], folder: Path
) -> None:
    chance = random.Random(boundary)
    for ticket in range(ROUNDS // 2):
        gate = start("-c", KILLED_AT, boundary, str(chance.random()))
        assert gate.scan(platform.full(ticket)) is None, "the gate must have died before it answered"
        gate.close()
        assert gate.process.returncode == -signal.SIGKILL

        recorded = any(
            record.token_id & 0xFFFF == ticket for record in read_contents(folder / "admissions.log").records
        )
        assert recorded == (boundary in {"after_write", "after_flush"})
        again = start()
        first, second = again.scan(platform.full(ticket)), again.scan(platform.full(ticket))
        assert (code(first), code(second)) == ("already_used" if recorded else "admit", "already_used")
        again.close()


def killed_while_scanning(start: Callable[..., GateProcess], platform: Platform, chance: random.Random) -> None:
    """Fifty codes in one go, SIGKILL somewhere in them; whatever was shown as admitted must be known afterwards."""
    texts = [platform.full(ticket) for ticket in range(50)]
    gate = start()
    assert gate.process.stdin
    assert gate.process.stdout
    gate.process.stdin.write("\n".join([*texts, ""]).encode())
    gate.process.stdin.flush()
    shown = [gate.process.stdout.readline() for _ in range(chance.randrange(1, 40))]
    gate.process.send_signal(signal.SIGKILL)
    shown += gate.process.stdout.readlines()
    gate.close()
    admitted = [json.loads(line)["token_id"] & 0xFFFF for line in shown if line.endswith(b"\n") and b'"admit"' in line]

    again = start()
    assert {code(again.scan(texts[ticket])) for ticket in admitted} <= {"already_used"}
    again.close()


def test_killed_at_any_moment_forgets_nothing_it_showed(start: Callable[..., GateProcess], platform: Platform) -> None:
    chance = random.Random(7)
    for _ in range(3):
        killed_while_scanning(start, platform, chance)


@pytest.mark.deep
def test_killed_at_any_moment_many_times(platform: Platform, tmp_path: Path) -> None:
    """Each round on a gate of its own, so that every kill falls among new admissions."""
    chance = random.Random(11)
    for number in range(60):
        fresh = platform.gate_with_data(tmp_path / f"gate{number}")
        killed_while_scanning(lambda fresh=fresh, *command: GateProcess(fresh, *command), platform, chance)


def test_second_process_on_the_same_log_is_refused(
    start: Callable[..., GateProcess], platform: Platform, folder: Path
) -> None:
    gate = start()
    assert code(gate.scan(platform.full())) == "admit"

    second = subprocess.run(
        [sys.executable, "-m", "verifier", "--data", str(folder), "scan", "--json"],
        input=platform.full(1).encode(),
        capture_output=True,
        check=False,
    )

    assert (second.returncode, second.stdout) == (3, b"")
    assert second.stderr.startswith(b"gate_in_use: ")
    assert code(gate.scan(platform.full(1))) == "admit"


def test_lock_of_a_killed_process_is_free_at_once(start: Callable[..., GateProcess], platform: Platform) -> None:
    gate = start()
    assert code(gate.scan(platform.full())) == "admit"
    gate.kill()

    assert code(start().scan(platform.full())) == "already_used"

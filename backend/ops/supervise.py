"""Run the platform's processes side by side on one host: `truestub up`.

Promises: a process that dies is started again, after a pause that doubles up to a limit; when told to stop, all are
stopped and waited for; if the supervisor itself is killed, the kernel ends its children (Linux).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import BinaryIO

FIRST_PAUSE_SECONDS = 0.2  # before a dead process is started again
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 20.0  # one that ran this long starts with the first pause again
STOP_SECONDS = 10.0  # between SIGTERM and SIGKILL
WATCH_SECONDS = 0.1

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run under which name."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(slots=True)
class _Running:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    due: float = 0.0


def supervise(
    programs: Sequence[Program], stop: Event, output: BinaryIO | None, say: Callable[[str, str, int], None]
) -> None:
    """Run `programs` until `stop` is set. `say(name, what, number)` hears of starts (pid) and deaths (exit code)."""
    running = [_Running(program) for program in programs]
    try:
        while not stop.is_set():
            for one in running:
                _keep(one, output, say)
            stop.wait(WATCH_SECONDS)
    finally:
        _stop(running)


def _keep(one: _Running, output: BinaryIO | None, say: Callable[[str, str, int], None]) -> None:
    now = time.monotonic()
    if one.process is not None and one.process.poll() is not None:
        say(one.program.name, "died", one.process.returncode)
        steady = now - one.started > STEADY_SECONDS
        one.pause = FIRST_PAUSE_SECONDS if steady else min(one.pause * 2, LONGEST_PAUSE_SECONDS)
        one.due = now + one.pause
        one.process = None
    if one.process is None and now >= one.due:
        one.started = now
        one.process = subprocess.Popen(  # noqa: S603 - our own programs
            one.program.command,
            env=dict(one.program.environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor alone, which stops in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl, which is safe here
        )
        say(one.program.name, "started", one.process.pid)


def _stop(running: Sequence[_Running]) -> None:
    """All are told at once and share one deadline; whoever does not listen is killed."""
    processes = [one.process for one in running if one.process is not None and one.process.poll() is None]
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent does; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

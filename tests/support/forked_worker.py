"""Processes that start at once: forked from a server that has imported everything already.

They are real processes, with the real `truestub work` or a step of it inside, and die by real signals; only the seconds
that Python takes to import are saved.
"""

import dataclasses
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from sqlalchemy import Engine, update

from backend import killpoints
from backend.db.tables.chain import Lease
from backend.settings import Settings

KILL_SECONDS = 120  # until a place must have been reached; the server starts with the first process
_CONTEXT = multiprocessing.get_context("forkserver")
_STEPS = ("tests.backend.test_killed", "tests.backend.chain.test_killed")  # whose steps die
_CONTEXT.set_forkserver_preload(
    ["backend.app", "backend.cli.work", "web3", "tests.support.forked_worker", "tests.support.upkeep_steps", *_STEPS]
)


def start_worker(environ: dict[str, str], log: str, kill_at: str = "") -> BaseProcess:
    """A worker with these settings, its output in the file `log`; with `kill_at` it dies by SIGKILL at that place."""
    armed = {**environ, "TRUESTUB_KILL_AT": kill_at} if kill_at else dict(environ)
    process = _CONTEXT.Process(target=_work, args=(armed, log), daemon=True)
    process.start()
    return process


def killed_at(place: str, step: Callable[..., object], *arguments: object) -> None:
    """Take a step in a process of its own, which dies by SIGKILL at that place. `step` is a module's function."""
    process = _CONTEXT.Process(target=_armed, args=(place, step, arguments), daemon=True)
    process.start()
    assert wait_dead(process, KILL_SECONDS) == -signal.SIGKILL, f"never came to {place}"


def killed_wired_at(place: str, step: Callable[..., object], settings: Settings, *arguments: object) -> None:
    """The same for a step that wires the application, which arms what its settings name."""
    killed_at(place, step, dataclasses.replace(settings, kill_at=place), *arguments)


def end_worker(process: BaseProcess) -> None:
    """SIGTERM, and wait for its orderly end."""
    process.terminate()
    process.join(20)
    assert process.exitcode == 0, f"the worker ended with {process.exitcode}"


def wait_dead(process: BaseProcess, seconds: float = 30) -> int:
    """Its exit code, once it is dead."""
    deadline = time.monotonic() + seconds
    while process.exitcode is None:
        assert time.monotonic() < deadline, f"the worker still lives after {seconds} s"
        process.join(0.05)
    return process.exitcode


def let_leases_expire(engine: Engine) -> None:
    """As if the time of every lease had passed."""
    with engine.begin() as connection:
        connection.execute(update(Lease).values(expires_ms=0))


def _armed(place: str, step: Callable[..., object], arguments: tuple[object, ...]) -> None:
    killpoints.arm(place)
    step(*arguments)


def _work(environ: dict[str, str], log: str) -> None:
    from backend.cli.work import work

    os.environ.clear()
    os.environ.update(environ)
    with open(log, "a", buffering=1, encoding="utf-8") as file:  # noqa: PTH123 - stays open until the end
        sys.stdout = sys.stderr = file
        work()

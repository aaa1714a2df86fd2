"""Worker processes that start at once: forked from a server that has imported everything already.

They are real processes with the real `truestub work` inside, and die by real signals; only the seconds that Python
takes to import are saved.
"""

import multiprocessing
import os
import sys
import time
from multiprocessing.process import BaseProcess

from sqlalchemy import Engine, update

from backend.db.models import Lease

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["backend.cli.work", "web3", "tests.support.forked_worker"])


def start_worker(environ: dict[str, str], log: str, kill_at: str = "") -> BaseProcess:
    """A worker with these settings, its output in the file `log`; with `kill_at` it dies by SIGKILL at that place."""
    armed = {**environ, "TRUESTUB_KILL_AT": kill_at} if kill_at else dict(environ)
    process = _CONTEXT.Process(target=_work, args=(armed, log), daemon=True)
    process.start()
    return process


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


def _work(environ: dict[str, str], log: str) -> None:
    from backend.cli.work import work

    os.environ.clear()
    os.environ.update(environ)
    with open(log, "a", buffering=1, encoding="utf-8") as file:  # noqa: PTH123 - stays open until the end
        sys.stdout = sys.stderr = file
        work()

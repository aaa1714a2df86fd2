"""Runs the command line in a process that dies by SIGKILL at its n-th step, as a power cut would have it.

A step is a moment just before or just after a record is stored, and just before a request is sent. The processes are
forked from one that has the libraries loaded, so that a test can afford to kill at every step.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from wallet.cli import main
from wallet.store import Store
from wallet.transport import Transport

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["wallet.cli.buy", "wallet.cli.resume", "wallet.cli.rekey"])


def run_killed(arguments: list[str], step: int) -> int:
    """Run `truestub-wallet`, killed at that step, from 1; its exit code, or -9 if it was killed."""
    process = _CONTEXT.Process(target=_child, args=(arguments, step))
    process.start()
    process.join(60)
    assert process.exitcode is not None, "the wallet did not end"
    return process.exitcode


def _child(arguments: list[str], step: int) -> None:
    left = [step]

    def tick() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _around(Store, "put", tick, after=True)
    _around(Transport, "_attempt", tick, after=False)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sys.exit(main(arguments))


def _around(owner: type, name: str, tick: Callable[[], None], *, after: bool) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        tick()
        outcome = original(*args, **kwargs)
        if after:
            tick()
        return outcome

    setattr(owner, name, wrapped)

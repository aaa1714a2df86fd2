"""Processes and all that descend from them: killed, stopped and woken."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

STOP_SECONDS = 20  # a deadline: a stop takes milliseconds


def family(pid: int) -> list[int]:
    """A process and all that descend from it, itself first; none if it is gone."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(one for child in children for one in family(child))]


def kill(pid: int) -> None:
    """SIGKILL for all of it."""
    _send(family(pid), signal.SIGKILL)


def stop(pid: int) -> None:
    """SIGSTOP for all of it, and not back before every thread stands: the others may run on for a while."""
    _send(family(pid), signal.SIGSTOP)
    deadline = time.monotonic() + STOP_SECONDS
    while moving := [one for one in family(pid) if not _stands(one)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"still running after SIGSTOP: {moving}")
        time.sleep(0.001)


def stands(pid: int) -> bool:
    """Whether it was stopped, by whomever, and no thread of it runs any more."""
    return _stands(pid) and bool(family(pid))


def wake(pid: int) -> None:
    """SIGCONT, after `stop`."""
    _send(family(pid), signal.SIGCONT)


def _send(pids: list[int], number: signal.Signals) -> None:
    for one in pids:
        with suppress(ProcessLookupError):
            os.kill(one, number)


def _stands(pid: int) -> bool:
    try:
        threads = [(thread / "stat").read_text() for thread in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):  # one ends just now
        return not family(pid)
    return all(thread.rpartition(")")[2].split()[0] in {"T", "Z", "X"} for thread in threads)

"""Named places where a test may have this process killed, to show that no boundary between two commits loses anything.

`reach("relayer.stored")` does nothing unless that very name was armed by the development-only setting `KILL_AT`
(`name` or `name:n` for the n-th time); then the process dies by SIGKILL, exactly as a power cut would have it. Armed
with `name:n:stop` it stands still there (SIGSTOP) with all it holds, until somebody wakes it.
"""

import os
import signal

_armed: dict[str, int] = {}  # name -> how many more times it is passed before the signal
_signal = signal.SIGKILL


def arm(spec: str) -> None:
    """Arm `name`, `name:n` or `name:n:stop`; an empty spec disarms everything."""
    global _signal  # noqa: PLW0603 - one process, one armed place
    _armed.clear()
    if spec:
        name, count, how = (*spec.split(":"), "", "")[:3]
        _armed[name] = int(count or "1")
        _signal = signal.SIGSTOP if how == "stop" else signal.SIGKILL


def reach(name: str) -> None:
    """Say that the named place is reached."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os.kill(os.getpid(), _signal)

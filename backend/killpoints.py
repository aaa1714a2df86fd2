"""Named places where a test may have this process killed, to show that no boundary between two commits loses anything.

`reach("relayer.stored")` does nothing unless that very name was armed by the development-only setting `KILL_AT`
(`name` or `name:n` for the n-th time); then the process dies by SIGKILL, exactly as a power cut would have it.
"""

import os
import signal

_armed: dict[str, int] = {}  # name -> how many more times it is passed before the kill


def arm(spec: str) -> None:
    """Arm `name` or `name:n`; an empty spec disarms everything."""
    _armed.clear()
    if spec:
        name, _, count = spec.partition(":")
        _armed[name] = int(count or "1")


def reach(name: str) -> None:
    """Say that the named place is reached."""
    if name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
